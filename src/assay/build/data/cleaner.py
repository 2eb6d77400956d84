"""A fitted cleaning: what the training rows taught it, applied to any rows, one at a time or all at once alike."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.cleaning_rules import (
    AnyRule,
    Categories,
    DropMissing,
    DropRepeated,
    Fill,
    Outliers,
    Repair,
)
from assay.build.data.cleaning_values import category, each_value, reader_of, write_text
from assay.build.data.columns import column, is_number, is_text
from assay.build.data.seen import Seen, key_codes
from assay.errors import InvalidInput, nearest
from assay.record import tables as files
from assay.record.canonical import digest

if TYPE_CHECKING:
    from assay.build.data.cleaning_transformer import CleaningTransformer

__all__ = [
    "Change",
    "Cleaner",
    "CleaningReport",
    "Learned",
    "apply_rule",
    "change_of",
    "indicator_of",
    "kind_of",
    "plain_column",
]

_TIME = pa.timestamp("us", "UTC")
_ARROW = {"number": pa.float64(), "time": _TIME, "boolean": pa.bool_(), "text": pa.string()}


class Learned(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule and what it learned from the training rows: what fills, the ends of the range, categories."""

    rule: AnyRule
    value: float | str | bool | None = None
    low: float | None = None
    high: float | None = None
    known: tuple[str, ...] | None = None
    spellings: dict[str, str] | None = None


class Change(msgspec.Struct, frozen=True):
    """What a rule did to the rows of a table."""

    rule: str
    column: str
    changed: int
    rows: int
    what: str
    why: str


class CleaningReport(msgspec.Struct, frozen=True):
    """What each rule did, in their order, to how many rows, and why. `str` of it is for people."""

    changes: tuple[Change, ...]
    rows_before: int
    rows_after: int

    def __str__(self) -> str:
        lines = [f"{self.rows_before:,} rows" + (f", {self.rows_after:,} after" if self._dropped else "")]
        for one in self.changes:
            why = f" ({one.why})" if one.why else ""
            lines.append(f"  {one.column}: {one.what}, {one.changed:,} of {one.rows:,} rows{why}")
        return "\n".join(lines)

    @property
    def _dropped(self) -> bool:
        return self.rows_after != self.rows_before


