"""Columns of a table of runs: which there are to choose from, and what the shown runs say in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from assay.record.clock import moment
from assay.record.schema import TABLES
from assay.record.store import Row, Store
from assay.record.tracking.metrics import latest_of
from assay.server.pages.sparkline import paths
from assay.server.pages.wording import State, number, state_of

__all__ = ["ENTITIES", "SYSTEM", "Column", "Line", "Value", "column_named", "default_columns", "keys_of", "lines_of"]

ENTITIES = {"metrics": "run_metric", "params": "run_param", "tags": "run_tag"}
SYSTEM = "system/"  # metrics of the machine begin so
_DEFAULT = {"metrics": 4, "params": 4}
_DRAWN = 25  # lines whose metrics are drawn at once, about as many as a screen shows; a script asks for the others
_LONGEST = 300  # characters of a value that the table shows


@dataclass(frozen=True, slots=True)
class Column:
    """A metric, param or tag; `name` is how a filter calls it."""

    entity: str
    key: str

    @property
    def name(self) -> str:
        """As in a filter and in an order."""
        plain = self.key.replace("_", "a").replace(".", "a").isalnum() and self.key.isascii()
        return f"{self.entity}.{self.key}" if plain else f"{self.entity}.`{self.key}`"


@dataclass(slots=True)
class Value:
    """A cell: `path` is a small drawing of a metric's points; `waiting` says that there is one to be asked for."""

    text: str = ""
    path: str = ""
    waiting: bool = False


_EMPTY = Value()


@dataclass(slots=True)
class Line:
    """A run as a line of the table."""

    run: Row
    state: State
    seconds: float | None
    values: dict[Column, Value] = field(default_factory=dict)
    cells: list[tuple[Column, Value]] = field(default_factory=list)  # `values` in the order of the columns


def column_named(text: str) -> Column | None:
    """The column of a name such as `metrics.auc`; None for what is none."""
    entity, dot, key = text.partition(".")
    key = key.strip("`")
    return Column(entity, key) if dot and key and entity in ENTITIES else None


def keys_of(store: Store, run_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Keys that these runs have, by entity, and how many of the runs have each; of tags only people's own."""
    found: dict[str, dict[str, int]] = {}
    for entity, kind in ENTITIES.items():
        table = TABLES[kind]
        statement = (
            sa.select(table.c.key, sa.func.count().label("runs"))
            .where(table.c.run_id.in_(list(run_ids)))
            .group_by(table.c.key)
            .order_by(table.c.key)
        )
        if "layer" in table.c:
            statement = statement.where(table.c.layer == 0)
        rows = store.select(statement) if run_ids else []
        found[entity] = {
            row["key"]: row["runs"] for row in rows if entity != "tags" or not row["key"].startswith("mlflow.")
        }
    return found


def default_columns(keys: dict[str, dict[str, int]]) -> list[Column]:
    """A few metrics and params that most of the runs have, where nobody chose; not those of the machine."""
    found = []
    for entity, most in _DEFAULT.items():
        own = {key: count for key, count in keys[entity].items() if not key.startswith(SYSTEM)}
        chosen = set(sorted(own, key=lambda key: (-own[key], key))[:most])
        found += [Column(entity, key) for key in own if key in chosen]
    return found


def lines_of(store: Store, runs: Sequence[Row], columns: Sequence[Column], now: datetime) -> list[Line]:
    """What the runs say in these columns, and nothing else is read."""
    ids = [run["run_id"] for run in runs]
    lines = {run["run_id"]: Line(run, state_of(run, now), _seconds(run)) for run in runs}
    for entity in ("params", "tags"):
        keys = [column.key for column in columns if column.entity == entity]
        if keys and ids:
            late = {"layer": 0} if entity == "params" else {}
            for row in store.query(ENTITIES[entity], {"run_id in": ids, "key in": keys, **late}):
                lines[row["run_id"]].values[Column(entity, row["key"])] = Value(row["value"][:_LONGEST])
    keys = [column.key for column in columns if column.entity == "metrics"]
    if keys and ids:
        rows = store.query("run_metric", {"run_id in": ids, "key in": keys, "layer": 0})
        counts = {(row["run_id"], row["key"]): row["count"] for row in rows}
        drawn = paths(store, ids[:_DRAWN], keys, counts)
        for row in rows:
            place = (row["run_id"], row["key"])
            path = drawn.get(place, "")
            lines[row["run_id"]].values[Column("metrics", row["key"])] = Value(
                number(latest_of(row).value), path, waiting=row["count"] > 1 and not path
            )
    for line in lines.values():
        line.cells = [(column, line.values.get(column, _EMPTY)) for column in columns]
    return list(lines.values())


def _seconds(run: Row) -> float | None:
    return (moment(run["ended"]) - moment(run["started"])).total_seconds() if run["ended"] else None
