"""Segments by an expression of a user: SQL, an Arrow expression, or a function of the table."""

from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import ArrayLike

from assay.build.data.sql import computed
from assay.errors import InvalidInput

__all__ = ["Expression", "evaluated"]

Expression: TypeAlias = str | pc.Expression | Callable[[pa.Table], ArrayLike]


def evaluated(expression: Expression, table: pa.Table, name: str) -> pa.ChunkedArray:
    """A value for each row, as text: `yes` or `no` where the expression is true or false, else what it gives.

    Text is an SQL expression in DuckDB's dialect, such as `hour >= 22 and carrier = 'UA'`, which sees nothing but the
    columns. InvalidInput, naming the segment, for one that fails or gives another number of values.
    """
    try:
        if isinstance(expression, str):
            found = computed({name: expression}, table, "segment").column(name)
        elif isinstance(expression, pc.Expression):
            found = ds.dataset(table).to_table(columns={"value": expression}).column("value")
        else:
            given = expression(table)
            is_arrow = isinstance(given, pa.Array | pa.ChunkedArray)
            found = pa.chunked_array([given]) if not isinstance(given, pa.ChunkedArray) and is_arrow else given
            found = found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([pa.array(given)])
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(
            f"the segment {name!r} cannot be computed: {str(error).splitlines()[0] if str(error) else error!r}",
            expected="an expression of the columns",
        ) from error
    if len(found) != table.num_rows:
        raise InvalidInput(
            f"the segment {name!r} gives {len(found)} values for {table.num_rows:,} rows", expected="one for each row"
        )
    if pa.types.is_boolean(found.type):
        return pc.if_else(found, "yes", "no").cast(pa.string())
    return found.cast(pa.string())
