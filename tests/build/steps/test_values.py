"""Values between steps come back as they were, and two of them have one hash exactly where they are the same."""

import collections
import enum
import json
import math
import pickle
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.build.steps.projects import Project

from assay.build.steps.values import decode, encode, value_hash
from assay.errors import InvalidInput, NotFound, Tampered
from assay.record.blobs import Blobs
from assay.record.canonical import canonical_json

SCALARS = st.sampled_from([None, True, False, 0, 1, -1, 0.0, -0.0, 1.0, math.nan, math.inf, "", "0", "1", "True"])
KEYS = st.one_of(SCALARS, st.tuples(SCALARS), st.text(max_size=2))


def nested(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(KEYS, inner, max_size=3),
        ),
        max_leaves=6,
    )


VALUES = nested(st.one_of(SCALARS, st.integers(), st.floats(), st.text()))


def spelled(value: object, *, ordered: bool) -> str:
    """Types and contents in full; without `ordered` the order of dictionaries does not show."""
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({','.join(spelled(item, ordered=ordered) for item in value)})"
    if isinstance(value, dict):
        items = [f"{spelled(k, ordered=ordered)}:{spelled(v, ordered=ordered)}" for k, v in value.items()]
        return f"{type(value).__name__}{{{','.join(items if ordered else sorted(items))}}}"
    return f"{type(value).__name__}={value!r}"


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Blobs:
    return Blobs(tmp_path_factory.mktemp("values"))


def kept(value: object, blobs: Blobs) -> object:
    """The value as a later run reads it, from the text in the step's row."""
    return decode(json.loads(canonical_json(encode(value, blobs))), blobs)


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_json_like_values_come_back_with_type_content_and_order(blobs: Blobs, value: object) -> None:
    assert spelled(kept(value, blobs), ordered=True) == spelled(value, ordered=True)


@given(nested(SCALARS), nested(SCALARS))
@settings(max_examples=400, deadline=None)
def test_hashes_agree_exactly_where_type_and_content_do(first: object, second: object) -> None:
    same = spelled(first, ordered=False) == spelled(second, ordered=False)
    assert (value_hash(first) == value_hash(second)) == same


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.IntEnum):
    RED = 1


class Words(str):
    __slots__ = ()


ALIKE: list[object] = [
    1,
    1.0,
    True,
    "1",
    b"1",
    Decimal(1),
    Colour.RED,
    np.float64(1.0),
    np.int64(1),
    1 + 0j,
    "a",
    Words("a"),
    np.str_("a"),
    (1, 2),
    [1, 2],
    Point(1, 2),
    {1, 2},
    frozenset({1, 2}),
    {1: 2},
    {"1": 2},
    collections.OrderedDict({1: 2}),
    collections.defaultdict(int, {1: 2}),
    [[1], 2],
    [1, [2]],
    np.array([1, 2]),
    np.array([1, 2], dtype=np.int32),
    np.array([[1, 2]]),
    np.array([1.0, 2.0]),
    np.array([1, 2], dtype=object),
    np.ma.array([1, 2], mask=[False, False]),
    np.ma.array([1, 2], mask=[False, True]),
    np.array(["a"], dtype=np.dtypes.StringDType()),
    pa.table({"a": [1, 2]}),
    pa.table({"b": [1, 2]}),
    pa.table({"a": [2, 1]}),
    pa.table({"a": [1.0, 2.0]}),
    pa.table({"a": [1, None]}),
    pa.array([1, 2]),
    "half \ud800",
    10**5000,
    -(10**5000),
    date(2020, 1, 1),
]


def test_values_that_are_alike_but_not_the_same_have_different_hashes() -> None:
    hashes = [value_hash(value) for value in ALIKE]
    assert len(set(hashes)) == len(ALIKE)
    assert hashes == [value_hash(value) for value in ALIKE]


