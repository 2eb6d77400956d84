import gc
import weakref
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.operate.serving.protocols.protocol_helpers import Sum, Weighted, add_numbers
from tests.operate.serving.variant_helpers import Place, add_three_columns, rows
from tests.operate.serving_helpers import Fixed, add_route, add_version, predict

from assay.errors import InvalidInput
from assay.operate.routing.assignment import assigner
from assay.operate.routing.table import RoutingTable
from assay.operate.serving.engine import Answered, Asked, RequestError
from assay.operate.serving.plan import Plan
from assay.operate.serving.policies import Count
from assay.record.sqlstore import SqlStore

UNITS: list[str | None] = [f"unit {number}" for number in range(40)]


def test_rows_of_one_request_go_to_the_variants_of_their_units(store: SqlStore, tmp_path: Path) -> None:
    place = Place(store, tmp_path / "log", [add_version(store), add_version(store)])
    asked = rows(40)
    asked.units = UNITS
    (answered,) = place.ask(asked)
    assert isinstance(answered, Answered)
    assign = assigner(place.engine.table).assign
    wanted = [assign(str(unit)) for unit in UNITS]
    assert {0, 1} == set(answered.variants)
    assert answered.variants == [one.variant for one in wanted]
    assert answered.outputs == [(one.variant + 1) / 100 for one in wanted]
    logged = sorted(place.logged(), key=lambda one: one.row)
    assert [(one.id, one.unit) for one in logged] == list(zip(answered.ids, UNITS, strict=True))
    names = ["champion", "challenger"]
    assert [(one.variant, one.version) for one in logged] == [(names[v], v + 1) for v in answered.variants]
    assert [(one.bucket, one.propensity, one.reason) for one in logged] == [
        (one.bucket, one.propensity, one.reason) for one in wanted
    ]
    first = logged[0]
    assert (first.experiment, first.phase, first.salt, first.hash_version) == ("exp", 2, "salt", "murmur3")
    assert len({one.request_id for one in logged}) == 1


def test_the_answer_says_who_answered_where_a_split_runs(store: SqlStore, tmp_path: Path) -> None:
    place = Place(store, tmp_path / "log", [add_version(store), add_version(store)])
    request = {"rows": [{"distance": 1.5, "carrier": "AA"}] * 40, "units": UNITS}
    answer = predict(place.application, request)
    said = msgspec.convert(answer.content["predictions"], list[dict[str, object]])
    assert {(one["variant"], one["version"], one["probability"]) for one in said} == {
        ("champion", 1, 0.01),
        ("challenger", 2, 0.02),
    }


def test_a_variant_can_be_forced_by_its_name_or_the_number_of_its_version(store: SqlStore, tmp_path: Path) -> None:
    place = Place(store, tmp_path / "log", [add_version(store), add_version(store)])
    request = {"rows": [{"distance": 1.5, "carrier": "AA"}]}
    answer = predict(place.application, request, **{"assay-variant": "challenger"})
    assert "'version': 2" in str(answer.content["predictions"])
    numbered = rows(2)
    numbered.version = 2
    (answered,) = place.ask(numbered)
    assert isinstance(answered, Answered)
    assert answered.variants == [1, 1]
    assert {one.reason for one in place.logged()} == {"forced"}
    wrong = predict(place.application, request, **{"assay-variant": "chalenger"})
    assert wrong.status == 400
    assert "did you mean 'challenger'?" in str(wrong.content)
    unknown = rows(1)
    unknown.version = 9
    (refused,) = place.ask(unknown)
    assert isinstance(refused, RequestError)
    assert refused.status == 404
    assert place.logged() == []


def test_rows_without_what_their_variant_takes_fall_back_to_the_champion(store: SqlStore, tmp_path: Path) -> None:
    challenger = add_three_columns(store, Weighted(0.001))
    place = Place(store, tmp_path / "log", [add_version(store), challenger])
    asked = rows(40)
    asked.units = UNITS
    (answered,) = place.ask(asked)
    assert isinstance(answered, Answered)
    assert set(answered.variants) == {0}
    reasons = {one.reason for one in place.logged()}
    assert reasons == {"hash", "fallback"}
    more = rows(40)
    assert more.columns is not None
    more.columns = {**more.columns, "hour": [7.0] * 40}
    more.units = UNITS
    (full,) = place.ask(more)
    assert isinstance(full, Answered)
    assert set(full.variants) == {0, 1}
    assert {len(one.features) for one in place.logged()} == {2, 3}


