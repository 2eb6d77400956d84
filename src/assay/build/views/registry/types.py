"""The types of a view's features, as words."""

import pyarrow as pa

from assay.build.data.expectations import type_word
from assay.build.views.declared.aggregates import Aggregate
from assay.build.views.registry.declaration import Declaration

__all__ = ["feature_types"]


def feature_types(declared: Declaration) -> dict[str, str]:
    """Arrow's word for the type of each feature, in the order in which they were declared."""
    schema = declared.rows_schema
    if declared.aggregates:
        return {name: type_word(_aggregated(one, schema), wide=False) for name, one in declared.aggregates.items()}
    return {field.name: type_word(field.type, wide=False) for field in schema if field.name not in declared.entity}


def _aggregated(one: Aggregate, schema: pa.Schema) -> pa.DataType:
    if one.kind in ("count", "distinct"):
        return pa.int64()
    if one.kind == "mean" or one.column is None:
        return pa.float64()
    kind = schema.field(one.column).type
    if one.kind in ("last", "min", "max"):
        return kind
    return pa.int64() if pa.types.is_integer(kind) or pa.types.is_boolean(kind) else pa.float64()
