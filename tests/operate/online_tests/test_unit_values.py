"""Which rows and labels count for a unit, and when: each rule by hand."""

from collections.abc import Sequence
from typing import Literal

import pyarrow as pa
import pytest
from tests.operate.online_tests.online_rows import DAY, HOUR, a_test, labels_of, log_of

from assay.build.data.sql import own_database
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.gathering import evidence_in
from assay.operate.online_tests.metric import Metric
from assay.stats.effects import Sums

NOTHING = labels_of([], [], [])


def _evidence(log: pa.Table, metric: Metric, labels: pa.Table = NOTHING, as_of: int = 30 * DAY) -> Evidence:
    connection = own_database()
    connection.register("log", log)
    return evidence_in(connection, "log", {"label": labels}, a_test(metric), as_of)


def _sums(found: Evidence, arm: int = 0, phase: int = 1) -> Sums:
    (sums,) = [sums for key, sums in found.sums.items() if key[:2] == (phase, arm)]
    return sums.sums(ratio=sums.terms.get("d") is not None)


def _label(
    kind: Literal["mean", "total", "proportion", "ratio"] = "mean", missing: Literal["excluded", "zero"] = "excluded"
) -> Metric:
    return Metric(name="m", numerator="label", kind=kind, direction="up", maturity="1h", window="1d", missing=missing)


