"""Features declared once: the same definition gives the columns of a training table and those of a request."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from assay.build.data import sql
from assay.build.data.columns import column, is_number, is_text
from assay.build.features.fitted import Fitted
from assay.errors import InvalidInput
from assay.record import tables

__all__ = ["Definition", "Features"]

Definition: TypeAlias = str | Callable[..., ArrayLike] | Fitted
_ALONE = 16  # rows that are computed alone, to compare


class Features:
    """Columns by definition: an SQL expression, a function of columns, or one that is fitted (`Frequency`, ...).

    A function is called with the columns its parameters are named after, as arrays (numbers as floats with NaN for
    null, text as objects, times as datetime64), and gives one value for each row; in a list it names the feature.
    Definitions may use those before them. All of them see one row at a time, so that a request gives what training
    gave: SQL that looks at other rows or at the clock is refused, and `check` compares functions.

    >>> import pyarrow as pa
    >>> features = Features({"speed": "distance / hours", "fast": "speed > 400"})
    >>> features.apply(pa.table({"distance": [1000.0], "hours": [2.0]})).to_pylist()
    [{'distance': 1000.0, 'hours': 2.0, 'speed': 500.0, 'fast': True}]
    """

    def __init__(self, definitions: Mapping[str, Definition] | Sequence[Callable[..., ArrayLike]]) -> None:
        if not isinstance(definitions, Mapping):
            definitions = {function.__name__: function for function in definitions}
        for name, one in definitions.items():
            if isinstance(one, str):
                sql.check_row_wise(one, name)
        self.definitions: dict[str, Definition] = dict(definitions)
        self.columns: list[str] = []
        self._fitted = not any(hasattr(one, "fit") for one in definitions.values())

    def fit(self, data: object, label: str | None = None) -> "Features":
        """Learn from training rows what is fitted; returns itself."""
        self._added(tables.as_table(data), label, self._fit_one)
        return self

    def fit_apply(self, data: object, label: str | None = None, *, seed: int = 0) -> pa.Table:
        """`fit`, and the training rows with their features: what learns from the label answers for other rows only."""

        def crossed(one: Fitted, table: pa.Table, labels: pa.ChunkedArray | None) -> dict[str, NDArray[np.float64]]:
            return one.cross_fitted(table, labels, seed)

        return self._added(tables.as_table(data), label, crossed)

    def apply(self, data: object) -> pa.Table:
        """The rows with their features behind the other columns. InvalidInput before `fit`, where that is needed."""
        if not self._fitted:
            raise InvalidInput("the features were not fitted", hint="features.fit(training_table, label=...)")
        return self._added(tables.as_table(data), None, lambda one, table, _: one.values(table))

    def check(self, data: object) -> None:
        """InvalidInput where a row alone gives something else than among others: 16 rows are tried."""
        table = tables.as_table(data)
        together = self.apply(table)
        places = np.linspace(0, table.num_rows - 1, min(_ALONE, table.num_rows)).astype(int)
        for place in places.tolist():
            alone = self.apply(table.slice(place, 1))
            for name in self.columns:
                first, second = alone.column(name)[0].as_py(), together.column(name)[place].as_py()
                if not _same(first, second):
                    raise InvalidInput(
                        f"the feature {name!r} is {first!r} for a row alone and {second!r} among others",
                        where=f"row {place}",
                        expected="a function of the row alone, or one that is fitted",
                    )

    def _fit_one(self, one: Fitted, table: pa.Table, labels: pa.ChunkedArray | None) -> dict[str, NDArray[np.float64]]:
        return one.fit(table, labels).values(table)

    def _added(
        self,
        table: pa.Table,
        label: str | None,
        learned: Callable[[Fitted, pa.Table, pa.ChunkedArray | None], dict[str, NDArray[np.float64]]],
    ) -> pa.Table:
        labels = column(table, label) if label is not None else None
        before = table.num_columns
        waiting: dict[str, str] = {}
        for name, one in self.definitions.items():
            if name in table.column_names or name in waiting:
                raise InvalidInput(f"the table has a column {name!r} already", expected="another name for the feature")
            if isinstance(one, str):
                waiting[name] = one
                continue
            table, waiting = _with_sql(table, waiting), {}
            if hasattr(one, "fit"):
                for end, values in learned(cast(Fitted, one), table, labels).items():
                    table = table.append_column(f"{name}{end}", pa.array(values))
            else:
                table = table.append_column(name, _called(one, name, table))
        table = _with_sql(table, waiting)
        self.columns = table.column_names[before:]
        self._fitted = True
        return table


def _with_sql(table: pa.Table, expressions: Mapping[str, str]) -> pa.Table:
    if not expressions:
        return table
    found = sql.computed(expressions, table)
    for name in found.column_names:
        table = table.append_column(name, found.column(name))
    return table


def _called(function: Any, name: str, table: pa.Table) -> pa.Array:
    arrays = [_array(table, parameter) for parameter in inspect.signature(function).parameters]
    try:
        found = pa.array(np.asarray(function(*arrays)), from_pandas=True)
    except Exception as error:
        raise InvalidInput(f"the feature {name!r} cannot be computed: {type(error).__name__}: {error}") from error
    if len(found) != table.num_rows:
        raise InvalidInput(
            f"the feature {name!r} gives {len(found):,} values for {table.num_rows:,} rows", expected="one for each row"
        )
    return found


def _array(table: pa.Table, name: str) -> NDArray[Any]:
    values = column(table, name)
    if is_number(values.type) or pa.types.is_boolean(values.type):
        return cast("NDArray[Any]", values.cast(pa.float64()).to_numpy())
    if is_text(values.type):
        return cast("NDArray[Any]", values.to_numpy().astype(object))
    return cast("NDArray[Any]", values.to_numpy())


def _same(first: object, second: object) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return first == second or bool(np.isclose(first, second, rtol=1e-9, atol=0.0, equal_nan=True))
    return first == second
