"""What becomes of values that training never had, whichever way they come."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operate.serving_helpers import Fixed

from assay.build.models.packaging import LoadedModel, load_model, package_model
from assay.errors import InvalidInput
from assay.operate.serving.inputs import Checked, Inputs, Request
from assay.operate.serving.policies import SignatureError
from assay.record.location import open_store
from assay.record.models.column_policy import ColumnPolicy
from assay.record.store import Store
from assay.record.tracking.runs import start_run

TABLE = pa.table(
    {
        "distance": [100.0, 200.0, 500.0],
        "carrier": ["AA", "UA", "UA"],
        "wind": [1.0, None, 3.0],
        "tail": ["x", None, "y"],
    }
)
GOOD: dict[str, object] = {"distance": 150.0, "carrier": "AA", "wind": 2.0, "tail": "x"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("signature"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def model(store: Store) -> LoadedModel:
    return packaged(store, TABLE)


def packaged(store: Store, table: pa.Table, *policies: ColumnPolicy) -> LoadedModel:
    with start_run(store, "signature") as run:
        version = package_model(store, "delays", Fixed(0.5), table, run=run, policies=policies)
    return load_model(store, version)


def ask(inputs: Inputs, *rows: object) -> Request:
    return inputs.read(msgspec.json.encode({"rows": list(rows)}))


def by_columns(inputs: Inputs, *rows: dict[str, Any]) -> Checked:
    return inputs.check({name: [row.get(name) for row in rows] for name in rows[0]})


# --- what does no harm is what counts without a policy ----------------------------------------------------------------


def test_rows_that_training_could_have_had_carry_no_flag(model: LoadedModel) -> None:
    found = ask(Inputs(model), GOOD, {**GOOD, "wind": None, "tail": None})
    assert found.rows == [(150.0, "AA", 2.0, "x"), (150.0, "AA", None, None)]
    assert found.flags is None


def test_what_is_out_of_range_or_unseen_is_passed_on_and_flagged(model: LoadedModel) -> None:
    found = ask(Inputs(model), GOOD, {**GOOD, "distance": 501, "tail": "z"})
    assert found.rows[1] == (501.0, "AA", 2.0, "z")
    assert found.flags == [None, {"distance": "out_of_range", "tail": "unseen"}]


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"distance": "12"}, "mistyped", "row 1: column 'distance' is text, expected a number, not '12'"),
        ({"distance": True}, "mistyped", "row 1: column 'distance' is true or false, expected a number"),
        ({"carrier": 3}, "mistyped", "row 1: column 'carrier' is a number, expected text"),
        ({"carrier": ["AA"]}, "mistyped", "row 1: column 'carrier' is a list, expected text"),
        ({"distance": None}, "missing", "row 1: column 'distance' is null, and training always had a value"),
        ({"carrier": None}, "missing", "row 1: column 'carrier' is null, and training always had a value"),
        ({"wnid": 1.0}, "extra", "row 1: unexpected column 'wnid', did you mean 'wind'?"),
    ],
)
def test_what_cannot_be_answered_well_is_refused_by_name(
    model: LoadedModel, changes: dict[str, object], kind: str, said: str
) -> None:
    inputs = Inputs(model)
    with pytest.raises(SignatureError) as of_json:
        ask(inputs, GOOD, {**GOOD, **changes})
    assert str(of_json.value) == said
    assert (of_json.value.row, of_json.value.kind) == (1, kind)
    if kind != "extra":
        with pytest.raises(SignatureError) as of_columns:
            by_columns(inputs, GOOD, {**GOOD, **changes})
        assert str(of_columns.value) == said


def test_a_whole_number_beyond_all_floats_is_refused(model: LoadedModel) -> None:
    said = "row 0: column 'distance' is larger than numbers can be, expected a number"
    with pytest.raises(SignatureError, match=said):
        Inputs(model).read(json.dumps({"rows": [{**GOOD, "distance": 10**400}]}).encode())
    with pytest.raises(SignatureError, match=said):
        by_columns(Inputs(model), {**GOOD, "distance": -(10**400)})


def test_a_column_that_is_left_out_is_missing(model: LoadedModel) -> None:
    with pytest.raises(SignatureError, match=r"row 0: column 'distance' is missing$"):
        ask(Inputs(model), {name: value for name, value in GOOD.items() if name != "distance"})
    with pytest.raises(SignatureError, match="row 0: column 'wind' is missing; null stands for a value"):
        ask(Inputs(model), {name: value for name, value in GOOD.items() if name != "wind"})


# --- policies ---------------------------------------------------------------------------------------------------------


def test_a_policy_of_the_version_refuses_with_the_nearest_spelling(store: Store) -> None:
    strict = packaged(store, TABLE, ColumnPolicy("carrier", unseen="refuse"), ColumnPolicy("*", out_of_range="refuse"))
    inputs = Inputs(strict)
    with pytest.raises(SignatureError, match=r"row 0: column 'carrier' is 'ua', .* did you mean 'UA'"):
        ask(inputs, {**GOOD, "carrier": "ua"})
    with pytest.raises(SignatureError, match="row 0: column 'distance' is 99, and training had 100 to 500"):
        ask(inputs, {**GOOD, "distance": 99})
    assert ask(inputs, {**GOOD, "tail": "new"}).flags == [{"tail": "unseen"}]


def test_imputing_takes_the_middle_of_training_or_leaves_it_to_the_model(model: LoadedModel) -> None:
    inputs = Inputs(model, policies=[ColumnPolicy("*", "impute", "impute", "impute", "impute")])
    found = ask(inputs, {"distance": "far", "carrier": None, "wind": 9.0, "tail": "z"}, {})
    assert found.rows == [(200.0, "UA", None, None), (200.0, "UA", None, None)]
    assert found.flags == [
        {
            "distance": "mistyped:imputed",
            "carrier": "missing:imputed",
            "wind": "out_of_range:imputed",
            "tail": "unseen:imputed",
        },
        {"distance": "missing:imputed", "carrier": "missing:imputed"},
    ]


def test_what_is_flagged_goes_to_the_model_as_it_is(model: LoadedModel) -> None:
    inputs = Inputs(model, policies=[ColumnPolicy("*", missing="flag", extra="flag")])
    found = ask(inputs, {"carrier": "AA", "more": 1})
    assert found.rows == [(None, "AA", None, None)]
    assert found.flags == [{"more": "extra", "distance": "missing"}]


def test_the_policy_of_the_endpoint_goes_before_that_of_the_version(store: Store) -> None:
    strict = packaged(store, TABLE, ColumnPolicy("carrier", unseen="refuse"))
    assert ask(Inputs(strict, policies=[ColumnPolicy("*", unseen="flag")]), {**GOOD, "carrier": "DL"}).flags


def test_null_can_be_refused_where_training_had_gaps(model: LoadedModel) -> None:
    inputs = Inputs(model, policies=[ColumnPolicy("wind", missing="refuse")])
    with pytest.raises(SignatureError, match="column 'wind' is null"):
        ask(inputs, {**GOOD, "wind": None})
    assert ask(inputs, {**GOOD, "tail": None}).flags is None


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (ColumnPolicy("carier"), "did you mean 'carrier'?"),
        (ColumnPolicy("carrier", unseen="ignore"), "unseen='ignore' of column 'carrier'\n  expected: refuse | impute"),  # type: ignore[arg-type]
        (ColumnPolicy("distance", mistyped="flag"), "cannot be given to the model"),
        (ColumnPolicy("*", extra="impute"), "nothing is imputed"),
        (ColumnPolicy("distance", extra="flag"), "a policy of *"),
    ],
)
def test_a_policy_that_makes_no_sense_registers_nothing(store: Store, policy: ColumnPolicy, said: str) -> None:
    before = len(store.query("model_version"))
    with pytest.raises(InvalidInput) as refused:
        packaged(store, TABLE, policy)
    assert said in str(refused.value)
    assert len(store.query("model_version")) == before


def test_every_value_that_breaks_the_signature_is_counted_by_column_and_kind(model: LoadedModel) -> None:
    seen: list[tuple[str, str, str, int]] = []
    inputs = Inputs(model, count=lambda *one: seen.append(one))
    ask(inputs, {**GOOD, "distance": 1e9}, {**GOOD, "carrier": "DL"})
    with pytest.raises(SignatureError):
        ask(inputs, {**GOOD, "a name that somebody made up": 1})
    assert seen == [
        ("distance", "out_of_range", "flag", 1),
        ("carrier", "unseen", "flag", 1),
        ("*", "extra", "refuse", 1),
    ]


def test_a_version_of_which_nothing_was_learned_is_checked_for_types_only(model: LoadedModel) -> None:
    old = LoadedModel(model.version, model.estimator, model.columns, model.example)
    found = ask(Inputs(old), {"distance": 1e9, "carrier": "whoever", "wind": None, "tail": None})
    assert found.flags is None
    with pytest.raises(SignatureError, match="column 'distance' is text"):
        ask(Inputs(old), {**GOOD, "distance": "12"})


# --- other protocols --------------------------------------------------------------------------------------------------


def test_columns_of_arrays_go_through_the_same_checks(model: LoadedModel) -> None:
    found = Inputs(model).check(
        {
            "distance": np.array([150, 900, 200], dtype=np.int32),
            "carrier": ["AA", "DL", "UA"],
            "wind": np.array([2.0, np.nan, 1.0], dtype=np.float32),
            "tail": np.array(["x", None, "y"], dtype=object),
        }
    )
    assert found.rows == [(150.0, "AA", 2.0, "x"), (900.0, "DL", None, None), (200.0, "UA", 1.0, "y")]
    assert found.flags == [None, {"distance": "out_of_range", "carrier": "unseen"}, None]


def test_columns_of_several_lengths_are_refused(model: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="columns are not of one length: distance 2, carrier 1"):
        Inputs(model).check({"distance": [1.0, 2.0], "carrier": ["AA"]})


def test_a_matrix_goes_through_the_same_checks(store: Store) -> None:
    numbers = pa.table({"a": [0.0, 10.0], "b": [1.0, None]})
    inputs = Inputs(packaged(store, numbers, ColumnPolicy("a", out_of_range="impute")))
    found = inputs.check(matrix=np.array([[5.0, 1.0], [11.0, np.nan], [3.0, 2.0]]))
    assert found.rows == [(5.0, 1.0), (5.0, None), (3.0, 2.0)]
    assert found.flags == [None, {"a": "out_of_range:imputed"}, {"b": "out_of_range"}]
    with pytest.raises(SignatureError, match="row 0: column 'a' is null"):
        inputs.check(matrix=np.array([[np.nan, 1.0]]))
    with pytest.raises(SignatureError, match="row 0: column 'b' is infinite, expected a number"):
        inputs.check(matrix=np.array([[1.0, np.inf]]))
    with pytest.raises(InvalidInput, match=r"the matrix has the shape \[1, 3\]"):
        inputs.check(matrix=np.zeros((1, 3)))


def test_a_matrix_is_refused_where_a_column_is_text(model: LoadedModel) -> None:
    with pytest.raises(InvalidInput, match="column 'carrier' is text"):
        Inputs(model).check(matrix=np.zeros((1, 4)))


# --- several variants -------------------------------------------------------------------------------------------------


def test_what_only_another_variant_takes_may_be_left_out(store: Store, model: LoadedModel) -> None:
    other = packaged(store, pa.table({"gate": ["A", "B"], "distance": [1.0, 2.0]}))
    inputs = Inputs(model, others=[other])
    assert inputs.names == ["distance", "carrier", "wind", "tail", "gate"]
    found = ask(inputs, GOOD, {**GOOD, "gate": "B"}, {**GOOD, "gate": "C"})
    assert [row[4] for row in found.rows] == [msgspec.UNSET, "B", "C"]
    assert found.flags == [None, None, {"gate": "unseen"}]


# --- the fast way and the slow way say the same -----------------------------------------------------------------------

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1000, 1000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["AA", "UA", "x", "y", "new", "12", ""]),
    st.lists(st.none(), max_size=1),
)


@settings(max_examples=300, deadline=None)
@given(row=st.fixed_dictionaries(dict.fromkeys(GOOD, VALUES)))
def test_json_and_columns_are_judged_alike(model: LoadedModel, row: dict[str, Any]) -> None:
    inputs = Inputs(model)

    def said(call: Any) -> object:
        try:
            found = call()
        except SignatureError as error:
            return str(error)
        return found.rows, found.flags

    assert said(lambda: ask(inputs, row)) == said(lambda: by_columns(inputs, row))


def test_a_body_that_is_no_request_is_refused(model: LoadedModel) -> None:
    inputs = Inputs(model)
    for body, words in [
        (b"{", "the body is not JSON"),
        (b"[]", "the body is not a request"),
        (
            json.dumps({"rows": [GOOD], "idz": []}).encode(),
            "unknown field 'idz'\n  expected: rows, ids, units, explain\n  try: did you mean 'ids'",
        ),
        (json.dumps({"rows": [7]}).encode(), "row 0: is a number, expected an object with the columns"),
        (json.dumps({"rows": []}).encode(), "the request has 0 rows"),
        (b'{"rows": ' + b"[" * 100_000, "the body is not JSON"),
    ]:
        with pytest.raises(InvalidInput, match=words):
            inputs.read(body)