@pytest.mark.parametrize("value", ALIKE, ids=lambda value: type(value).__name__)
def test_each_of_them_comes_back_as_its_own_type(blobs: Blobs, value: object) -> None:
    back = kept(value, blobs)
    assert type(back) is type(value)
    # NumPy writes a masked array another way each time it is read: it may be computed again, never taken for another.
    assert isinstance(value, np.ma.MaskedArray) or value_hash(back) == value_hash(value)


@pytest.mark.parametrize("value", [{"a": math.nan}, {"a": [1, {"b": math.inf}]}, (1, "a"), {"a": (1,)}])
def test_what_json_would_change_is_not_inlined(blobs: Blobs, value: object) -> None:
    assert encode(value, blobs)["as"] != "json"
    assert spelled(kept(value, blobs), ordered=True) == spelled(value, ordered=True)


@pytest.mark.parametrize("value", [None, 1, -0.0, "é", [1, [2.5, None]], {"a": {"b": [True]}}])
def test_small_json_stays_in_the_row(blobs: Blobs, value: object) -> None:
    assert encode(value, blobs) == {"as": "json", "value": value}


def test_large_json_is_kept_outside(blobs: Blobs) -> None:
    larges: list[object] = ["x" * 5000, list(range(3000)), {"a": ["x" * 3000, "y" * 3000]}]
    for large in larges:
        found = encode(large, blobs)
        assert found.keys() == {"as", "blob"}
        assert found["as"] == "json"
        assert kept(large, blobs) == large
    assert encode({"a": ("x" * 3000, "y" * 3000)}, blobs)["as"] == "dict", "JSON has no tuples"


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(3.5),
        np.array([]),
        np.array([np.nan, -0.0]),
        np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array(["a", "bc"]),
        np.array(["a", None, 1.5], dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_back_with_type_and_shape(blobs: Blobs, array: NDArray[np.generic]) -> None:
    back = kept(array, blobs)
    assert isinstance(back, np.ndarray)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert np.array_equal(back, array, equal_nan=array.dtype.kind in "fM")
    assert value_hash(back) == value_hash(array)


def test_the_layout_in_memory_does_not_count() -> None:
    plain = np.arange(6).reshape(2, 3)
    assert (
        value_hash(plain) == value_hash(np.asfortranarray(plain)) == value_hash(np.arange(12)[::2].reshape(2, 3) // 2)
    )
    chunked = pa.concat_tables([pa.table({"a": [1]}), pa.table({"a": [2]})])
    assert value_hash(chunked) == value_hash(pa.table({"a": [1, 2]}))


def test_a_masked_array_keeps_its_mask(blobs: Blobs) -> None:
    back = kept(np.ma.array([1, 2], mask=[False, True]), blobs)
    assert isinstance(back, np.ma.MaskedArray)
    assert back.tolist() == [1, None]


def test_tables_come_back_with_types_nulls_and_order(blobs: Blobs) -> None:
    table = pa.table(
        {
            "text": ["b", None, "a"],
            "category": pa.array(["x", None, "x"]).dictionary_encode(),
            "time": pa.array([0, None, 1], pa.timestamp("us", "UTC")),
            "number": pa.array([1.5, None, math.nan]),
        }
    )
    back = kept(table, blobs)
    assert isinstance(back, pa.Table)
    assert back.schema.equals(table.schema)
    assert value_hash(back) == value_hash(table)


def estimators() -> Iterator[object]:
    generator = np.random.default_rng(3)
    inputs = generator.random((60, 3))
    labels = (inputs[:, 0] > 0.5).astype(int)
    yield LogisticRegression().fit(inputs, labels)
    yield make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, labels)
    yield HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(inputs, labels)


@pytest.mark.parametrize("estimator", list(estimators()), ids=lambda estimator: type(estimator).__name__)
def test_an_estimator_computed_and_the_same_read_back_have_one_hash(blobs: Blobs, estimator: object) -> None:
    """Otherwise every step behind a cached training would be computed again."""
    back = kept(estimator, blobs)
    assert type(back) is type(estimator)
    assert value_hash(back) == value_hash(estimator)


def test_the_code_of_an_objects_class_is_part_of_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, monkeypatch)
    project.write({"pkg/kinds.py": "class Doubler:\n    def __call__(self, x): return 2 * x\ndef plain(x): return x\n"})
    before = [
        value_hash(project.function("pkg.kinds", "Doubler")()),
        value_hash(project.function("pkg.kinds", "plain")),
    ]
    project.edit("pkg/kinds.py", "2 * x", "3 * x")
    project.edit("pkg/kinds.py", "return x", "return [x]")
    after = [value_hash(project.function("pkg.kinds", "Doubler")()), value_hash(project.function("pkg.kinds", "plain"))]
    project.forget()
    assert before[0] != after[0]
    assert before[1] != after[1]


