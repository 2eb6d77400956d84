"""`assay runs`: the runs that a query finds, in its order, with the columns asked for."""

from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.search.filters import Parser, comparisons, parse_filter
from assay.record.search.finding import search_runs
from assay.record.search.keys import Key
from assay.record.search.names import check_known
from assay.record.search.order import term_of
from assay.record.search.subjects import RUNS
from assay.record.search.tokens import invalid, tokens
from assay.record.store import Row, Store
from assay.record.tracking.experiments import experiment_named
from assay.record.tracking.metrics import latest
from assay.record.tracking.runs import RunSummary, summaries

__all__ = ["Query", "list_runs", "parse_query"]

_LIMIT = 30


class Query(msgspec.Struct, frozen=True):
    """The parts of `<filter> order by <key> desc, <key> limit <n>`; each may be missing."""

    filter: str
    order_by: list[str]
    limit: int | None


def parse_query(text: str) -> Query:
    """The parts of a query; InvalidInput names the position of what is wrong."""
    words = tokens(text)
    limit = None
    end = len(words) - 1  # the word that ends what is still to be read
    if end >= 2 and words[end - 2].says("LIMIT"):
        if not (words[end - 1].kind == "number" and words[end - 1].text.isdecimal() and len(words[end - 1].text) < 10):
            raise invalid(text, words[end - 1].position, f"the limit is {words[end - 1].text}", expected="a number")
        limit = int(words[end - 1].text)
        end -= 2
    begins = [n for n in range(end - 1) if words[n].says("ORDER") and words[n + 1].says("BY")]
    if not begins:
        return Query(text[: words[end].position].strip(), [], limit)
    start = begins[-1]
    commas = [n for n in range(start + 2, end) if words[n].says(",")]
    bounds = zip([start + 2, *(n + 1 for n in commas)], [*commas, end], strict=True)
    order_by = [text[words[low].position : words[high].position].strip() for low, high in bounds]
    return Query(text[: words[start].position].strip(), order_by, limit)


@operation("runs")
def list_runs(
    store: Store,
    query: str | None = None,
    *,
    experiment: Annotated[str | None, "Only of this experiment"] = None,
    limit: Annotated[int | None, f"At most so many; {_LIMIT} where neither this nor the query says it"] = None,
    columns: Annotated[str | None, "What to show, such as metrics.auc,params.lr,status"] = None,
) -> list[RunSummary]:
    """List runs, newest first, or those that a query finds, in its order.

    A query is a filter, then the order, then how many: "metrics.auc > 0.8 and params.lr = '0.1' order by metrics.auc
    desc limit 20". Filters know AND, OR, NOT, brackets, = != > >= < <=, LIKE, ILIKE, CONTAINS, IN, BETWEEN and IS NULL;
    keys are metrics.x (and metrics.x.max, min, first, mean), params.x, tags.x, dataset.name, experiment.name and
    attributes such as status, run_name or start_time.
    """
    asked = parse_query(query or "")
    most = limit if limit is not None else asked.limit if asked.limit is not None else _LIMIT
    if most < 1:
        raise InvalidInput(f"limit is {most}", expected="1 or more")
    found = experiment_named(store, experiment) if experiment else None
    if experiment and found is None:
        return []
    ids = search_runs(
        store,
        asked.filter,
        order_by=asked.order_by,
        limit=most,
        experiment_ids=[found.experiment_id] if found else None,
    ).ids
    shown = _columns(columns)
    ordered = [term_of(text, RUNS).key for text in asked.order_by]
    filtered = [] if ids else [part.key for part in comparisons(parse_filter(asked.filter, RUNS))]
    check_known(store, [*shown.values(), *ordered, *filtered])
    rows = {row["run_id"]: row for row in store.query("run", {"run_id in": ids})}
    lines = summaries(store, [rows[run_id] for run_id in ids if run_id in rows])
    return _with_columns(store, lines, rows, shown) if shown else lines


def _columns(text: str | None) -> dict[str, Key]:
    """The keys of columns by how they were written."""
    named: dict[str, Key] = {}
    for part in (text or "").split(","):
        if part.strip():
            parser = Parser(part.strip(), RUNS)
            key = parser.key()
            if parser.here.kind != "end" or (key.child is not None and not key.child.single):
                raise InvalidInput(f"{part.strip()!r} is no column", expected=f"a key such as {RUNS.examples}")
            named[part.strip()] = key
    return named


def _with_columns(
    store: Store, lines: list[RunSummary], rows: dict[str, Row], shown: dict[str, Key]
) -> list[RunSummary]:
    ids = [line.run_id for line in lines]
    metrics = latest(store, ids)
    texts: dict[tuple[str, str], dict[str, str]] = {}
    for entity in ("param", "tag"):
        names = [key.name for key in shown.values() if key.entity == entity]
        late: dict[str, object] = {"layer": 0} if entity == "param" else {}
        if names:
            for row in store.query(f"run_{entity}", {"run_id in": ids, "key in": names, **late}):
                texts.setdefault((entity, row["run_id"]), {})[row["key"]] = row["value"]
    found: list[RunSummary] = []
    for line in lines:
        values: dict[str, str | float | None] = {}
        for name, key in shown.items():
            if key.entity == "metric":
                point = metrics[line.run_id].get(key.name)
                part = {"min": "low", "max": "high", "first": "first", "mean": "mean"}.get(_part(key), "value")
                values[name] = getattr(point, part) if point else None
            elif key.child is not None:
                values[name] = texts.get((key.entity, line.run_id), {}).get(key.name)
            else:
                values[name] = _attribute(line, rows[line.run_id], key)
        found.append(msgspec.structs.replace(line, columns=values))
    return found


def _part(key: Key) -> str:
    """Which of a metric's values it is, "" for the latest."""
    return key.shown.removeprefix(f"metrics.{key.name}").removeprefix(".")


def _attribute(line: RunSummary, row: Row, key: Key) -> str | float | None:
    if key.name == "experiment.name":
        return line.experiment
    if key.name == "duration":
        return None if line.seconds is None else line.seconds * 1000
    column = key.sql.removeprefix("run.")
    if column not in row:
        raise InvalidInput(f"{key.name} is no column", expected="a metric, a param, a tag or an attribute of the run")
    value: str | float | None = row[column]
    return value
