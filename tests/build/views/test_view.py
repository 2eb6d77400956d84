"""What can be declared of a feature view, and what is refused."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

import assay
from assay.build.data.checks import in_range
from assay.build.data.expectations import Expectations
from assay.build.views.declared.aggregates import count, mean
from assay.build.views.declared.view import DEFINED, feature_view
from assay.errors import InvalidInput

COMMON: dict[str, Any] = {"entity": "customer", "source": "orders", "time": "at"}


def _view(**more: Any) -> Any:
    return feature_view("spend", **{**COMMON, **more})


def test_a_decorated_function_is_called_as_before_and_describes_itself() -> None:
    @assay.feature_view(**COMMON, ttl="30d", fresh="1d", owner="ana", tags="money")
    def spend(orders: pa.Table) -> pa.Table:
        """What a customer spends.

        And more.
        """
        return orders.select(["customer"])

    table = pa.table({"customer": [1], "at": [2]})
    assert spend(table) == table.select(["customer"])
    assert vars(spend)["__name__"] == "spend"
    assert (spend.name, spend.description, spend.entity) == ("spend", "What a customer spends.", ("customer",))
    assert (spend.ttl_us, spend.fresh_us, spend.tags) == (30 * 86_400_000_000, 86_400_000_000, ("money",))
    assert DEFINED["spend"] is spend


def test_a_view_without_a_function_is_columns_expressions_or_aggregates() -> None:
    assert _view().features is None
    assert _view(features="amount").features == ("amount",)
    assert _view(features=["amount", "items"]).features == ("amount", "items")
    said = _view(features={"large": "amount > 100"})
    assert (said.features, dict(said.expressions)) == (("large",), {"large": "amount > 100"})
    assert list(_view(features={"week": mean("amount", over="7d")}).aggregates) == ["week"]
    with pytest.raises(InvalidInput, match="has no function"):
        _view()(pa.table({}))


def test_an_entity_may_have_several_columns() -> None:
    assert _view(entity=["origin", "carrier"]).entity == ("origin", "carrier")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"entity": []}, "entity is"),
        ({"entity": ["a", "a"]}, "entity is"),
        ({"entity": ["a", ""]}, "entity is"),
        ({"entity": ["customer", "at"]}, "'at' is named twice"),
        ({"created": "at"}, "'at' is named twice"),
        ({"source": None}, "has no source"),
        ({"features": ["amount", "at"]}, "the feature 'at'"),
        ({"ttl": "0d"}, "ttl is 0"),
        ({"ttl": timedelta(0)}, "ttl is 0"),
        ({"ttl": "soon"}, "ttl is 'soon'"),
        ({"fresh": "0s"}, "fresh is 0"),
        ({"delay": "-1d"}, "delay is '-1d'"),
        ({"features": {"a": 3}}, "the feature 'a' is a int"),
        ({"features": {"a": "sum(amount)  over ()"}}, "looks at other rows"),
        ({"features": {"a": "random()"}}, "gives something else each time"),
        ({"features": {"a": "amount", "b": mean("amount", over="7d")}}, "an aggregate over rows"),
        ({"features": {"b": mean("amount", over="7d")}, "ttl": "1d"}, "has windows and a ttl"),
        ({"event": "order"}, "has no aggregates"),
        ({"event": "customer", "features": {"n": count(over="7d")}}, "which are key columns"),
        ({"source": {"orders": "o", "items": "i"}}, "several sources and no function"),
    ],
)
def test_what_makes_no_sense_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        _view(**more)


@pytest.mark.parametrize("name", ["", "a b", "a@1", "a:b", "1a", "é"])
def test_a_name_is_letters_digits_and_few_signs(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a feature view"):
        feature_view(name, **COMMON)


def test_key_columns_may_stand_among_those_that_name_an_event() -> None:
    assert _view(event=["order", "customer"], features={"n": count(over="7d")}).event == ("order",)


def test_sources_are_the_parameters_of_the_function() -> None:
    with pytest.raises(InvalidInput, match=r"'order' of 'both' .*do not agree") as refused:

        @feature_view(entity="customer", time="at", source={"order": "a", "items": "b"})
        def both(orders: pa.Table, items: pa.Table) -> pa.Table:
            return orders

    assert "did you mean 'orders'" in str(refused.value)


def test_what_is_refused_is_not_defined() -> None:
    with pytest.raises(InvalidInput):
        feature_view("never", entity="customer", source=None, time="at")
    assert "never" not in DEFINED


def test_checks_are_expectations_and_a_list_of_them_is_taken() -> None:
    one = in_range("amount", low=0)
    assert _view(checks=Expectations((one,))).checks == Expectations((one,))
    assert _view(checks=[one]).checks == Expectations((one,))
    with pytest.raises(InvalidInput, match="checks"):
        _view(checks="amount > 0")