def test_a_challenger_that_fails_fails_its_requests_and_every_row_is_logged(store: SqlStore, tmp_path: Path) -> None:
    place = Place(store, tmp_path / "log", [add_version(store), add_version(store)])
    asked = rows(40, carrier="raise")
    asked.units = UNITS
    (refused,) = place.ask(asked)
    assert isinstance(refused, RequestError)
    assert refused.status == 500
    logged = place.logged()
    assert {(one.variant, one.status) for one in logged} == {("champion", "error"), ("challenger", "error")}
    assert all("ArithmeticError" in str(one.error) for one in logged)


def test_models_of_more_classes_and_regressors_are_served(store: SqlStore, tmp_path: Path) -> None:
    several = add_numbers(store, Weighted(0.01, ["a", "b", "c"]))
    place = Place(store, tmp_path / "classes", [several])
    (said,) = msgspec.convert(
        predict(place.application, {"rows": [{"distance": 1.5, "hour": 8}]}).content["predictions"],
        list[dict[str, object]],
    )
    assert said["class"] == "a"
    assert said["probabilities"] == {"a": pytest.approx(0.4525), "b": pytest.approx(0.4525), "c": pytest.approx(0.095)}
    (logged,) = place.logged()
    assert logged.scores == pytest.approx((0.4525, 0.4525, 0.095))
    assert logged.output == pytest.approx(0.4525)
    numbers = Place(store, tmp_path / "numbers", [add_numbers(store, Sum())])
    (said,) = msgspec.convert(
        predict(numbers.application, {"rows": [{"distance": 1.5, "hour": 8}]}).content["predictions"],
        list[dict[str, object]],
    )
    assert {key: value for key, value in said.items() if key != "id"} == {"value": 9.5}


def test_a_matrix_is_as_good_as_columns(store: SqlStore, tmp_path: Path) -> None:
    place = Place(store, tmp_path / "log", [add_numbers(store)])
    matrix = np.array([[1.5, 8.0], [np.nan, 9.0]])
    by_matrix, by_columns = place.ask(
        Asked(matrix=matrix), Asked(columns={"distance": [1.5, None], "hour": np.array([8, 9])})
    )
    assert isinstance(by_matrix, Answered)
    assert isinstance(by_columns, Answered)
    assert by_matrix.outputs == by_columns.outputs
    assert [one.features for one in place.logged()] == [(1.5, 8.0), (None, 9.0)] * 2


def test_what_is_asked_wrong_is_refused_and_not_logged(store: SqlStore, tmp_path: Path) -> None:
    place = Place(store, tmp_path / "log", [add_version(store, Fixed(0.2))])
    twice, few = rows(2), rows(2)
    twice.ids = ["a", "a"]
    few.units = ["u"]
    assert all(isinstance(one, InvalidInput) for one in place.ask(twice, few))
    assert place.logged() == []


def test_a_new_table_is_made_ready_before_it_answers_and_models_of_old_ones_are_let_go(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(store, tmp_path / "log", [add_version(store, Fixed(0.1))])
    first = weakref.ref(place.engine.table.champion.model)
    made: list[int] = []

    def counted(table: RoutingTable, count: Count | None) -> Plan:
        made.append(table.revision)
        return Plan(table, count)

    monkeypatch.setattr("assay.operate.serving.engine.Plan", counted)
    for number in range(2, 7):
        revision = add_route(store, add_version(store, Fixed(number / 10)))
        assert place.engine.watcher._look() is None
        assert made[-1] == revision, "before it is asked for the first time"
        (answered,) = place.ask(rows(1))
        assert isinstance(answered, Answered)
        assert answered.outputs == [number / 10]
    assert made == [2, 3, 4, 5, 6], "each of them once"
    del answered
    gc.collect()
    assert first() is None
