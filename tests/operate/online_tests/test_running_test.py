import numpy as np
import pyarrow as pa
import pytest
from tests.operate.online_tests.online_rows import DAY, HOUR, a_test, labels_of, log_of

from assay.build.data.sql import own_database
from assay.operate.online_tests.evidence import Evidence
from assay.operate.online_tests.gathering import evidence_in
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.running import RunningTest

METRICS = (
    Metric(name="wrong", numerator="wrong", maturity="6h", window="12h"),
    Metric(name="loss", numerator="log_loss", kind="ratio", maturity="6h", window="12h"),
    Metric(name="slow", numerator="latency_ms", window="0s", role="guardrail", margin=1.0),
    Metric(name="bought", numerator="label", kind="proportion", direction="up", maturity="1d", missing="zero"),
)
TEST = a_test(*METRICS)


def _traffic(seed: int, rows: int = 400) -> tuple[pa.Table, pa.Table]:
    """Units that return, some given both variants, some rows forced; labels that are late, and revised."""
    random = np.random.default_rng(seed)
    unit = random.integers(0, 120, rows)
    moment = np.sort(random.integers(0, 4 * DAY, rows))
    reasons = random.choice(["hash", "hash", "hash", "hash", "forced", "fallback"], rows)
    arms = np.where(random.random(rows) < 0.02, 1 - unit % 2, unit % 2)
    log = log_of(
        moment=moment,
        unit=[f"u{one}" if one % 7 else None for one in unit],
        variant=["v2" if arm else "champion" for arm in arms],
        output=random.random(rows),
        phase=(moment > 2 * DAY).astype(int) + 1,
        reason=list(reasons),
        latency_us=[int(one) for one in random.integers(1, 10**6, rows)],
    )
    labelled = random.random(rows) < 0.8
    first = labels_of(
        [f"p{place}" for place in np.flatnonzero(labelled)],
        random.integers(0, 2, labelled.sum()).astype(float),
        moment[labelled] + random.integers(0, 8 * HOUR, labelled.sum()),
    )
    revised = first.filter(pa.array(random.random(first.num_rows) < 0.1))
    revised = revised.set_column(6, "revision", pa.array([1] * revised.num_rows, pa.int64()))
    flipped = pa.array(1.0 - revised["value"].to_numpy())
    return log, pa.concat_tables([first, revised.set_column(3, "value", flipped)])


def _newest(labels: pa.Table) -> pa.Table:
    """One row for each prediction, that of the highest revision."""
    found: dict[str, int] = {}
    revisions = labels["revision"].to_pylist()
    for place, id in enumerate(labels["prediction_id"].to_pylist()):
        if id not in found or revisions[place] > revisions[found[id]]:
            found[id] = place
    return labels.take(pa.array(list(found.values()), pa.int64()))


def _whole(log: pa.Table, labels: pa.Table, as_of: int) -> Evidence:
    connection = own_database()
    connection.register("log", log)
    return evidence_in(connection, "log", {"label": _newest(labels)}, TEST, as_of)


@pytest.mark.parametrize("seed", range(4))
def test_what_comes_in_pieces_is_to_the_bit_what_comes_at_once(seed: int) -> None:
    log, labels = _traffic(seed)
    running = RunningTest(TEST)
    moments = log["moment"].cast(pa.int64()).to_numpy()
    told = labels["event_ts"].cast(pa.int64()).to_numpy()
    last = -1
    for as_of in (0, 6 * HOUR, 20 * HOUR, 2 * DAY, 2 * DAY + 1, 3 * DAY, 6 * DAY):
        new_rows = log.filter(pa.array((moments > last) & (moments <= as_of)))
        new_labels = labels.filter(pa.array((told > last) & (told <= as_of)))
        found = running.update(new_rows, {"label": new_labels}, as_of)
        so_far = labels.filter(pa.array(told <= as_of))
        assert found == _whole(log.filter(pa.array(moments <= as_of)), so_far, as_of)
        last = as_of
    assert sum(found.closed.values()) > 300
    assert max(found.changed.values()) > 0


def test_twice_reordered_early_and_late_labels_give_what_labels_in_order_give() -> None:
    log, labels = _traffic(9)
    random = np.random.default_rng(1)
    twice = pa.concat_tables([labels, labels])
    shuffled = twice.take(pa.array(random.permutation(twice.num_rows)))
    running = RunningTest(TEST)
    half = shuffled.num_rows // 2
    running.update(log.slice(0, 0), {"label": shuffled.slice(0, 100)}, HOUR)  # before there is any prediction
    running.update(
        log.take(pa.array(random.permutation(log.num_rows))), {"label": shuffled.slice(100, half - 100)}, 6 * DAY
    )
    found = running.update(log.slice(0, 0), {"label": shuffled.slice(half)}, 7 * DAY)
    assert running.rebuilt > 0, "labels of units that were counted already"
    assert found == _whole(log, labels, 7 * DAY)


def test_rows_of_one_unit_in_any_order_give_the_same() -> None:
    log, labels = _traffic(3)
    back = log.take(pa.array(range(log.num_rows - 1, -1, -1)))
    assert _whole(back, labels, 6 * DAY) == _whole(log, labels, 6 * DAY)


def test_nothing_is_summed_again_while_everything_comes_in_time() -> None:
    log, labels = _traffic(5)
    running = RunningTest(a_test(METRICS[0], *METRICS[2:]))  # the steps of a growing sum would change once
    moments = log["moment"].cast(pa.int64()).to_numpy()
    told = labels["event_ts"].cast(pa.int64()).to_numpy()
    for day in range(1, 8):
        here = (moments > (day - 1) * DAY) & (moments <= day * DAY)
        known = (told > (day - 1) * DAY) & (told <= day * DAY)
        running.update(log.filter(pa.array(here)), {"label": labels.filter(pa.array(known))}, day * DAY)
    assert running.rebuilt == 0
