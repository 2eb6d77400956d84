"""Features that are there twice."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.build.views.catalogue.duplicates import Likeness, duplicate_features
from assay.build.views.declared.aggregates import count, mean, sum_of
from assay.build.views.declared.view import feature_view
from assay.build.views.registry.registered import register
from assay.errors import InvalidInput, NotFound
from assay.record.datasets import snapshot
from assay.record.sqlstore import SqlStore

ROWS = 600


def _table() -> pa.Table:
    random = np.random.default_rng(3)
    times = np.datetime64("2024-01-01", "us") + random.integers(0, 90 * 86_400, ROWS).astype("timedelta64[s]")
    amount = pa.array(random.normal(size=ROWS), mask=random.random(ROWS) < 0.1)
    return pa.table(
        {
            "id": random.integers(0, 50, ROWS),
            "at": times,
            "amount": amount,
            "items": random.integers(0, 9, ROWS),
            "kind": random.choice(["a", "b", "c"], ROWS),
            "flag": random.random(ROWS) < 0.3,
            "noise": random.normal(size=ROWS),
        }
    )


def _register(store: SqlStore, name: str, features: Any, **more: Any) -> None:
    options = {"entity": "id", "time": "at", "source": "orders", **more}
    register(store, feature_view(name, features=features, **options))


def _found(store: SqlStore, view: str | None = None) -> dict[tuple[str, str], str]:
    return {(one.feature, one.other): one.how for one in duplicate_features(store, view).pairs}


@pytest.fixture(autouse=True)
def _orders(store: SqlStore) -> None:
    snapshot(store, "orders", _table())
    _register(store, "spend", ["amount", "items", "kind", "flag"])


def test_equal_values_under_another_name_are_a_copy_of_numbers_text_and_booleans(store: SqlStore) -> None:
    copies = {"a": "amount + 0", "b": "items * 1.0", "c": "concat(kind, '')", "d": "flag and true"}
    _register(store, "copy", copies)
    assert _found(store) == {
        ("copy@1:a", "spend@1:amount"): "same values",
        ("copy@1:b", "spend@1:items"): "same values",
        ("copy@1:c", "spend@1:kind"): "same values",
        ("copy@1:d", "spend@1:flag"): "same values",
    }


def test_the_same_definition_is_a_copy_whatever_the_values(store: SqlStore) -> None:
    _register(store, "again", ["amount"], ttl="1d")
    _register(store, "one", {"x": "items  > 4"})
    _register(store, "two", {"y": "items > 4"})
    found = _found(store)
    assert found["again@1:amount", "spend@1:amount"] == "same definition"
    assert found["one@1:x", "two@1:y"] == "same definition"


def test_windows_are_compared_by_what_they_are_and_by_what_they_give(store: SqlStore) -> None:
    week = {"n": count(over="7d"), "items": sum_of("items", over="7d")}
    _register(store, "week", week)
    _register(
        store, "again", {"rows": count(over="7d"), "rest": mean("noise", over="30d"), "all": count("items", over="7d")}
    )
    found = _found(store)
    assert found["again@1:rows", "week@1:n"] == "same definition"
    assert found["again@1:all", "week@1:n"] == "same values"
    assert set(found) == {("again@1:rows", "week@1:n"), ("again@1:all", "week@1:n")}


def test_the_same_order_of_values_is_told_with_its_correlation_also_when_it_is_turned_round(store: SqlStore) -> None:
    _register(store, "more", {"up": "exp(amount)", "down": "-3 * amount"})
    found = duplicate_features(store, "more").pairs
    assert [(one.feature, one.other, one.how) for one in found] == [
        ("more@1:down", "spend@1:amount", "same order"),
        ("more@1:up", "spend@1:amount", "same order"),
    ]
    assert [one.correlation for one in found] == pytest.approx([-1, 1])
    assert not any(one.is_copy for one in found)


def test_an_unrelated_feature_one_that_is_noisy_and_one_with_other_gaps_are_not_like_it(store: SqlStore) -> None:
    others = {
        "unrelated": "noise",
        "noisy": "amount + noise / 2",
        "filled": "coalesce(amount, 0)",
        "constant": "1",
        "rare": "case when id = 1 then 1 else 1 end",
    }
    _register(store, "other", others)
    assert _found(store) == {}


def test_what_is_nearly_constant_is_no_copy_of_what_is_nearly_constant(store: SqlStore) -> None:
    _register(store, "never", {"x": "items > 100"})
    _register(store, "nor", {"y": "amount > 1000 and false"})
    assert _found(store) == {}


def test_views_of_keys_of_another_type_are_not_compared(store: SqlStore) -> None:
    _register(store, "texts", {"a": "amount + 0"}, entity="kind")
    assert _found(store) == {}


def test_a_key_that_is_called_otherwise_is_the_same_key(store: SqlStore) -> None:
    snapshot(store, "others", _table().rename_columns(["customer", "when", "sum", "pieces", "sort", "yes", "rest"]))
    _register(store, "foreign", ["sum"], entity="customer", time="when", source="others")
    assert _found(store, "foreign") == {("foreign@1:sum", "spend@1:amount"): "same values"}


def test_views_whose_values_cannot_be_had_are_named_and_definitions_still_compared(store: SqlStore) -> None:
    _register(store, "again", ["amount"])
    found = duplicate_features(store, seconds=0)
    assert [one.how for one in found.pairs] == ["same definition"]
    assert sorted(found.not_compared) == ["again@1: the time was over", "spend@1: the time was over"]
    assert (found.views, found.features) == (2, 5)


def test_what_cannot_be_meant_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="--seconds is -1"):
        duplicate_features(store, seconds=-1)
    with pytest.raises(NotFound, match="did you mean 'spend'"):
        duplicate_features(store, "spent")


def test_copies_come_first() -> None:
    assert Likeness("a", "b", "same values", 30, 1.0).is_copy
    assert not Likeness("a", "b", "same order", 30, 1.0).is_copy