class Cleaner(msgspec.Struct, frozen=True):
    """Fitted rules, to be applied to training rows and to served ones. It is data, which msgspec and pickle write.

    `inputs` are the columns it was fitted on and their kinds (number, text, time, boolean, other), `outputs` those it
    makes, in order. `report` says what the rules did to the training rows.
    """

    rules: tuple[Learned, ...]
    inputs: dict[str, str]
    outputs: tuple[str, ...]
    report: CleaningReport

    @property
    def hash(self) -> str:
        """SHA-256 of the rules and what they learned."""
        return digest(msgspec.to_builtins([self.rules, self.inputs]))

    def apply(self, table: object, *, training: bool = False) -> pa.Table:
        """The table cleaned. Rows are dropped only with `training`; other columns stay as they are.

        InvalidInput for a column of a rule that is missing or of a kind that cannot be read as the one in training.
        """
        return self._applied(files.as_table(table), training=training)[0]

    def transformer(self, columns: Sequence[str] | None = None) -> "CleaningTransformer":
        """A step for a Pipeline of scikit-learn that is fitted already; `columns` are those it is given, or all."""
        from assay.build.data.cleaning_transformer import CleaningTransformer  # scikit-learn takes a second

        return CleaningTransformer(self, columns)

    def changes(self, table: object, *, training: bool = False) -> CleaningReport:
        """What the rules do to another table."""
        arrow = files.as_table(table)
        cleaned, changes = self._applied(arrow, training=training, counting=True)
        return CleaningReport(tuple(changes), arrow.num_rows, cleaned.num_rows)

    def only(self, columns: Sequence[str]) -> "Cleaner":
        """What it does to these of its columns, in this order; rules that drop rows are left out."""
        for name in columns:
            if name not in self.inputs:
                close = nearest(name, list(self.inputs))
                raise InvalidInput(
                    f"the cleaning was not fitted on a column {name!r}",
                    expected=", ".join(self.inputs),
                    hint=f"did you mean {close!r}?" if close else None,
                )
        kept = tuple(one for one in self.rules if _column_of(one.rule) in columns)
        made = [indicator_of(one.rule) for one in kept if isinstance(one.rule, Fill) and one.rule.indicator]
        return Cleaner(kept, {name: self.inputs[name] for name in columns}, (*columns, *made), self.report)

    def transform(self, X: Any) -> Any:
        """Rows cleaned: a table or a frame as the same kind, an array of objects (rows, columns) as an array.

        The columns of an array are those of `inputs`, in order. In the array that comes out times are seconds since
        1970, booleans 0 and 1; missing is NaN among numbers, and None in text.
        """
        if isinstance(X, np.ndarray):
            return self._matrix(self.apply(self._table(X)))
        cleaned = self.apply(X)
        if isinstance(X, pa.Table):
            return cleaned
        module = type(X).__module__.partition(".")[0]
        if module == "polars":
            import polars

            return polars.from_arrow(cleaned)
        frame = cleaned.to_pandas()
        if module == "pandas":
            frame.index = X.index
        return frame

    def _applied(self, table: pa.Table, *, training: bool, counting: bool = False) -> tuple[pa.Table, list[Change]]:
        changes = []
        for name in dict.fromkeys(name for one in self.rules if (name := _column_of(one.rule)) is not None):
            if name in self.inputs:
                table = _replaced(table, name, plain_column(table, name, self.inputs[name]))
        for learned in self.rules:
            before = table
            table, what = apply_rule(learned, table, training=training)
            if counting:
                changes.append(change_of(learned, before, table, what))
        return table.replace_schema_metadata(None), changes  # pandas' word on its columns is no longer true

    def _table(self, X: NDArray[np.object_]) -> pa.Table:
        """An array of objects as a table of the columns the cleaner was fitted on."""
        names = list(self.inputs)
        if X.ndim != 2 or X.shape[1] != len(names):
            raise InvalidInput(f"the array is of shape {X.shape}", expected=f"(rows, {len(names)}): {', '.join(names)}")
        arrays = []
        for position, name in enumerate(names):
            kind, values = self.inputs[name], X[:, position].tolist()
            if kind == "boolean":  # a float among other inputs of models
                values = [None if value is None or value != value else bool(value) for value in values]  # noqa: PLR0124 - NaN
            try:
                made = pa.array(values, _ARROW.get(kind), from_pandas=True)
            except (pa.ArrowException, TypeError) as error:
                raise InvalidInput(f"column {name!r} of the array is not all {kind}: {error}", expected=kind) from error
            arrays.append(made)
        return pa.table(arrays, names=names)

    def _matrix(self, table: pa.Table) -> NDArray[np.object_]:
        rows = np.empty((table.num_rows, len(self.outputs)), dtype=object)
        for position, name in enumerate(self.outputs):
            values = column(table, name)
            if kind_of(values.type) == "time":
                values = pc.divide(values.cast(_TIME).cast(pa.int64()).cast(pa.float64()), 1e6)
            elif not is_text(values.type):
                values = values.cast(pa.float64())
            rows[:, position] = values.to_numpy(zero_copy_only=False)
        return rows


def plain_column(table: pa.Table, name: str, kind: str | None = None) -> pa.ChunkedArray:
    """A column as rules read it: NaN is missing, categories are text; of that kind, where one is given."""
    values = column(table, name)
    if is_text(values.type):
        values = values.cast(pa.string())
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    found = kind_of(values.type)
    if kind in (None, "other", found):
        return values
    try:
        if kind == "text" and found == "number":
            return pa.chunked_array(
                [[None if one is None else write_text(one) for one in values.to_pylist()]], pa.string()
            )
        return values.cast(_ARROW[str(kind)])
    except pa.ArrowException as error:
        raise InvalidInput(
            f"column {name!r} is of type {values.type}, and was {kind} in training", hint=f"give it as {kind}"
        ) from error


def kind_of(kind: pa.DataType) -> str:
    """number, text, time, boolean or other."""
    if is_number(kind):
        return "number"
    if is_text(kind):
        return "text"
    if pa.types.is_boolean(kind):
        return "boolean"
    return "time" if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else "other"


def apply_rule(learned: Learned, table: pa.Table, *, training: bool) -> tuple[pa.Table, str]:
    """The table after one rule, and what the rule does, in words."""
    rule = learned.rule
    if isinstance(rule, DropMissing | DropRepeated):
        what = "rows with missing values dropped" if isinstance(rule, DropMissing) else "repeated rows dropped"
        return (table.filter(_stay(rule, table)) if training else table), what
    values = plain_column(table, rule.column)
    made, what = _CHANGED[type(rule)](learned, values)
    changed = _replaced(table, rule.column, made)
    if isinstance(rule, Fill) and rule.indicator:
        changed = changed.append_column(indicator_of(rule), pc.is_null(values).cast(pa.int8()))
    return changed, what


