"""Online tests of two equal variants, whole: rows of a log and late labels through units and sums to verdicts.

Many tests are one log: a unit's name begins with the number of its test, and its values are summed by the look before
which they became final. Every look is then judged as `assay test status` judges it, on what the looks before it left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
from benchmarks.simulations.figures import Row, Share
from tests.operate.online_tests.online_rows import DAY, HOUR, a_test, labels_of, log_of

from assay.build.data.sql import own_database
from assay.operate.online_tests.aggregating import ARMS, ExactSums, cell_sums
from assay.operate.online_tests.definition import Design, OnlineTest
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.judging import effects_of, fraction_of
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.readings import Seen
from assay.operate.online_tests.status import judge
from assay.operate.online_tests.units import make_labels, make_parts, make_values, windows_of

__all__ = ["DESIGNS", "NAIVE", "nothing_found"]

_VISITS, _LASTS, _AT_ONCE = 3, 20 * DAY, 50
_PLANNED = 250  # units of each variant, of about 300 that come

DESIGNS = {
    "at will": Design(n=_PLANNED),
    "planned looks, O'Brien-Fleming": Design("group", n=_PLANNED, looks=10),
    "planned looks, Pocock": Design("group", n=_PLANNED, looks=10, spending="pocock"),
    "one look": Design("fixed", n=_PLANNED),
}
NAIVE = "a 5 % test at each look"

_METRICS = (
    Metric(name="late", direction="up", kind="ratio", maturity="1d"),
    Metric(name="sure", numerator="output", direction="up", covariate="before", maturity="1d"),
    Metric(name="slow", numerator="slow", slo_ms=10.0, role="guardrail", margin=0.05, maturity="1d"),
)


def nothing_found(seed: int, tests: int, looks: int = 100, units: int = 600) -> list[Row]:
    """How many of the tests call a success metric, a harmed guardrail, or hold, at any look: nothing is there."""
    called = {name: np.zeros(3, np.int64) for name in (NAIVE, *DESIGNS)}
    for start in range(0, tests, _AT_ONCE):
        for looked in _looked(np.random.default_rng([seed, 31, start]), min(_AT_ONCE, tests - start), looks, units):
            for name, found in looked.items():
                called[name] += found
    headings = ("success called", "guardrail called", "held")
    return [
        Row(
            {"design": name}, {what: Share(n / tests, tests) for what, n in zip(headings, counts.tolist(), strict=True)}
        )
        for name, counts in called.items()
    ]


def _looked(
    generator: np.random.Generator, tests: int, looks: int, units: int
) -> Iterator[dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]]:
    """Of each test what each design called at any look."""
    made = _Made.of(generator, tests, looks, units)
    plain = a_test(*_METRICS)
    for number in range(tests):
        evidence, seen = Evidence(_LASTS + 3 * DAY, 0), {name: Seen() for name in DESIGNS}
        found = {name: np.zeros(3, np.int64) for name in (NAIVE, *DESIGNS)}
        for look in range(looks):
            made.add(evidence, number * looks + look)
            effects = effects_of(plain, evidence)
            usual = [effects["v2"][metric.name].p_value() <= 0.05 for metric in _METRICS]
            found[NAIVE] |= np.array([any(usual[:2]), usual[2], False])
            for name, design in DESIGNS.items():
                test = msgspec.structs.replace(plain, design=design)
                if not _is_look(test, fraction_of(test, effects), seen[name]):
                    continue
                reading = judge(test, evidence, seen[name], "1970-01-23T00:00:00.000000Z", effects)
                metrics = reading.arms[0].metrics
                success = any(one.better or one.worse for one in metrics if one.role == "success")
                harmed = any(one.outcome == "fail" for one in metrics if one.role == "guardrail")
                found[name] |= np.array([success, harmed, bool(reading.held)])
        yield found


def _is_look(test: OnlineTest, fraction: float, seen: Seen) -> bool:
    """Whether a planned look is due; judging between them changes nothing and takes its time."""
    design = test.design
    if design.kind == "anytime":
        return True
    planned = 1 if design.kind == "fixed" else design.looks
    passed = int((seen.fractions or [0.0])[-1] * planned + 1e-9)
    return int(min(1.0, fraction) * planned + 1e-9) > passed


@dataclass
class _Made:
    """Sums, closed and exposed units, by test and look (as a phase) and arm."""

    sums: dict[tuple[int, int, str], ExactSums]
    closed: dict[tuple[int, int], int]
    exposed: dict[tuple[int, int], int]

    @classmethod
    def of(cls, generator: np.random.Generator, tests: int, looks: int, units: int) -> "_Made":
        """A log of units that return within their window, each in its own way; some labels are late, some lost."""
        log, labels = _log(generator, tests, units)
        connection = own_database()
        connection.register("log", log)
        (windowed,) = windows_of(_METRICS)
        make_parts(connection, "log", experiment="T", variants=["champion", "v2"], as_of_us=2**60)
        tables = make_labels(connection, {"label": labels})
        make_values(connection, "unit_values", windowed, tables, as_of_us=2**60, log="log", champion="m0")
        number = (
            f"split_part(unit, '-', 1)::integer * {looks} + least({{0}} * {looks} // {_LASTS}, {looks - 1})::integer"
        )
        ready = number.format(f"(begun + {windowed.closes_us})")
        table = f"(select * replace (({ready}) * {ARMS} + arm as cell) from unit_values where cell is not null)"
        sums, _ = cell_sums(connection, table, windowed.metrics)
        counted = "select ({0})::integer, arm, count(*) from {1} group by all"
        closed, exposed = (
            {(at, arm): n for at, arm, n in connection.execute(counted.format(*of)).fetchall()}
            for of in ((ready, "unit_values"), (number.format("begun"), "first"))
        )
        return cls(sums, closed, exposed)

    def add(self, evidence: Evidence, at: int) -> None:
        """Let a look see what is new."""
        for arm in (0, 1):
            evidence.exposed[1, arm] = evidence.exposed.get((1, arm), 0) + self.exposed.get((at, arm), 0)
            for metric in _METRICS:
                place = (1, arm, metric.name)
                evidence.closed[place] = evidence.closed.get(place, 0) + self.closed.get((at, arm), 0)
                if (at, arm, metric.name) in self.sums:
                    evidence.sums.setdefault(place, ExactSums()).add(self.sums[at, arm, metric.name])


def _log(generator: np.random.Generator, tests: int, units: int) -> tuple[pa.Table, pa.Table]:
    many = tests * units
    unit = np.repeat(np.arange(many), _VISITS)
    rows = len(unit)
    begun = generator.integers(0, 17 * DAY, many)[unit] + 8 * DAY
    later = generator.integers(0, DAY, rows) * (np.arange(rows) % _VISITS > 0)
    habit = generator.beta(0.5, 0.5, many)[unit]
    own = generator.normal(0.0, 1.0, many)[unit]
    arm = generator.integers(0, 2, many)[unit]
    names = [f"{one // units}-{one}" for one in unit.tolist()]
    log = log_of(
        moment=begun + later - 8 * DAY,
        unit=names,
        variant=["v2" if one else "champion" for one in arm.tolist()],
        output=own + generator.normal(0.0, 1.0, rows),
        latency_us=np.where(generator.random(rows) < 0.1 + 0.2 * habit, 20_000, 5000).tolist(),
    )
    before = log_of(  # an earlier visit of the same unit, before the test: its covariate
        moment=begun[::_VISITS] - 9 * DAY,
        unit=names[::_VISITS],
        variant=["champion"] * many,
        id=[f"b{place}" for place in range(many)],
        output=own[::_VISITS] + generator.normal(0.0, 1.0, many),
    )
    column = before.schema.get_field_index("experiment")
    before = before.set_column(column, "experiment", pa.array([None] * many, pa.string()))
    kept = np.flatnonzero(generator.random(rows) < 0.8)
    happened = (begun + later - 8 * DAY)[kept] + generator.integers(0, 30 * HOUR, len(kept))
    values = (generator.random(len(kept)) < habit[kept]).astype(np.float64)
    labels = labels_of([f"p{place}" for place in kept.tolist()], values, happened)
    return pa.concat_tables([log, before]), labels
