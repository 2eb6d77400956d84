"""What every protocol asks: rows in, logged predictions out.

The routing table is read once for a request, so one table answers the whole of it, and no answer is given before all
its rows are in the log. Nothing is awaited on the way but features that are read over a network; others are answered
meanwhile.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.operate.features.elsewhere import elsewhere
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.prediction import LookedUp, Prediction
from assay.operate.routing.assignment import Assigned
from assay.operate.routing.table import LoadedVariant, RoutingTable
from assay.operate.routing.watching import Watcher
from assay.operate.serving.batching import Batches, Overloaded
from assay.operate.serving.counting import Counted, Counting
from assay.operate.serving.guarding import Guard
from assay.operate.serving.inputs import named
from assay.operate.serving.plan import Plan
from assay.operate.serving.predicting import ModelFailed, Predicting, Rows
from assay.operate.serving.recording import Part, TextClock, Work
from assay.operate.serving.shadows import Shadows
from assay.record.clock import Clock, from_us, moment, to_us
from assay.record.identity import ordered_id
from assay.record.models.registry import ModelVersion

if TYPE_CHECKING:
    from assay.operate.features.lookup import Lookup

__all__ = ["Answered", "Asked", "Engine", "Explained", "RequestError"]

_KEPT_PLANS = 8  # of tables that are not the one of now: a variant that was loaded by hand


class RequestError(Exception):
    """A request that is not answered: the HTTP `status`, `text` for its sender, and seconds until it is worth while
    to ask again.
    """

    def __init__(self, status: int, text: str, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_after = retry_after


class Asked(msgspec.Struct, kw_only=True):
    """Rows that a protocol wants predictions for: as one of `rows`, `columns` and `matrix`.

    `rows`, `ids`, `units` and `flags` are what `Engine.read` gave for `table`. `columns` are values by the name of the
    column, lists or arrays of one length, each value a number, text or None; NaN stands for None. `matrix` has the
    columns of the model in their order and is for models that take numbers only. `ids` and `units` are one for each
    row; ids are made where there are none. `forced` names the variant, `version` the number of the version, that has to
    answer. `event_ts` is the moment of a replay in the text form of `record.clock`. `explain` asks for what was looked
    up. `deadline_s` is how long the caller waits. `started_ns` is when the last byte of the request had come, by
    `time.perf_counter_ns`.
    """

    rows: Rows | None = None
    columns: Mapping[str, Sequence[Any] | NDArray[Any]] | None = None
    matrix: NDArray[np.float64] | None = None
    table: RoutingTable | None = None
    ids: list[str] | None = None
    units: list[str | None] | None = None
    forced: str | None = None
    version: int | None = None
    event_ts: str | None = None
    flags: list[dict[str, str] | None] | None = None
    explain: bool = False
    deadline_s: float | None = None
    started_ns: int = 0


class Explained(msgspec.Struct):
    """The inputs of a row that can be looked up, what their views said, and as of when."""

    values: dict[str, str | float | None]
    views: dict[str, dict[str, str | None]]
    as_of: str


class Answered(msgspec.Struct, kw_only=True):
    """Predictions that are in the log, one for each row in their order.

    `variants` are positions in `table.variants`. `outputs` are probabilities of the positive class, the predictions of
    a regressor, or with more than two classes the highest probability of a row; then `scores` has the probabilities of
    all, in the order of `classes`, and is None otherwise. `is_likely` says that these are
    probabilities. `flags` name columns whose value broke the signature and was passed on by a policy.
    """

    table: RoutingTable
    ids: list[str]
    variants: list[int]
    outputs: list[float]
    scores: list[tuple[float, ...]] | None = None
    is_likely: bool = True
    flags: list[dict[str, str] | None] | None = None
    explained: list[Explained | None] | None = None

    def variant(self, row: int) -> LoadedVariant:
        """What answered a row."""
        return self.table.variants[self.variants[row]]

    def version(self, row: int) -> ModelVersion:
        """The version that answered a row."""
        return self.variant(row).model.version

    @property
    def classes(self) -> tuple[object, ...]:
        """The classes in the order of `scores`; of a model of two classes the second is the positive one."""
        return self.variant(0).model.classes


class Engine:
    """Answers for one endpoint with the table its watcher holds. `requests` and `predictions` count what was answered,
    and `is_ready` says whether the server takes requests.

    Who opened the log closes it; `close` ends what the engine began itself.
    """

    def __init__(self, watcher: Watcher, log: LogWriter, *, deadline_s: float = 10.0, timeout_s: float = 30.0) -> None:
        self.is_ready = False
        self.requests = 0
        self.predictions = 0
        self.watcher = watcher
        self.log = log
        self.clock = Clock()
        self.counting = Counting()
        self.deadline_s = deadline_s
        self.guard = Guard(timeout_s)
        self.batches = Batches(timeout_s=timeout_s)
        self.shadows = Shadows(self._write, self.counting)
        self._plan = Plan(watcher.table, self.counting.signature)
        self._next: Plan | None = None  # of a table that the watcher is about to take over
        self._plans: OrderedDict[RoutingTable, Plan] = OrderedDict()
        self._text = TextClock()
        watcher.prepare = self._prepare

    @property
    def endpoint(self) -> str:
        """The name of the endpoint."""
        return self.watcher.endpoint

    @property
    def table(self) -> RoutingTable:
        """What answers now."""
        return self.watcher.table

    def plan_of(self, table: RoutingTable) -> Plan:
        """A table as it is used. That of now is at hand; making another takes calls of each of its models."""
        plan = self._plan
        if plan.table is table:
            return plan
        if table is self.watcher.table:  # the one before is let go, and its models with it
            ready = self._next
            self._plan = ready if ready is not None and ready.table is table else Plan(table, self.counting.signature)
            return self._plan
        known = self._plans.get(table)
        if known is None:
            known = self._plans[table] = Plan(table, self.counting.signature)
            if len(self._plans) > _KEPT_PLANS:
                self._plans.popitem(last=False)
        return known

    def _prepare(self, table: RoutingTable) -> None:
        """Make ready what answers by a table before it does, in the thread that loads it: no request waits for it."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            self._next = Plan(table, self.counting.signature)

    def now_us(self, event_ts: str | None) -> int:
        """The moment features are read as of, in microseconds after 1970: that of a replay, or now."""
        return to_us(moment(event_ts) if event_ts else self.clock.now())

    def read(self, body: bytes, **options: Any) -> Asked:
        """A body of Assay's own JSON as what is asked; `options` are further fields of it. InvalidInput says what is
        wrong with it.
        """
        started = time.perf_counter_ns()
        plan = self.plan_of(self.watcher.table)
        request = plan.inputs.read(body)
        return Asked(
            rows=request.rows,
            table=plan.table,
            ids=request.ids,
            units=request.units,
            explain=request.explain,
            flags=request.flags,
            started_ns=started,
            **options,
        )

    async def answer(self, asked: Asked) -> Answered:
        """Predict, log, and give what is in the log.

        InvalidInput for what cannot be answered as it is, RequestError where the model fails on it or cannot answer in
        time, StoreUnavailable where features cannot be read or predictions cannot be logged.
        """
        started = asked.started_ns or time.perf_counter_ns()
        plan = self.plan_of(asked.table or self.watcher.table)
        rows, flags, ids, units = asked.rows, asked.flags, asked.ids, asked.units
        if rows is None:
            checked = plan.inputs.check(asked.columns, asked.matrix)
            rows, flags = checked.rows, checked.flags
            ids, units = named(ids, units, len(rows))
        assert ids is not None, "what was read has ids and units"
        assert units is not None
        assigned = self._assigned(plan, asked, rows, ids, units)
        work = Work(plan.table, assigned, ids, units, asked.event_ts, ordered_id(), self._text.now(), flags)
        parts = []
        for position, places in _by_variant(assigned).items():
            parts.append(await self._part(plan.live[position], places, rows, asked))
        total_ns = time.perf_counter_ns() - started
        records: list[Prediction] = []
        for part in parts:
            records += work.records(part, "live", total_ns // 1000)
        self._write(records)
        self.requests += 1
        for part in parts:
            self.counting.add(part.key("live"), len(part.places), total_ns, part.model_ns)
        if plan.shadows:
            self.shadows.offer(plan.shadows, rows, work, self.now_us(asked.event_ts))
        for part in parts:
            if part.failure:
                raise RequestError(500, f"{part.predicting.called} failed on these rows: {part.failure}")
        self.predictions += len(rows)
        answered = _answered(plan.table, assigned, ids, parts, asked.explain)
        answered.flags = flags
        answered.is_likely = parts[0].predicting.is_likely
        return answered

    def counted(self) -> Counted:
        """What this worker has counted up to now."""
        counted = self.counting.counted
        log = self.log.counts
        counted.log_accepted, counted.log_written, counted.log_lost = log.accepted, log.logged, log.dropped
        counted.waiting_rows = self.batches.waiting_rows
        counted.forms = list(self.watcher.forms.values())
        return counted

    def close(self) -> None:
        """End threads; call it when no request is under way any more."""
        self.batches.close()
        self.shadows.close()

    def _assigned(
        self, plan: Plan, asked: Asked, rows: Rows, ids: list[str], units: list[str | None]
    ) -> list[Assigned]:
        if plan.only is not None and asked.forced is None and asked.version is None:
            return [plan.only] * len(rows)
        try:
            forced = plan.forced(asked.forced, asked.version)
        except KeyError:
            loaded = ", ".join(str(one.version.version) for one in plan.live)
            said = f"version {asked.version} does not answer here, expected one of {loaded}"
            raise RequestError(404, said) from None
        assigned = plan.assign(rows, [unit or id for unit, id in zip(units, ids, strict=True)], forced)
        for one in assigned:
            self.counting.reason(one.reason, 1)
        return assigned

    async def _part(self, predicting: Predicting, places: list[int] | None, rows: Rows, asked: Asked) -> Part:
        """What one variant says to its rows. A model that fails is told of in the part."""
        own = predicting.rows_of(rows if places is None else [rows[place] for place in places])
        part = Part(predicting, range(len(rows)) if places is None else places, own)
        lookup = predicting.lookup
        if lookup is not None:
            part.rows, part.looked_up = await elsewhere(
                lookup.is_remote, lookup.filled, own, self.now_us(asked.event_ts)
            )
        began = time.perf_counter_ns()
        try:
            if predicting.is_slow:
                deadline_s = asked.deadline_s or self.deadline_s
                part.outputs = await self.batches.predict(predicting, part.rows, deadline_s)
            else:
                self.guard.since = time.perf_counter()
                part.outputs = predicting.predict(part.rows)
        except ModelFailed as error:
            part.failure = str(error)
        except Overloaded as error:
            self.counting.counted.refused += 1
            raise RequestError(503, str(error), max(1, math.ceil(error.seconds))) from None
        finally:
            self.guard.since = 0.0
        part.model_ns = time.perf_counter_ns() - began
        return part

    def _write(self, records: list[Prediction]) -> None:
        self.log.append(records)


def _by_variant(assigned: list[Assigned]) -> dict[int, list[int] | None]:
    """Places of rows by the position of their variant; None for all of them."""
    first = assigned[0].variant
    if len(assigned) == 1 or all(one.variant == first for one in assigned):
        return {first: None}
    places: dict[int, list[int] | None] = {}
    for place, one in enumerate(assigned):
        known = places.setdefault(one.variant, [])
        if known is not None:
            known.append(place)
    return places


def _answered(
    table: RoutingTable, assigned: list[Assigned], ids: list[str], parts: list[Part], explain: bool
) -> Answered:
    variants = [one.variant for one in assigned]
    if len(parts) == 1:
        outputs = parts[0].outputs
        answered = Answered(table=table, ids=ids, variants=variants, outputs=outputs.numbers, scores=outputs.scores)
    else:
        numbers: list[float] = [0.0] * len(ids)
        scores: list[tuple[float, ...]] = [()] * len(ids)
        for part in parts:
            for row, place in enumerate(part.places):
                numbers[place] = part.outputs.numbers[row]
                scores[place] = part.outputs.scores[row] if part.outputs.scores else ()
        answered = Answered(table=table, ids=ids, variants=variants, outputs=numbers, scores=scores)
        answered.scores = scores if any(scores) else None
    if explain and any(part.looked_up for part in parts):
        explained: list[Explained | None] = [None] * len(ids)
        for part in parts:
            lookup = part.predicting.lookup
            for place, inputs, read in zip(part.places, part.rows, part.looked_up, strict=False):
                explained[place] = _explained(lookup, inputs, read) if lookup else None
        answered.explained = explained
    return answered


def _explained(lookup: "Lookup", row: tuple[str | float | None, ...], read: LookedUp) -> Explained:
    views = {one.view: {"status": one.status, "ts": None if one.ts is None else from_us(one.ts)} for one in read.views}
    return Explained(lookup.values(row), views, from_us(read.now_us))
