"""Looking at a release again and again: what is new in the log is counted, and what it proves is done.

Any number of processes may look; the one that holds the lease acts. One that has died is taken over after the lease.
"""

from datetime import datetime, timedelta
from importlib import metadata

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import Conflict
from assay.operate.online_tests.definition import find_test
from assay.operate.online_tests.following import FollowedTest
from assay.operate.online_tests.status import read_test
from assay.operate.predictions.columns import empty_table
from assay.operate.predictions.tail import Tail
from assay.operate.releases.approved import awaited
from assay.operate.releases.counts import Baseline, Counts, Tally
from assay.operate.releases.deciding import Decision, Inputs, Quality, decide_next
from assay.operate.releases.log_rows import log_rows
from assay.operate.releases.moving import carry_out
from assay.operate.releases.quality import keep_quality
from assay.operate.releases.records import (
    LIVE,
    Detail,
    Event,
    Look,
    PhaseRecord,
    Rollout,
    add_event,
    open_rollout,
    phases_with,
    rollout_of,
    save,
)
from assay.record.canonical import canonical_json
from assay.record.clock import iso, moment
from assay.record.identity import new_id
from assay.record.row_leases import take_lease
from assay.record.store import Store

__all__ = ["TICK_S", "EndpointTicker", "Ticker", "baseline_of", "tick", "tick_endpoint"]

TICK_S = 0.5
_LEASE = timedelta(seconds=5)
_BEFORE = timedelta(hours=1)
_READING = timedelta(seconds=30)
_COLUMNS = [
    "id", "mv_id", "revision", "role", "reason", "unit", "propensity", "output", "status", "latency_us", "flags",
]  # fmt: skip
_EMPTY = empty_table().select(_COLUMNS)
_CUTS = np.linspace(0.1, 0.9, 9)
_LEAST_FOR_BASELINE = 200  # answers of the champion that its quantiles are taken from
_MOST_FOR_BASELINE = 100_000
_SLOW = 0.99


