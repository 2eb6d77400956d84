"""What a look at a test saw and said, and the looks before it: the record that later looks are built on."""

from typing import Literal

import msgspec

from assay.record.canonical import canonical_json
from assay.record.store import Store

__all__ = [
    "ArmReading",
    "Counts",
    "Look",
    "MetricReading",
    "Outcome",
    "PairReading",
    "PartReading",
    "Seen",
    "Shift",
    "TestReading",
    "keep_reading",
    "seen_before",
]

Outcome = Literal["pass", "fail", "inconclusive"]


class Counts(msgspec.Struct, frozen=True):
    """Units and rows of an arm. `exposed`: units whose first row fell to it; `closed`: those that can be counted.

    `changed` units were left out because another variant answered them too. `forced` and `fallback` are rows.
    """

    exposed: int = 0
    closed: int = 0
    changed: int = 0
    forced: int = 0
    fallback: int = 0


class MetricReading(msgspec.Struct, frozen=True):
    """A metric of a challenger beside the champion.

    `effect` is challenger minus champion in the metric's own unit; what lies between `low` and `high` is compatible
    with all looks so far (null: no bound yet). `coverage` are the shares of closed units that have a value, champion
    first. `better` and `worse` say what is proven. `outcome`: pass, fail or inconclusive, in `words`; `needed_units`
    are those of both arms that are missing until it is decided if the effect stays as measured, null where none does.
    """

    metric: str
    role: str
    champion: float | None
    challenger: float | None
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    units: tuple[int, int]
    coverage: tuple[float | None, float | None]
    better: bool
    worse: bool
    outcome: Outcome
    words: str
    needed_units: int | None


class PairReading(msgspec.Struct, frozen=True):
    """A metric in pairs of a shadow test. An unpaired test of the same sharpness would take `unpaired_units`.

    Of `wrong`: units on whose first labelled row just one was right, the challenger (`better`) or the champion, and the
    exact P-value of a fair coin, which may be looked at at any time.
    """

    units: int
    pairs: int
    unpaired_units: int | None
    better: int | None
    worse: int | None
    exact_p: float | None


class Shift(msgspec.Struct, frozen=True):
    """How a shadow answers beside the champion, before any label: of `rows` some have no answer of it, or an error.

    `disagreement` is the share of rows with another decision at the threshold; `mean_shift` by how much the outputs are
    higher, with an interval that holds at all looks.
    """

    rows: int
    without_shadow: int
    failed: int
    disagreement: float | None
    mean_shift: float | None
    low: float | None
    high: float | None


class ArmReading(msgspec.Struct, frozen=True):
    """A challenger: the verdict on it and the metrics that it rests on."""

    arm: str
    version: int
    outcome: Outcome
    words: str
    metrics: list[MetricReading]
    shift: Shift | None = None
    pairs: dict[str, PairReading] | None = None


class PartReading(msgspec.Struct, frozen=True):
    """A part of the units: the effect of an arm on a metric there, as measured and drawn towards that of all parts.

    `p_value` is that of "as in the other parts", adjusted for their number; `p_interaction` of "the same everywhere".
    `differs` is all that may be claimed.
    """

    arm: str
    metric: str
    part: str
    units: tuple[int, int]
    effect: float | None
    shrunk: float | None
    p_value: float
    p_interaction: float
    differs: bool


class Look(msgspec.Struct):
    """What all looks at one metric of one arm say together."""

    low: float | None = None
    high: float | None = None
    p_value: float = 1.0
    effect: float | None = None


class Seen(msgspec.Struct):
    """What looks leave behind for the next. `srm_p` and `coverage_p` are the smallest so far, coverage by metric.

    `fractions` are those of the planned end at which a look of a group sequential or fixed test was taken; `looks` go
    by arm and metric.
    """

    srm_p: float = 1.0
    coverage_p: dict[str, float] = {}
    fractions: list[float] = []
    looks: dict[str, dict[str, Look]] = {}
    empty: list[str] = []


class TestReading(msgspec.Struct, frozen=True):
    """A look at a test: what was known at `as_of`, the verdict, and what is still needed.

    `held` says why nothing may be decided although the numbers would: shares that cannot be chance. `needed_units` and
    `needed_days` are those until the last metric is decided if all stays as measured.
    """

    __test__ = False  # pytest takes it for tests otherwise

    test: str
    test_id: str
    endpoint: str
    kind: str
    status: str
    as_of: str
    design: str
    phase: int
    outcome: Outcome
    words: list[str]
    held: list[str]
    arms: list[ArmReading]
    counts: dict[str, Counts]
    srm_p: float
    needed_units: int | None
    needed_days: float | None
    seen: Seen
    seq: int | None = None
    parts: list[PartReading] | None = None


def keep_reading(store: Store, reading: TestReading) -> TestReading:
    """Append a reading to those of its test; what comes back has its number."""
    with store.transaction():
        last = store.query("test_reading", {"test_id": reading.test_id}, order_by=["-seq"], limit=1)
        seq = last[0]["seq"] + 1 if last else 1
        kept = msgspec.structs.replace(reading, seq=seq)
        row = {"test_id": reading.test_id, "seq": seq, "as_of": reading.as_of, "outcome": reading.outcome}
        store.append("test_reading", {**row, "detail": canonical_json(msgspec.to_builtins(kept))})
    return kept


def seen_before(store: Store, test_id: str, as_of: str) -> Seen:
    """What the looks before `as_of` left; nothing where there was none."""
    where = {"test_id": test_id, "as_of <": as_of}
    last = store.query("test_reading", where, order_by=["-as_of", "-seq"], limit=1)
    return msgspec.json.decode(last[0]["detail"], type=TestReading).seen if last else Seen()
