from pathlib import Path

import pytest
from tests.operate.serving.protocols.protocol_helpers import Weighted
from tests.operate.serving.variant_helpers import Place, Slow, add_three_columns, rows
from tests.operate.serving_helpers import add_version

from assay.errors import StoreUnavailable
from assay.operate.serving.engine import Answered
from assay.record.sqlstore import SqlStore


def test_a_shadow_sees_the_rows_after_the_answer_and_is_logged_under_their_ids(store: SqlStore, tmp_path: Path) -> None:
    champion = add_version(store)
    place = Place(store, tmp_path / "log", [champion], shadows=[add_version(store), add_version(store)])
    asked = rows(2)
    asked.units = ["u", None]
    (answered,) = place.ask(asked)
    assert isinstance(answered, Answered)
    assert answered.outputs == [0.01, 0.01]
    logged = place.logged()
    assert [one.role for one in logged[:2]] == ["live", "live"]
    shadows = {(one.variant, one.id, one.output, one.unit) for one in logged if one.role == "shadow"}
    first, second = answered.ids
    assert shadows == {
        ("shadow0", first, 0.02, "u"),
        ("shadow0", second, 0.02, None),
        ("shadow1", first, 0.03, "u"),
        ("shadow1", second, 0.03, None),
    }
    assert len({one.request_id for one in logged}) == 1


def test_a_shadow_that_fails_or_lacks_columns_is_logged_and_harms_no_answer(store: SqlStore, tmp_path: Path) -> None:
    shadows = [add_version(store, Slow(0.0)), add_three_columns(store, Weighted())]
    place = Place(store, tmp_path / "log", [add_version(store, Weighted())], shadows=shadows)
    (answered,) = place.ask(rows(1, carrier="raise"))
    assert isinstance(answered, Answered)
    failed = {one.variant: (one.status, str(one.error)) for one in place.logged() if one.role == "shadow"}
    assert failed["shadow0"][0] == failed["shadow1"][0] == "error"
    assert "ArithmeticError" in failed["shadow0"][1]
    assert "columns" in failed["shadow1"][1]


def test_a_slow_shadow_delays_no_answer_and_what_it_cannot_keep_up_with_is_counted(
    store: SqlStore, tmp_path: Path
) -> None:
    place = Place(store, tmp_path / "log", [add_version(store)], shadows=[add_version(store, Slow(0.3))])
    place.engine.shadows._batches.most_rows = 5
    found = place.ask(*[rows(1) for _ in range(9)])
    assert all(isinstance(one, Answered) for one in found)
    logged = place.logged()
    assert [one.role for one in logged[:9]] == ["live"] * 9, "all answers come before the first of the shadow"
    seen = sum(one.role == "shadow" for one in logged)
    assert 1 <= seen <= 5
    assert place.engine.counting.counted.shadow_rows_lost == 9 - seen


def test_a_shadow_that_cannot_be_logged_is_counted(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(store, tmp_path / "log", [add_version(store)], shadows=[add_version(store)])
    append = place.log.append

    def full(records: list[object]) -> None:
        if getattr(records[0], "role", "") == "shadow":
            raise StoreUnavailable("the disk is full")
        append(records)  # type: ignore[arg-type]

    monkeypatch.setattr(place.log, "append", full)
    (answered,) = place.ask(rows(3))
    assert isinstance(answered, Answered)
    assert place.engine.counting.counted.shadow_rows_lost == 3