class Ticker:
    """Looks at one release. What it has counted stays in memory; a new one reads the log of the release again."""

    def __init__(self, store: Store, rollout: Rollout) -> None:
        self.store = store
        self.rollout_id = rollout.rollout_id
        self.endpoint = rollout.endpoint
        self.holder = new_id()
        self._quality: Quality | None = None
        self._test: FollowedTest | None = None
        self._next_reading: datetime | None = None
        self._begin(rollout)

    def _begin(self, rollout: Rollout) -> None:
        """Count from the start of the release; what was logged shortly before it says what the champion is like."""
        baseline = rollout.detail.baseline
        slo_ms = rollout.detail.rules.slo_ms
        self._baseline = baseline if baseline.cuts or slo_ms is None else Baseline((), round(slo_ms * 1000))
        self._tail = Tail(self.store, self.endpoint, since=moment(rollout.started) - _BEFORE)
        self._tallies: dict[int, Tally] = {}
        self._before = _EMPTY.select(["output", "latency_us"])
        self._early = _EMPTY

    def tick(self, now: datetime | None = None) -> Event | None:
        """Count what is new and do what it proves; the event, or None where there is nothing to do yet.

        None also where another process holds the lease, or the release is over.
        """
        moment_now = now or self.store.clock.now()
        rollout = self._leased(moment_now)
        if rollout is None:
            return None
        rollout = self._overtaken(rollout)
        if rollout.status not in LIVE:
            return None
        rollout, changed = self._count(rollout)
        inputs = self.inputs(rollout, moment_now)
        decision = decide_next(inputs)
        # The test on labels takes its time, and may fail: proven harm waits for neither.
        if decision.choice != "rollback" and self._read_quality(rollout, moment_now):
            changed = True
            inputs = self.inputs(rollout, moment_now)
            decision = decide_next(inputs)
        if self._rests_on_quality(inputs, decision):
            self._read_whole(moment_now)
            inputs = self.inputs(rollout, moment_now)
            decision = decide_next(inputs)
        if decision.choice in ("advance", "promote"):
            inputs = msgspec.structs.replace(inputs, awaited=awaited(self.store, rollout, moment_now))
            decision = decide_next(inputs)
        try:
            event = carry_out(self.store, rollout, inputs, decision)
        except Conflict:  # somebody moved the release or the route meanwhile: look again with the next tick
            return None
        if event is None and (changed or rollout.detail.look is None):
            self._show(rollout, Look(inputs, decision))
        return event

    def inputs(self, rollout: Rollout, now: datetime) -> Inputs:
        """All that is decided from, as it stands now."""
        counts = {number: tally.counts for number, tally in self._tallies.items()}
        step = rollout.now.step
        begun = min(phase.started for phase in rollout.detail.phases if phase.step == step)
        phases = phases_with(rollout, counts)
        frozen = msgspec.json.decode(msgspec.json.encode(phases), type=tuple[type(phases[0]), ...])  # type: ignore[misc]
        return Inputs(
            rules=rollout.detail.rules,
            steps=rollout.detail.steps,
            step=rollout.step,
            held=rollout.status == "held",
            elapsed_s=int((now - moment(begun)).total_seconds()),
            phases=frozen,
            judged=self._judged(rollout),
            quality=self._quality,
            as_of=iso(now),
            code=metadata.version("assay-mlops"),
        )

    def _read_quality(self, rollout: Rollout, now: datetime) -> bool:
        """Look at the test on labels now and then, less often the longer it runs; says whether it was looked at."""
        test_id = rollout.detail.test_id
        if self._test is not None and self._test.test_id != test_id:
            self._test.forget()
            self._test = self._quality = self._next_reading = None
        if test_id is None or (self._next_reading is not None and now < self._next_reading):
            return False
        self._test = self._test or FollowedTest(self.store, test_id)
        self._quality = keep_quality(self.store, self._test.read(self.store.clock.event or now))
        self._next_reading = now + max(_READING, (now - moment(rollout.now.started)) / 100)
        return True

    def _rests_on_quality(self, inputs: Inputs, decision: Decision) -> bool:
        """Whether something is to be done that would not be done without the test on labels."""
        if inputs.quality is None or decision.choice not in ("advance", "promote", "rollback"):
            return False
        return decide_next(msgspec.structs.replace(inputs, quality=None)).choice != decision.choice

    def _read_whole(self, now: datetime) -> None:
        """Read the test out of the whole log: what is done rests on nothing that was only in memory."""
        assert self._quality is not None
        test, said = find_test(self.store, self._quality.test_id), self._quality.verdict
        self._quality = keep_quality(self.store, read_test(self.store, test, self.store.clock.event or now))
        if self._quality.verdict != said and self._test is not None:
            self._test.forget()

    def _judged(self, rollout: Rollout) -> tuple[str, ...]:
        missing = set()
        if self._baseline.slow_us is None:
            missing.add("slow")
        if rollout.detail.steps[rollout.step].kind == "shadow" and rollout.detail.rules.slo_ms is None:
            missing.add("slow")
        if not self._baseline.cuts:
            missing.add("shift")
        return tuple(name for name in rollout.detail.rules.guardrails if name not in missing)

    def _leased(self, now: datetime) -> Rollout | None:
        """The release, where this process may act on it: it has the lease, or takes it now."""
        rows = self.store.query("rollout", {"rollout_id": self.rollout_id, "status in": list(LIVE)})
        if not rows:
            return None
        key = {"rollout_id": self.rollout_id}
        ours = take_lease(self.store, "rollout", key, rows[0], self.holder, _LEASE, now=now)
        return rollout_of(rows[0]) if ours else None

    def _overtaken(self, rollout: Rollout) -> Rollout:
        """End the release where somebody else has changed the route: the endpoint is theirs now."""
        newer = {"endpoint": self.endpoint, "revision >": rollout.now.revision}
        rows = self.store.query("route", newer, order_by=["revision"], limit=1)
        if not rows:
            return rollout
        reason = f"the route was changed by {rows[0]['actor']} (revision {rows[0]['revision']})"
        with self.store.transaction():
            ended = save(self.store, rollout, status="stopped", reason=reason)
            add_event(self.store, self.rollout_id, "stop", rollout.step, reason, ledger=rows[0]["decision"])
        return ended

    def _count(self, rollout: Rollout) -> tuple[Rollout, bool]:
        """Take in what is new; the release, with what the champion is compared by once that is known."""
        found = pa.concat_tables([self._early, self._new()])
        if not rollout.detail.baseline.cuts:
            rollout, found = self._look_back(rollout, found)
        revisions = found["revision"].to_numpy()
        self._early = found.filter(revisions > rollout.now.revision)  # of a phase that somebody else has begun
        for phase in rollout.detail.phases:
            tally = self._tally(rollout, phase)
            rows = found.filter(revisions == phase.revision)
            if rows.num_rows:
                self._add(rollout, tally, rows)
        return rollout, bool(found.num_rows)

    def _new(self) -> pa.Table:
        return self._tail.read_new().select(_COLUMNS)

    def _tally(self, rollout: Rollout, phase: PhaseRecord) -> Tally:
        if phase.phase not in self._tallies:
            paired = rollout.detail.steps[phase.step].kind == "shadow"
            self._tallies[phase.phase] = Tally(paired, self._baseline, Counts())
        return self._tallies[phase.phase]

    def _add(self, rollout: Rollout, tally: Tally, rows: pa.Table) -> None:
        rules = rollout.detail.rules
        slow_us = None if tally.paired and rules.slo_ms is None else self._baseline.slow_us
        tally.add(log_rows(rows, rollout.detail.challenger.mv_id, slow_us, by_row=rules.count == "row"))

    def _look_back(self, rollout: Rollout, found: pa.Table) -> tuple[Rollout, pa.Table]:
        """Set the cuts and the limit of slowness once the champion has answered enough; then count from the start."""
        own = pc.and_(pc.equal(found["mv_id"], rollout.detail.champion.mv_id), pc.equal(found["role"], "live"))
        answers = found.filter(own).select(["output", "latency_us"])
        self._before = pa.concat_tables([self._before, answers])[-_MOST_FOR_BASELINE:]
        baseline = baseline_of(self._before, rollout.detail.rules.slo_ms)
        if not baseline.cuts:
            self._baseline = baseline
            return rollout, found
        detail: Detail = msgspec.structs.replace(rollout.detail, baseline=baseline)
        known = save(self.store, rollout, detail=detail)
        self._begin(known)
        return known, self._new()

    def _show(self, rollout: Rollout, look: Look) -> None:
        """Keep what this look found, for people to see."""
        detail = canonical_json(msgspec.to_builtins(msgspec.structs.replace(rollout.detail, look=look)))
        expect = {"status": rollout.status, "step": rollout.step, "lease": self.holder}
        try:
            self.store.amend("rollout", {"rollout_id": self.rollout_id}, {"detail": detail}, expect=expect)
        except Conflict:
            return  # it was moved on meanwhile, and shows what it was moved by


