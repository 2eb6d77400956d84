"""Decisions that a model drove, out of the prediction log, as sums by month: what values, thresholds and mixes rest on.

A decision is a live answer without an error. Its action comes of the answer, what would have been done without the
model of the baseline policy, its outcome of the newest label that was known. Only sums leave the database.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.errors import InvalidInput, NotFound
from assay.operate.labels.known import newest_labels
from assay.operate.monitors.kinds.answers import newest_hold_out
from assay.operate.monitors.kinds.estimating import calibrator_of
from assay.operate.monitors.reading import LogWindows
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.rows import predictions_database, sql_text
from assay.operate.querying import explained
from assay.record.clock import moment
from assay.record.objective_terms import Terms
from assay.record.store import Store
from assay.stats.estimation import Calibrator
from assay.steer.objectives.months import month_of, months_between

if TYPE_CHECKING:
    import duckdb

__all__ = ["RECENT_MONTHS", "Calibrations", "decisions", "endpoints_of", "recent_months", "weight_of"]

RECENT_MONTHS = 13
"""What is looked at again and again goes back so far: this month and a year."""

_BASE = """
    create temp table decided as
    with chosen as (select id, moment, unit, mv_id, output{features}, ({times})::double as times, {taken} as taken,
            ({baseline})::varchar as baseline
        from predictions left join versions using (mv_id)
        where role = 'live' and status = 'ok' and model = $model and output is not null),
    of_units as (select id as prediction_id, l.value, l.event_ts
        from (from known_labels where prediction_id is null) l asof join (from chosen where unit is not null) c
        on l.unit = c.unit and l.event_ts >= c.moment),
    newest as (select prediction_id, arg_max(value, event_ts) as label from (
        select prediction_id, value, event_ts from known_labels where prediction_id is not null
        union all select prediction_id, value, event_ts from of_units) group by prediction_id),
    sized as (select c.*, n.label from chosen c left join newest n on n.prediction_id = c.id)
    select s.* exclude (unit, id, moment), strftime(s.moment, '%Y-%m') as month, hash(s.id) % 2 as half, t.step,
        coalesce(t.share, s.output) as p
    from sized s asof left join steps t on s.mv_id = t.mv_id and s.output >= t.start
