"""What an audit bundle holds of a model: which rows of which tables, as data.

A rule says: of this table, the rows in whose column stands one of the values that a column of rows chosen before has.
Events are limited to the period that is asked for; what they are about is there in any case.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from assay.record.clock import happened
from assay.record.schema import TABLES
from assay.record.store import Row, Store

__all__ = ["RULES", "Choice", "Period", "chosen", "identity"]

_AT_ONCE = 500  # values in one statement


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment, which counts, to another, which does not; None where it has no end."""

    since: str | None = None
    until: str | None = None

    def holds(self, row: Row) -> bool:
        """Whether what the row tells of happened in it."""
        time = happened(row)
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `table` whose `column` is among the values of `of`, a table and its column, or those of `also`.

    `event`: the period counts.
    """

    table: str
    column: str
    of: tuple[str, str]
    event: bool = True
    also: tuple[str, ...] = ()


_MODEL, _VERSION = ("registered_model", "name"), ("model_version", "mv_id")
_ABOUT = "about"  # ids of all rows that were chosen

RULES = (
    Rule("registered_model", "name", (_ABOUT, "model"), event=False),
    Rule("model_version", "model", _MODEL, event=False),
    Rule("run", "run_id", ("model_version", "run_id"), event=False),
    Rule("run_param", "run_id", ("run", "run_id"), event=False),
    Rule("run_metric", "run_id", ("run", "run_id"), event=False),
    Rule("run_dataset", "run_id", ("run", "run_id"), event=False),
    Rule("run_io", "run_id", ("run", "run_id"), event=False),
    Rule("artifact", "artifact_id", ("run_io", "artifact_id"), event=False),
    Rule("feature_use", "mv_id", _VERSION, event=False),
    Rule("compiled_form", "mv_id", _VERSION, event=False),
    Rule("objective", "model", _MODEL, event=False),
    Rule("approval_rule", "model", _MODEL, event=False),
    Rule("owner", "model", _MODEL, event=False, also=("",)),  # roles for all models
    Rule("monitor", "model", _MODEL, event=False),
    Rule("trigger_def", "model", _MODEL, event=False),
    Rule("alert_rule", "model", _MODEL, event=False),
    Rule("evaluation", "mv_id", _VERSION),
    Rule("gate", "mv_id", _VERSION),
    Rule("idea", "model", _MODEL),
    Rule("idea_try", "idea_id", ("idea", "idea_id")),
    Rule("alias_move", "model", _MODEL),
    Rule("deployment", "model", _MODEL),
    Rule("rollout", "model", _MODEL),
    Rule("rollout_event", "rollout_id", ("rollout", "rollout_id")),
    Rule("online_test", "model", _MODEL),
    Rule("test_phase", "test_id", ("online_test", "test_id")),
    Rule("test_reading", "test_id", ("online_test", "test_id")),
    Rule("alert", "model", _MODEL),
    Rule("incident", "model", _MODEL),
    Rule("drill", "model", _MODEL),
    Rule("trigger_fire", "trigger_id", ("trigger_def", "trigger_id")),
    Rule("retraining", "model", _MODEL),
    Rule("retraining_event", "story_id", ("retraining", "story_id")),
    Rule("kpi_obs", "model", _MODEL),
    Rule("objective_review", "model", _MODEL),
    Rule("approval_request", "model", _MODEL),
    Rule("approval", "mv_id", _VERSION),
    Rule("approval_exception", "model", _MODEL),
    Rule("card", "subject", (_ABOUT, "id")),
    Rule("card_text", "subject", (_ABOUT, "id")),
    Rule("decision_record", "model", _MODEL),
    Rule("test_result", "subject_id", (_ABOUT, "id")),
    Rule("comment", "subject_id", (_ABOUT, "id")),
    Rule("notice", "subject_id", (_ABOUT, "id")),
    Rule("history", "subject_id", (_ABOUT, "id")),
)


def identity(table: str) -> list[str]:
    """The columns that name a row."""
    return [column.name for column in TABLES[table].primary_key]


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows by table, in order of their keys, and what they are called: ids, and `model/version` for versions."""

    tables: dict[str, list[Row]]
    about: set[str]


def chosen(store: Store, model: str | None, period: Period) -> Choice:
    """The rows of each table that has some; of every model where none is named."""
    found: dict[str, list[Row]] = {}
    about = {model} if model else set[str]()
    for rule in RULES:
        rows = list(_rows(store, rule, model, found, about))
        if rule.event:
            rows = [row for row in rows if "ts" not in row or period.holds(row)]
        if rows:
            keys = identity(rule.table)
            found[rule.table] = sorted(rows, key=lambda row: [str(row[key]) for key in keys])
            about |= {str(row[keys[0]]) for row in rows}
        if rule.table == "model_version":
            about |= {f"{row['model']}/{row['version']}" for row in rows}
    return Choice(found, about)


def _rows(store: Store, rule: Rule, model: str | None, found: dict[str, list[Row]], about: set[str]) -> Iterator[Row]:
    if model is None:
        yield from store.query(rule.table)
        return
    table, column = rule.of
    if table == _ABOUT:
        values = {model} if column == "model" else about
    else:
        values = {row[column] for row in found.get(table, []) if row[column] is not None}
    ordered = sorted(values | set(rule.also))
    for start in range(0, len(ordered), _AT_ONCE):
        yield from store.query(rule.table, {f"{rule.column} in": ordered[start : start + _AT_ONCE]})