def baseline_of(answers: pa.Table, slo_ms: float | None) -> Baseline:
    """What the champion is compared by; without cuts where it has answered too little.

    The limit of slowness is the SLO, or what 99 of 100 of its answers were no slower than.
    """
    slow_us = None if slo_ms is None else round(slo_ms * 1000)
    outputs = answers["output"].to_numpy().astype(np.float64)
    outputs = outputs[np.isfinite(outputs)]
    if len(outputs) < _LEAST_FOR_BASELINE:
        return Baseline((), slow_us)
    if slow_us is None:
        slow_us = int(np.quantile(answers["latency_us"].to_numpy(), _SLOW, method="higher"))
    return Baseline(tuple(float(cut) for cut in np.unique(np.quantile(outputs, _CUTS, method="lower"))), slow_us)


class EndpointTicker:
    """Looks at whatever release is open at an endpoint; a server calls `tick` twice a second beside its work."""

    def __init__(self, store: Store, endpoint: str) -> None:
        self._store = store
        self._endpoint = endpoint
        self._ticker: Ticker | None = None

    def tick(self) -> Event | None:
        """One look; what came of it, None where nothing did or no release is open."""
        rollout = open_rollout(self._store, self._endpoint)
        if rollout is None:
            self._ticker = None
            return None
        if self._ticker is None or self._ticker.rollout_id != rollout.rollout_id:
            self._ticker = Ticker(self._store, rollout)
        return self._ticker.tick()


def tick(store: Store, rollout: Rollout, now: datetime | None = None) -> Event | None:
    """One look at a release from its log; to look again and again, keep a `Ticker`."""
    return Ticker(store, rollout).tick(now)


def tick_endpoint(store: Store, endpoint: str) -> Event | None:
    """One look at the release of an endpoint from its log; to look again and again, keep an `EndpointTicker`."""
    return EndpointTicker(store, endpoint).tick()
