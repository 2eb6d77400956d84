"""The types that are told of features are those that a training set has."""

from datetime import datetime

import pyarrow as pa
import pytest

from assay.build.data.expectations import type_word
from assay.build.views.declared.aggregates import Aggregate, AggregateKind
from assay.build.views.declared.view import feature_view
from assay.build.views.joining.training_set import training_set
from assay.build.views.registry.registered import register
from assay.build.views.registry.types import feature_types
from assay.record.sqlstore import SqlStore

TABLE = pa.table(
    {
        "id": [1, 1],
        "at": [datetime(2024, 1, 1), datetime(2024, 1, 2)],
        "int32": pa.array([1, 2], pa.int32()),
        "uint8": pa.array([1, 2], pa.uint8()),
        "float": pa.array([1.0, 2.0], pa.float32()),
        "bool": [True, False],
        "text": ["a", "b"],
    }
)
LABELS = pa.table({"id": [1], "t": [datetime(2024, 1, 3)]})


@pytest.mark.parametrize("column", ["int32", "uint8", "float", "bool", "text"])
def test_of_every_aggregate_over_every_kind_of_column(store: SqlStore, column: str) -> None:
    kinds: tuple[AggregateKind, ...] = ("sum", "mean", "count", "distinct", "last")
    kinds = kinds[2:] if column == "text" else kinds
    declared = {f"{kind}_{column}": Aggregate(kind, column, 7 * 86_400_000_000) for kind in kinds}
    view = feature_view("window", entity="id", time="at", source=TABLE, features=declared)
    told = feature_types(register(store, view).declared)
    made = training_set(LABELS, [view], store=store).table.schema
    assert told == {name: type_word(made.field(name).type, wide=False) for name in declared}


def test_of_columns_and_expressions_in_their_order(store: SqlStore) -> None:
    view = feature_view(
        "one", entity="id", time="at", source=TABLE, features={"twice": "int32 * 2", "large": "float > 1"}
    )
    told = feature_types(register(store, view).declared)
    assert list(told.items()) == [("twice", "int32"), ("large", "bool")]
    assert list(feature_types(register(store, feature_view("all", entity="id", time="at", source=TABLE)).declared)) == [
        *("int32", "uint8", "float", "bool", "text")
    ]