def indicator_of(rule: Fill) -> str:
    """The column that says where values were missing."""
    return f"{rule.column}_missing"


def _fill(learned: Learned, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    if is_number(values.type):
        values = values.cast(pa.float64())
    return pc.fill_null(values, pa.scalar(learned.value, values.type)), f"missing values become {learned.value!r}"


def _outliers(learned: Learned, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    numbers = values.cast(pa.float64())
    low, high = learned.low, learned.high
    said = f"outside [{'-inf' if low is None else f'{low:g}'}, {'inf' if high is None else f'{high:g}'}]"
    rule = learned.rule
    assert isinstance(rule, Outliers)
    for end, beyond in ((low, pc.less), (high, pc.greater)):
        if end is not None:
            instead = pa.scalar(None if rule.become == "missing" else end, pa.float64())
            numbers = pc.if_else(pc.fill_null(beyond(numbers, end), False), instead, numbers)
    return numbers, f"values {said} are {'missing' if rule.become == 'missing' else 'clipped'}"


def _categories(learned: Learned, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    rule = learned.rule
    assert isinstance(rule, Categories)
    known = frozenset(learned.known) if learned.known is not None else None
    rare = f", values of fewer than {rule.fewest} training rows are {rule.other!r}" if rule.fewest else ""
    return each_value(values, category(rule, known, learned.spellings), pa.string()), f"written in one way{rare}"


def _repair(learned: Learned, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    rule = learned.rule
    assert isinstance(rule, Repair)
    what = f"read as {rule.to}"
    if is_text(values.type) and rule.to != "text":
        return each_value(values, reader_of(rule), _ARROW[rule.to]), what
    return plain_column(pa.table({rule.column: values}), rule.column, rule.to).cast(_ARROW[rule.to]), what


_CHANGED: dict[type[AnyRule], Callable[[Learned, pa.ChunkedArray], tuple[pa.ChunkedArray, str]]] = {
    Fill: _fill,
    Outliers: _outliers,
    Categories: _categories,
    Repair: _repair,
}


def _stay(rule: DropMissing | DropRepeated, table: pa.Table) -> pa.Array:
    """Which rows stay."""
    if isinstance(rule, DropMissing):
        stay = np.ones(table.num_rows, bool)
        for name in rule.columns:
            stay &= plain_column(table, name).is_valid().to_numpy()
        return pa.array(stay)
    first = np.zeros(table.num_rows, bool)
    if table.num_rows:
        first[np.unique(key_codes(Seen(table), rule.key or table.column_names), return_index=True)[1]] = True
    return pa.array(first)


def _column_of(rule: AnyRule) -> str | None:
    """The column that a rule changes; None where it drops rows."""
    return None if isinstance(rule, DropMissing | DropRepeated) else rule.column


def _replaced(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def change_of(learned: Learned, before: pa.Table, after: pa.Table, what: str) -> Change:
    """What a rule did, counted."""
    rule = learned.rule
    if isinstance(rule, DropMissing | DropRepeated):
        names = rule.columns if isinstance(rule, DropMissing) else rule.key
        changed, where = before.num_rows - after.num_rows, ", ".join(names) or "all columns"
    else:
        changed, where = _differing(plain_column(before, rule.column), after[rule.column]), rule.column
        unread = after[rule.column].null_count - plain_column(before, rule.column).null_count
        what += f", {unread:,} of them could not be read" if isinstance(rule, Repair) and unread else ""
    return Change(str(rule.__struct_config__.tag), where, changed, before.num_rows, what, rule.why)


def _differing(before: pa.ChunkedArray, after: pa.ChunkedArray) -> int:
    """How many rows hold something else; a value of another type is another value, but for numbers."""
    if before.type != after.type:
        if not (is_number(before.type) and is_number(after.type)):
            return int(len(before) - before.null_count)
        before = before.cast(after.type)
    same = pc.or_(pc.fill_null(pc.equal(before, after), False), pc.and_(pc.is_null(before), pc.is_null(after)))
    return len(before) - int(np.count_nonzero(same.to_numpy()))
