"""A test as it was written down before it began, and its phases since: read from the store."""

from typing import Literal

import msgspec

from assay.errors import InvalidInput, NotFound, nearest
from assay.operate.online_tests.metric import Metric
from assay.record.store import Row, Store
from assay.stats.anytime import TUNING
from assay.stats.group_sequential import Spending

__all__ = ["Arm", "Design", "OnlineTest", "Phase", "all_tests", "find_test", "online_test_of"]


class Arm(msgspec.Struct, frozen=True):
    """A version in a test under its name at the endpoint; the champion's comes first."""

    name: str
    mv_id: str
    hash: str
    model: str
    version: int


class Design(msgspec.Struct, frozen=True):
    """How often may be looked, and how sure one is: `alpha` is the probability of finding what is not there.

    `anytime`: at any time, and stop at any time; `n`, units of each variant, only says where it is to be sharpest.
    `group`: at `looks` planned looks on the way to `n`, a Lan-DeMets plan. `fixed`: once, when there are `n`.
    """

    kind: Literal["anytime", "group", "fixed"] = "anytime"
    alpha: float = 0.05
    n: int | None = None
    looks: int = 5
    spending: Spending = "obrien-fleming"

    @property
    def tuning(self) -> float:
        """Units of both variants at which intervals that hold at any time are sharpest."""
        return 2.0 * self.n if self.n else TUNING


class Phase(msgspec.Struct, frozen=True):
    """A time of constant shares. `coverage` of 10,000 units take part; `weights` are those of the arms, in order."""

    phase: int
    revision: int
    started: str
    ended: str | None
    weights: tuple[int, ...]
    coverage: int


class OnlineTest(msgspec.Struct, frozen=True):
    """A test: its arms (champion first), what is measured, by which design, and its phases.

    `kind` is `ab`, `shadow` (challengers answer beside the champion, and nobody gets their answers) or `bandit`, whose
    weights follow what was found, above `floor` for each arm. `rollout` is the release that it belongs to, if any.
    """

    test_id: str
    name: str
    endpoint: str
    model: str
    kind: Literal["ab", "shadow", "bandit"]
    status: Literal["running", "stopped"]
    started: str
    ended: str | None
    outcome: str | None
    reason: str | None
    decision: int
    arms: tuple[Arm, ...]
    metrics: tuple[Metric, ...]
    design: Design
    salt: str
    segment: str | None
    floor: float
    rollout: str | None
    phases: tuple[Phase, ...]

    @property
    def names(self) -> list[str]:
        """The arms by name."""
        return [arm.name for arm in self.arms]

    def metric(self, name: str) -> Metric:
        """One of its metrics; NotFound with the nearest spelling."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        known = [metric.name for metric in self.metrics]
        close = nearest(name, known)
        raise NotFound(
            f"test {self.name!r} has no metric {name!r}",
            expected=", ".join(known),
            hint=f"did you mean {close!r}?" if close else None,
        )


class _Detail(msgspec.Struct):
    arms: tuple[Arm, ...]
    metrics: tuple[Metric, ...]
    design: Design
    salt: str
    segment: str | None = None
    floor: float = 0.0


class _Shares(msgspec.Struct):
    weights: tuple[int, ...]
    coverage: int


def find_test(store: Store, test: str | None) -> OnlineTest:
    """A test by its name (the newest of that name) or the first characters of its id; None means the newest of all."""
    rows = store.query("online_test", order_by=["-started", "-test_id"])
    if not rows:
        raise NotFound("there is no test yet", where=store.location, hint="assay test new ENDPOINT VERSION")
    if test is None:
        return online_test_of(store, rows[0])
    named = [row for row in rows if row["name"] == test]
    by_id = [row for row in rows if row["test_id"].startswith(test)] if not named else []
    if len(by_id) > 1:
        raise InvalidInput(f"{len(by_id)} tests have an id that begins with {test!r}", expected="more characters of it")
    if not named and not by_id:
        names = sorted({row["name"] for row in rows})
        close = nearest(test, names)
        raise NotFound(
            f"there is no test {test!r}",
            where=store.location,
            expected=", ".join(names[:8]),
            hint=f"did you mean {close!r}?" if close else "assay test ls",
        )
    return online_test_of(store, (named or by_id)[0])


def all_tests(store: Store, endpoint: str | None = None, *, running: bool = False) -> list[OnlineTest]:
    """Tests, newest first."""
    where: dict[str, object] = {"endpoint": endpoint} if endpoint else {}
    if running:
        where["status"] = "running"
    rows = store.query("online_test", where, order_by=["-started", "-test_id"])
    return [online_test_of(store, row) for row in rows]


def online_test_of(store: Store, row: Row) -> OnlineTest:
    """The test that a row of `online_test` says."""
    detail = msgspec.json.decode(row["detail"], type=_Detail)
    phases = []
    for phase in store.query("test_phase", {"test_id": row["test_id"]}, order_by=["phase"]):
        shares = msgspec.json.decode(phase["detail"], type=_Shares)
        phases.append(
            Phase(phase["phase"], phase["revision"], phase["started"], phase["ended"], shares.weights, shares.coverage)
        )
    kept = (
        "test_id",
        "name",
        "endpoint",
        "model",
        "kind",
        "status",
        "started",
        "ended",
        "outcome",
        "reason",
        "decision",
    )
    return OnlineTest(
        **{name: row[name] for name in kept},
        rollout=row["rollout_id"],
        phases=tuple(phases),
        **{name: getattr(detail, name) for name in _Detail.__struct_fields__},
    )