def _one_unit(moments: Sequence[int], labels: Sequence[float], metric: Metric, as_of: int = 30 * DAY) -> Sums:
    log = log_of(moment=moments, unit=["u"] * len(moments), variant=["champion"] * len(moments))
    told = labels_of([f"p{n}" for n in range(len(labels))], labels, [one + HOUR // 2 for one in moments[: len(labels)]])
    return _sums(_evidence(log, metric, told, as_of))


def test_a_unit_is_one_value_however_many_rows_it_has() -> None:
    moments, labels = [0, HOUR, 2 * HOUR, 3 * HOUR], [1.0, 0.0, 1.0, 1.0]
    assert _one_unit(moments, labels, _label()) == Sums(n=1, y=0.75, yy=0.5625)
    assert _one_unit(moments, labels, _label("total")) == Sums(n=1, y=3.0, yy=9.0)
    assert _one_unit(moments, labels, _label("proportion")) == Sums(n=1, y=1.0, yy=1.0)
    assert _one_unit(moments, labels, _label("ratio")) == Sums(n=1, y=3.0, yy=9.0, d=4.0, dd=16.0, yd=12.0, ratio=True)


def test_rows_after_the_window_do_not_count() -> None:
    assert _one_unit([0, DAY, DAY + 1], [1.0, 1.0, 0.0], _label("total")).y == 2.0


def test_a_unit_enters_when_its_window_and_its_labels_are_over_and_not_before() -> None:
    log = log_of(moment=[5], unit=["u"], variant=["champion"])
    told = labels_of(["p0"], [1.0], [6])
    closes = 5 + DAY + HOUR
    assert not _evidence(log, _label(), told, closes - 1).sums
    assert _sums(_evidence(log, _label(), told, closes)).n == 1


def test_a_row_without_a_unit_is_its_own_and_waits_for_its_label_only() -> None:
    log = log_of(moment=[0, 0], unit=[None, None], variant=["champion"] * 2)
    told = labels_of(["p0", "p1"], [1.0, 0.0], [1, 1])
    assert _sums(_evidence(log, _label(), told, HOUR)) == Sums(n=2, y=1.0, yy=1.0)


def test_a_label_that_happened_too_late_counts_as_none() -> None:
    log = log_of(moment=[0, 0], unit=["u", "v"], variant=["champion"] * 2)
    told = labels_of(["p0", "p1"], [1.0, 1.0], [HOUR, HOUR + 1])
    found = _evidence(log, _label(), told)
    assert _sums(found).n == 1
    assert found.coverage(_label(), 0) == 0.5
    assert _sums(_evidence(log, _label(missing="zero"), told)) == Sums(n=2, y=1.0, yy=1.0)


def test_a_unit_belongs_to_the_phase_and_variant_of_its_first_row() -> None:
    log = log_of(moment=[0, HOUR, 5 * DAY], unit=["u"] * 3, variant=["v2"] * 3, phase=[1, 2, 2])
    found = _evidence(log, Metric(name="m", numerator="rows", kind="total", direction="up"))
    assert list(found.sums) == [(1, 1, "m")]
    assert found.sums[1, 1, "m"].sums(ratio=False).y == 2.0


@pytest.mark.parametrize("reason", ["hash", "forced"])
def test_a_unit_that_two_variants_answered_says_nothing_about_either(reason: str) -> None:
    log = log_of(moment=[0, HOUR], unit=["u"] * 2, variant=["champion", "v2"], reason=["hash", reason])
    found = _evidence(log, Metric(name="m", numerator="error"))
    assert not found.sums
    assert found.counts(a_test(Metric(name="m", numerator="error")))["champion"].changed == 1
    assert found.exposed == {(1, 0): 1}, "the check of the shares still counts it"


def test_forced_rows_and_those_that_fell_back_are_counted_and_not_analysed() -> None:
    log = log_of(
        moment=[0, 1, 2, 3],
        unit=["u", "u", "f", "g"],
        variant=["v2", "champion", "v2", "champion"],
        reason=["hash", "fallback", "forced", "fallback"],
    )
    found = _evidence(log, Metric(name="m", numerator="rows", kind="total", direction="up"))
    assert found.sums[1, 1, "m"].n == 1
    assert found.sums[1, 1, "m"].sums(ratio=False).y == 1.0
    assert (found.forced, found.fallback) == ({1: 1}, {0: 2})


def test_labels_that_name_a_unit_count_once_for_it() -> None:
    log = log_of(moment=[0, HOUR], unit=["u", "u"], variant=["champion"] * 2)
    told = labels_of([None, None], [20.0, 5.0], [2, 26 * HOUR], unit=["u", "u"], event=["a", "b"])
    assert _sums(_evidence(log, _label("total", missing="zero"), told)).y == 20.0
    assert _sums(_evidence(log, _label("proportion", missing="zero"), told)).y == 1.0


def test_how_a_request_was_served_needs_no_label() -> None:
    log = log_of(
        moment=[0, 0], unit=["u", "v"], variant=["champion"] * 2, status=["ok", "error"], latency_us=[5000, 30_000]
    )
    assert _sums(_evidence(log, Metric(name="m", numerator="error"))).y == 1.0
    assert _sums(_evidence(log, Metric(name="m", numerator="slow", slo_ms=20))).y == 1.0
    assert _sums(_evidence(log, Metric(name="m", numerator="latency_ms"))).y == 35.0


def test_what_was_known_before_the_test_is_the_covariate() -> None:
    log = log_of(
        moment=[10 * DAY, 11 * DAY, 20 * DAY, 1 * DAY],
        unit=["u"] * 4,
        variant=["champion"] * 4,
        reason=["only", "only", "hash", "only"],
        latency_us=[2000, 4000, 9000, 700_000],
    ).set_column(2, "experiment", pa.array([None, None, "T", None], pa.string()))
    metric = Metric(name="m", numerator="latency_ms", covariate="before", lookback="2w")
    assert _sums(_evidence(log, metric)) == Sums(n=1, y=9.0, yy=81.0, x=3.0, xx=9.0, xy=27.0)


def test_the_champions_own_answer_to_the_same_row_is_a_covariate() -> None:
    log = log_of(
        id=["a", "a"], moment=[0, 0], unit=["u"] * 2, variant=["v2", "champion-shadow"], role=["live", "shadow"],
        mv_id=["m1", "m0"], output=[0.9, 0.25],
    )  # fmt: skip
    told = labels_of(["a"], [1.0], [1])
    brier = Metric(name="m", numerator="brier", maturity="1h", window="0s", covariate="champion")
    sums = _sums(_evidence(log, brier, told), arm=1)
    assert sums.x == pytest.approx(0.25 * 0.75, abs=1e-8), "the loss that the champion expects of itself"
    assert sums.y == pytest.approx(0.01, abs=1e-8)
    label = Metric(name="m", direction="up", maturity="1h", window="0s", covariate="champion")
    assert _sums(_evidence(log, label, told), arm=1).x == 0.25


def test_sums_are_exact_whatever_the_size_of_the_values() -> None:
    large = [int(one) for one in (10**9, 3 * 10**9, 1)]
    log = log_of(moment=[0] * 3, unit=["a", "b", "c"], variant=["champion"] * 3, latency_us=large)
    sums = _sums(_evidence(log, Metric(name="m", numerator="latency_ms")))
    assert sums.y == pytest.approx(4e6, rel=1e-6)
    assert sums.yy == pytest.approx(1e13, rel=1e-6)


def test_rows_after_the_moment_of_the_question_are_not_there() -> None:
    log = log_of(moment=[0, 10 * DAY], unit=["u", "v"], variant=["champion", "v2"])
    assert _evidence(log, Metric(name="m", numerator="error"), as_of=9 * DAY).exposed == {(1, 0): 1}


def test_an_answer_of_a_shadow_that_stands_there_twice_is_no_covariate() -> None:
    log = log_of(
        id=["a"] * 3, moment=[0] * 3, unit=["u"] * 3, variant=["v2", *["champion-shadow"] * 2],
        role=["live", "shadow", "shadow"], mv_id=["m1", "m0", "m0"], output=[0.9, 0.25, 0.25],
    )  # fmt: skip
    label = Metric(name="m", direction="up", maturity="1h", window="0s", covariate="champion")
    assert _sums(_evidence(log, label, labels_of(["a"], [1.0], [1])), arm=1).x == 0.0


@pytest.mark.parametrize(
    ("numerator", "output", "label", "value"),
    [("wrong", 0.9, 0.45, 1.0), ("wrong", 0.9, 0.5, 0.0), ("log_loss", 0.0, 1.0, 34.538776), ("brier", 0.9, 1.0, 0.01)],
)
def test_a_loss_is_that_of_its_definition(
    numerator: Literal["wrong", "log_loss", "brier"], output: float, label: float, value: float
) -> None:
    log = log_of(moment=[0], unit=["u"], variant=["champion"], output=[output])
    metric = Metric(name="m", numerator=numerator, maturity="1h", window="0s")
    assert _sums(_evidence(log, metric, labels_of(["p0"], [label], [1]))).y == pytest.approx(value, abs=1e-6)