class Stubborn:
    def __getstate__(self) -> object:
        raise ArithmeticError("no")


class OneWay:
    def __reduce__(self) -> tuple[object, ...]:
        return (int, ("not a number",))


@pytest.mark.parametrize(
    "value",
    [lambda x: x, [lambda x: x], {"key": (x for x in "ab")}, Stubborn()],
    ids=["lambda", "lambda in a list", "generator", "class that refuses"],
)
def test_what_cannot_be_kept_is_refused_by_name(blobs: Blobs, value: object) -> None:
    for attempt in (
        lambda: value_hash(value, "flights.clean: argument path"),
        lambda: encode(value, blobs, "the result"),
    ):
        with pytest.raises(
            InvalidInput, match=r"^(flights.clean: argument path|the result) is a .*, which cannot be kept"
        ):
            attempt()


def test_an_open_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(InvalidInput, match="argument log is a TextIOWrapper"):
        value_hash(file, "argument log")


def test_what_would_not_come_back_is_refused() -> None:
    with pytest.raises(InvalidInput, match="argument x cannot be read back from its pickle: ValueError"):
        value_hash(OneWay(), "argument x")


def test_a_table_that_cannot_be_hashed_is_refused_by_name() -> None:
    table = pa.table({"a": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))})
    with pytest.raises(InvalidInput, match="argument table: columns of type map"):
        value_hash(table, "argument table")


def test_a_list_that_holds_itself_is_refused(blobs: Blobs) -> None:
    endless: list[object] = []
    endless.append(endless)
    for attempt in (lambda: value_hash(endless, "x"), lambda: encode(endless, blobs, "x")):
        with pytest.raises(InvalidInput, match="x is nested too deeply"):
            attempt()


def test_the_order_of_a_set_does_not_count() -> None:
    names = [f"name {number}" for number in range(50)]
    backwards = names[::-1]
    assert value_hash(set(names)) == value_hash(set(backwards))
    assert value_hash(set(names)) != value_hash(set(names[1:]))


def test_lost_and_tampered_content_is_told(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    encoded = encode(np.arange(3), blobs)
    blobs.path(encoded["blob"]).write_bytes(b"other")
    with pytest.raises(Tampered):
        decode(encoded, blobs)
    blobs.path(encoded["blob"]).unlink()
    with pytest.raises(NotFound):
        decode(encoded, blobs)


def test_a_pickle_of_code_that_is_gone_is_told(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    gone = {"as": "pickle", "blob": blobs.put(b"cno_such_module\nThing\n.")}
    with pytest.raises(InvalidInput, match="what was kept cannot be read: ModuleNotFoundError"):
        decode(gone, blobs)


def test_a_model_and_the_same_one_read_back_as_a_part_of_another_object_are_the_same_value() -> None:
    class_names = ["".join(["n_features", "_in_"]), "b"]
    model = DummyClassifier(strategy="prior").fit([[0.0], [1.0]], class_names)
    model.note = {"n_features_in_": class_names[0], "again": class_names[0]}
    whole = pickle.loads(pickle.dumps({"model": model, "names": class_names}))
    assert value_hash(whole["model"]) == value_hash(model)
    model.note["again"] = "another"
    assert value_hash(whole["model"]) != value_hash(model)