"""


@dataclass(frozen=True, slots=True)
class Calibrations:
    """What is known of the versions that answered, by their ids: the threshold, and what scores are worth.

    `uncalibrated` were never evaluated: their scores are taken for probabilities as they are.
    """

    thresholds: Mapping[str, float]
    calibrators: Mapping[str, Calibrator]
    uncalibrated: Sequence[str]

    @classmethod
    def of(cls, store: Store, mv_ids: Sequence[str]) -> "Calibrations":
        """Of the newest evaluation of each version."""
        thresholds, calibrators, uncalibrated = {}, {}, []
        for mv_id in mv_ids:
            hold_out = newest_hold_out(store, mv_id)
            if hold_out is None or not hold_out.profile.task.has_scores:
                uncalibrated.append(mv_id)
                continue
            calibrators[mv_id] = calibrator_of(hold_out)
            if hold_out.profile.thresholds:
                thresholds[mv_id] = hold_out.profile.thresholds[hold_out.profile.models.index(hold_out.model)]
        return cls(thresholds, calibrators, uncalibrated)


def endpoints_of(store: Store, model: str, terms: Terms) -> list[str]:
    """The endpoints whose log has decisions of the model: the one that is named, else those it was deployed at."""
    if terms.endpoint is not None:
        named = [terms.endpoint]
    else:
        named = sorted({row["endpoint"] for row in store.query("deployment", {"model": model})} | {model})
    found = [name for name in named if "/" not in name and log_folder(store, name).is_dir()]
    if terms.endpoint is not None and not found:
        raise NotFound(f"endpoint {terms.endpoint!r} has no prediction log", where=store.location)
    return found


def recent_months(store: Store, model: str, terms: Terms) -> list[str]:
    """The last 13 months up to that of the newest row in the log, from its first one on; none for an empty log."""
    found = []
    for endpoint in endpoints_of(store, model, terms):
        log = LogWindows(store, endpoint)
        log.refresh()
        first, last = log.first_moment(), log.last_moment()
        if first is not None and last is not None:
            found.append((month_of(moment(first)), month_of(moment(last))))
    if not found:
        return []
    return months_between(min(first for first, _ in found), max(last for _, last in found))[-RECENT_MONTHS:]


@contextlib.contextmanager
def decisions(
    store: Store,
    model: str,
    terms: Terms,
    endpoint: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    inputs: bool = False,
) -> Iterator[tuple["duckdb.DuckDBPyConnection", Calibrations]]:
    """A database whose table `decided` has a row for each decision in [since, until), and what is known of versions.

    Its columns: month, half (0 or 1 by chance), mv_id, output, taken, baseline, label (null while it is not known),
    step and p (the probability of the label 1), with `inputs` the struct `features`; the view `weighed` has weight_0
    and so on besides, by the order of outcomes (`weight_of`).

    Raises InvalidInput with its place for SQL of the objective that cannot be run.
    """
    with predictions_database(store, endpoint, since=since, until=until) as connection:
        asked = connection.execute("select distinct mv_id from predictions where model = $model", {"model": model})
        known = Calibrations.of(store, sorted(row[0] for row in asked.fetchall()))
        name = terms.value.label if terms.value else "label"
        labels = newest_labels(store, endpoint, name=name, as_of=store.clock.latest())
        connection.register("known_labels", labels)
        connection.register("versions", _versions(known))
        connection.register("steps", _steps(known))
        columns = connection.sql("select * from predictions limit 0").columns
        _check_sql(connection, terms)
        needs_inputs = inputs or (terms.value is not None and terms.value.function is not None)
        _make(connection, model, terms, has_features=needs_inputs and "features" in columns)
        yield connection, known


def weight_of(terms: Terms, outcome: str) -> str:
    """The column that says how much a decision counts when an outcome comes: its size, or what it is worth."""
    assert terms.value is not None
    return f"weight_{list(terms.value.outcomes).index(outcome)}"


def _make(connection: "duckdb.DuckDBPyConnection", model: str, terms: Terms, *, has_features: bool) -> None:
    value, baseline = terms.value, terms.baseline
    text = _BASE.format(
        features=", features" if has_features else "",
        times=f"{value.times}\n" if value and value.times else "1.0",
        taken=_action(terms),
        baseline=f"{baseline.rule}\n" if baseline.rule is not None else sql_text(str(baseline.action)),
    )
    connection.execute(text, {"model": model})
    odd = connection.sql("select distinct baseline from decided").fetchall()
    for (name,) in odd:
        if name not in terms.decision.actions:
            raise InvalidInput(
                f"the rule of the baseline names the action {name!r}",
                where="baseline.rule",
                expected=", ".join(terms.decision.actions),
            )
    if value is not None:
        _weigh(connection, terms)


def _weigh(connection: "duckdb.DuckDBPyConnection", terms: Terms) -> None:
    """A weight for each outcome: the size of the row, or with a function its worth beside the baseline."""
    value = terms.value
    assert value is not None
    if value.function is None:
        weights = ", ".join(f"times as {weight_of(terms, outcome)}" for outcome in value.outcomes)
        connection.execute(f"create temp view weighed as select *, {weights} from decided")  # noqa: S608 - names
        return
    inner = "select * from decided"
    for outcome in value.outcomes:
        place = weight_of(terms, outcome)
        for action, column in (("taken", f"{place}_taken"), ("baseline", f"{place}_baseline")):
            inner = (
                f"select * exclude (outcome, action), ({value.function}\n)::double as {column} from "  # noqa: S608 - own SQL
                f"(select *, {sql_text(outcome)} as outcome, {action} as action from ({inner}))"
            )
        inner = f"select *, {place}_taken - {place}_baseline as {place} from ({inner})"  # noqa: S608 - names
    connection.execute(f"create temp view weighed as {inner}")


def _action(terms: Terms) -> str:
    actions, thresholds = terms.decision.actions, terms.decision.thresholds
    bounds: list[str] = [f"{one!r}::double" for one in thresholds] or ["coalesce(versions.threshold, 0.5)"]
    pairs = list(zip(bounds, actions[1:], strict=True))[::-1]
    cases = " ".join(f"when output >= {bound} then {sql_text(action)}" for bound, action in pairs)
    return f"case {cases} else {sql_text(actions[0])} end"


def _check_sql(connection: "duckdb.DuckDBPyConnection", terms: Terms) -> None:
    """What people wrote can be run by itself, said with its place where it cannot."""
    value = terms.value
    texts = {"baseline.rule": (terms.baseline.rule, "from predictions")}
    if value is not None:
        texts["value.times"] = (value.times, "from predictions")
        made = "from (select *, '' as outcome, '' as action from predictions)"
        texts["value.function"] = (value.function, made)
    for where, (text, source) in texts.items():
        if text is None:
            continue
        try:
            with explained(text):
                connection.sql(f"select *, ({text}\n) {source} limit 0").fetchall()
        except InvalidInput as error:
            raise error.at(f"{where}: {error.where}" if error.where else where) from None


def _versions(known: Calibrations) -> pa.Table:
    pairs = sorted(known.thresholds.items())
    return pa.table(
        {
            "mv_id": pa.array([one for one, _ in pairs], pa.string()),
            "threshold": pa.array([at for _, at in pairs], pa.float64()),
        }
    )


def _steps(known: Calibrations) -> pa.Table:
    """The steps of all calibrators; scores below the first are on it."""
    rows = [
        (mv_id, float("-inf") if place == 0 else start, share, place)
        for mv_id, calibrator in sorted(known.calibrators.items())
        for place, (start, share) in enumerate(zip(calibrator.starts, calibrator.shares, strict=True))
    ]
    names = {"mv_id": pa.string(), "start": pa.float64(), "share": pa.float64(), "step": pa.int64()}
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, names.values(), strict=True)], names=list(names)
    )
