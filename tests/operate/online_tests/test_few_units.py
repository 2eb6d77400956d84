"""Units that are summed without a database, beside the same in DuckDB: to the last bit."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from tests.operate.online_tests.online_rows import DAY, HOUR, a_test, labels_of, log_of

from assay.build.data.sql import own_database
from assay.operate.online_tests import running as module
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.few_units import add_few
from assay.operate.online_tests.gathering import evidence_in
from assay.operate.online_tests.metric import LABELLED, MEASURES, Metric
from assay.operate.online_tests.running import RunningTest

_KINDS = ("mean", "total", "proportion", "ratio")
METRICS = tuple(
    Metric(
        name=f"m{number}",
        numerator=measure,  # type: ignore[arg-type]
        kind=kind,  # type: ignore[arg-type]
        denominator=denominator,  # type: ignore[arg-type]
        direction="up",
        maturity="6h",
        missing="zero" if measure in LABELLED and number % 2 else "excluded",
        window="0s" if number % 5 == 0 else "12h",
        threshold=0.34782608695652173,
        slo_ms=7.1,
    )
    for number, (measure, (kind, denominator)) in enumerate(
        itertools.product(MEASURES, [*((kind, None) for kind in _KINDS), ("ratio", "decision")])
    )
)


def _traffic(seed: int, rows: int = 300) -> tuple[pa.Table, pa.Table]:
    """Outputs that are missing, at 0, 1 and the threshold, an id that comes twice; labels of rows and of units."""
    random = np.random.default_rng(seed)
    unit = random.integers(0, 60, rows)
    moment = np.sort(random.integers(0, 3 * DAY, rows))
    output = random.random(rows)
    output[::17], output[::19], output[::23] = 0.0, 1.0, METRICS[0].threshold
    ids = [f"p{place}" for place in range(rows)]
    unit[101] = unit[100]
    ids[101] = ids[100]
    failed = random.random(rows) < 0.1
    log = log_of(
        id=ids,
        moment=moment,
        unit=[f"u{one}" if one % 7 else None for one in unit],
        variant=["v2" if one % 2 else "champion" for one in unit + (random.random(rows) < 0.03)],
        output=[None if bad else float(one) for bad, one in zip(failed, output, strict=True)],
        status=["error" if bad else "ok" for bad in failed],
        phase=(moment > DAY).astype(int) + 1,
        reason=list(random.choice(["hash", "hash", "hash", "forced", "fallback"], rows)),
        latency_us=[int(one) for one in random.integers(1, 15_000, rows)],
    )
    told = np.flatnonzero(random.random(rows) < 0.7)
    told = told[told != 101]
    of_rows = labels_of(
        [ids[place] for place in told],
        random.normal(0.5, 1.0, len(told)),
        moment[told] + random.integers(0, 8 * HOUR, len(told)),
    )
    named = random.integers(0, 60, 80)
    of_units = labels_of(
        [None] * 80,
        random.normal(0.0, 1.0, 80),
        random.integers(0, 3 * DAY, 80),
        unit=[f"u{one}" for one in named],
        event=[f"e{place}" for place in range(80)],
    )
    return log, pa.concat_tables([of_rows, of_units])


def _in_pieces(test_metrics: tuple[Metric, ...], log: pa.Table, labels: pa.Table) -> Evidence:
    running = RunningTest(a_test(*test_metrics, weights=[(1, 1), (1, 1)]))
    moments = log["moment"].cast(pa.int64()).to_numpy()
    told = labels["event_ts"].cast(pa.int64()).to_numpy()
    last = -1
    for as_of in range(0, 5 * DAY, 17 * HOUR):
        here, known = (pa.array((times > last) & (times <= as_of)) for times in (moments, told))
        running.update(log.filter(here), {"label": labels.filter(known)}, as_of)
        last = as_of
    return running.evidence


@pytest.mark.parametrize("seed", range(2))
def test_every_measure_and_kind_is_summed_as_duckdb_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log, labels = _traffic(seed)
    here: list[bool] = []

    def told(*given: object) -> bool:
        here.append(add_few(*given))  # type: ignore[arg-type]
        return here[-1]

    monkeypatch.setattr(module, "add_few", told)
    few = _in_pieces(METRICS, log, labels)
    assert sum(here) >= 4, "nothing was compared"
    monkeypatch.setattr(module, "are_few", lambda *_: False)
    assert _in_pieces(METRICS, log, labels) == few
    connection = own_database()
    connection.register("log", log)
    test = a_test(*METRICS, weights=[(1, 1), (1, 1)])
    assert evidence_in(connection, "log", {"label": labels}, test, few.as_of_us) == few
    assert {name for _, _, name in few.sums} == {metric.name for metric in METRICS}


def test_what_would_be_rounded_is_left_to_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    total = Metric(name="total", numerator="output", kind="total", direction="up", window="0s")
    outputs = [4e6, 5e6, 2.0**22, 1.5, 3e6, 4.1e6]
    log = log_of(
        moment=[number * HOUR for number in range(1, 7)],
        unit=[f"u{number}" for number in range(6)],
        variant=["champion", "v2"] * 3,
        output=outputs,
    )
    here: list[bool] = []

    def told(*given: object) -> bool:
        here.append(add_few(*given))  # type: ignore[arg-type]
        return here[-1]

    monkeypatch.setattr(module, "add_few", told)
    running = RunningTest(a_test(total))
    for number in range(6):
        running.update(log.slice(number, 1), {}, (number + 1) * HOUR)
    assert here == [False, False, True, True, True]
    connection = own_database()
    connection.register("log", log)
    assert evidence_in(connection, "log", {}, a_test(total), 6 * HOUR) == running.evidence


@pytest.mark.parametrize("output", [None, float("nan"), float("inf")])
def test_an_output_that_is_no_number_has_no_loss(output: float | None) -> None:
    loss = Metric(name="loss", numerator="log_loss", maturity="0s", window="0s")
    log = log_of(moment=[1, 2], unit=["a", "b"], variant=["champion", "champion"], output=[output, 0.25])
    connection = own_database()
    connection.register("log", log)
    found = evidence_in(connection, "log", {"label": labels_of(["p0", "p1"], [1.0, 1.0], [1, 2])}, a_test(loss), 10)
    assert found.closed[1, 0, "loss"] == 2
    assert found.sums[1, 0, "loss"].sums(ratio=False).y == pytest.approx(-np.log(0.25))
