from pathlib import Path

import msgspec

from assay.build.models.served_model import FormCounts
from assay.operate.serving.counting import BOUNDS_S, Counted, Counting, SharedCounts, summed

KEY = ("champion", "delays", 1, "live", "ok")


def _counted(requests: int, total_ns: int = 300_000) -> Counted:
    counting = Counting()
    for _ in range(requests):
        counting.add(KEY, 2, total_ns, 100_000)
        counting.answered(200)
        counting.reason("hash", 2)
        counting.signature("distance", "out_of_range", "flag", 1)
    return counting.counted


def test_requests_rows_and_times_are_counted_for_each_variant_and_status() -> None:
    counting = Counting()
    counting.add(KEY, 3, 100_000, 60_000)
    counting.add(KEY, 1, 20_000_000_000, 60_000)
    counting.add((*KEY[:4], "error"), 1, 1_000_000, 0)
    first, second = counting.counted.series
    assert (first.requests, first.rows, first.total_ns, first.model_ns) == (2, 4, 20_000_100_000, 120_000)
    assert (first.buckets[0], first.buckets[-1], sum(first.buckets)) == (1, 1, 2)
    assert second.status == "error"
    assert second.buckets[BOUNDS_S.index(0.001)] == 1


def test_counts_of_workers_are_summed() -> None:
    both = summed([_counted(2), _counted(3, 5_000_000)])
    (series,) = both.series
    assert (series.requests, series.rows) == (5, 10)
    assert (series.buckets[BOUNDS_S.index(0.0005)], series.buckets[BOUNDS_S.index(0.005)]) == (2, 3)
    assert (both.answers, both.reasons) == ({"200": 5}, {"hash": 10})
    assert both.signature == {"distance\tout_of_range\tflag": 5}


def test_counts_of_compiled_forms_are_summed_by_version() -> None:
    first, second = Counted(forms=[FormCounts("a", 1, 5, 1, 2, 1)]), Counted(forms=[FormCounts("a", 1, 7, 0, 1, 0)])
    second.forms.append(FormCounts("a", 2, 1))
    assert summed([first, second]).forms == [FormCounts("a", 1, 12, 1, 3, 1), FormCounts("a", 2, 1)]
    assert summed([first]).forms[0] is not first.forms[0]


def test_a_worker_knows_the_counts_of_the_others_and_of_those_that_died(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(msgspec.json.encode(_counted(4)))
    shared = SharedCounts(tmp_path)
    mine = _counted(1)
    shared.keep(mine)
    assert shared.whole(mine).answers == {"200": 5}
    assert SharedCounts(None).whole(mine) is mine
