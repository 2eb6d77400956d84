"""Cleaning, declared as rules: fitted on training rows only, applied to served rows identically."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from assay.build.data.cleaner import (
    Cleaner,
    CleaningReport,
    Learned,
    apply_rule,
    change_of,
    indicator_of,
    kind_of,
    plain_column,
)
from assay.build.data.cleaning_rows import RowCleaner
from assay.build.data.cleaning_rules import (
    AnyRule,
    Categories,
    DropMissing,
    DropRepeated,
    Fill,
    Outliers,
    Repair,
    Rule,
)
from assay.build.data.cleaning_values import category, each_value, written
from assay.build.data.columns import column, is_number, is_text
from assay.errors import InvalidInput
from assay.record import tables as files

_FEW_ROWS = 256  # value by value is faster up to about here

__all__ = ["Cleaning", "CleaningTransformer", "learned_categories"]


class Cleaning(msgspec.Struct, frozen=True):
    """Rules in the order in which they are applied.

    >>> import pyarrow as pa
    >>> from assay.build.data.cleaning_rules import Fill, Repair
    >>> cleaning = Cleaning([Repair("age", "number"), Fill("age", "median", indicator=True)])
    >>> cleaner = cleaning.fit(pa.table({"age": ["20", " 40 ", "unknown"]}))
    >>> cleaner.apply(pa.table({"age": ["?", "25"]})).to_pydict()
    {'age': [30.0, 25.0], 'age_missing': [1, 0]}
    """

    rules: Sequence[AnyRule]

    def __post_init__(self) -> None:
        rules = tuple(self.rules)
        for rule in rules:
            if not isinstance(rule, Rule):
                raise InvalidInput(f"a {type(rule).__name__} is no rule of cleaning", expected="such as Fill('age')")
        msgspec.structs.force_setattr(self, "rules", rules)

    def fit(self, table: object) -> Cleaner:
        """The rules with what they learn from these rows, each from the rows as the rules before it left them.

        InvalidInput for a column that is missing, or that a rule cannot read or learn from.
        """
        original = files.as_table(table)
        inputs = {field.name: kind_of(column(original, field.name).type) for field in original.schema}
        cleaned, fitted, changes = original, [], []
        for rule in self.rules:
            learned = _learn(rule, cleaned)
            before = cleaned
            cleaned, what = apply_rule(learned, cleaned, training=True)
            fitted.append(learned)
            changes.append(change_of(learned, before, cleaned, what))
        report = CleaningReport(tuple(changes), original.num_rows, cleaned.num_rows)
        return Cleaner(tuple(fitted), inputs, tuple(cleaned.column_names), report)


class CleaningTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A cleaning as a transformer of scikit-learn: fitted on what `fit` is given, so on each fold's training rows.

    `columns` name those of arrays of objects. A `Cleaner` may stand for the cleaning: it was fitted before, and stays.
    Tables and frames come out as the same kind, arrays of objects as such (see `Cleaner.transform`). A pipeline cannot
    drop rows: InvalidInput for a cleaning that does.
    """

    def __init__(self, cleaning: Cleaning | Cleaner, columns: Sequence[str] | None = None) -> None:
        self.cleaning = cleaning
        self.columns = columns

    def fit(self, X: Any, y: object = None) -> "CleaningTransformer":  # noqa: ARG002 - scikit-learn's signature
        """Learn from these rows; a cleaning that was fitted before stays as it is."""
        if isinstance(self.cleaning, Cleaner):
            self.cleaner_ = self.cleaning.only(self.columns or list(self.cleaning.inputs))
        else:
            if any(isinstance(rule, DropMissing | DropRepeated) for rule in self.cleaning.rules):
                raise InvalidInput(
                    "a step of a pipeline cannot drop rows",
                    hint="CleaningTransformer(cleaning.fit(rows)), which learned without the rows that are dropped",
                )
            self.cleaner_ = self.cleaning.fit(_as_table(X, self.columns))
        self._rows: RowCleaner | None = None
        self.n_features_in_ = len(self.cleaner_.inputs)
        return self

    def transform(self, X: Any) -> Any:
        """Clean these rows."""
        if isinstance(X, np.ndarray) and len(X) <= _FEW_ROWS and X.ndim == 2 and X.shape[1] == self.n_features_in_:
            if self._rows is None:
                self._rows = RowCleaner(self.cleaner_)
            cleaned = self._rows(X) if self._rows.ready else None
            if cleaned is not None:
                return cleaned
        return self.cleaner_.transform(X)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_rows": None}  # made again where it is loaded

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002 - as above
        """The columns that come out."""
        return np.array(self.cleaner_.outputs, dtype=object)


def _as_table(X: Any, columns: Sequence[str] | None) -> object:
    if not isinstance(X, np.ndarray):
        return X
    if columns is None or len(columns) != X.shape[1]:
        raise InvalidInput(
            f"the array has {X.shape[1]} columns without names", hint="CleaningTransformer(cleaning, columns=[...])"
        )
    try:
        arrays = [pa.array(X[:, position].tolist(), from_pandas=True) for position in range(X.shape[1])]
    except (pa.ArrowException, TypeError) as error:
        raise InvalidInput(f"a column of the array mixes kinds: {error}", expected="numbers or text") from error
    return pa.table(arrays, names=list(columns))


def _learn(rule: AnyRule, table: pa.Table) -> Learned:
    if isinstance(rule, DropMissing | DropRepeated):
        for name in rule.columns if isinstance(rule, DropMissing) else rule.key:
            column(table, name)
        return Learned(rule)
    values = plain_column(table, rule.column)
    if isinstance(rule, Fill):
        if rule.indicator and indicator_of(rule) in table.column_names:
            raise InvalidInput(f"the table has a column {indicator_of(rule)!r}", hint="call it something else")
        return Learned(rule, value=_filling(rule, values))
    if isinstance(rule, Outliers):
        _has_kind(rule, values, is_number(values.type), "numbers")
        low, high = rule.low, rule.high
        if rule.quantiles is not None and len(values) > values.null_count:
            low, high = pc.quantile(values.cast(pa.float64()), q=list(rule.quantiles)).to_pylist()
        return Learned(rule, low=low, high=high)
    if isinstance(rule, Categories):
        _has_kind(rule, values, is_text(values.type) or pa.types.is_null(values.type), "text")
        return learned_categories(rule, values.cast(pa.string()))
    assert isinstance(rule, Repair)
    is_fit = is_text(values.type) or kind_of(values.type) in (rule.to, "number") or pa.types.is_null(values.type)
    _has_kind(rule, values, is_fit, f"text or {rule.to}")
    return Learned(rule)


def learned_categories(rule: Categories, values: pa.ChunkedArray) -> Learned:
    """The spelling of each value that most rows have, where case does not count, and the values of enough rows."""
    spellings: dict[str, str] | None = None
    if rule.casefold:
        counts = pc.value_counts(
            each_value(values.drop_null(), lambda text: written(rule, text), pa.string())
        ).to_pylist()
        spellings = {}
        for one in sorted(counts, key=lambda one: (-one["counts"], one["values"])):
            spellings.setdefault(one["values"].casefold(), one["values"])
    if not rule.fewest:
        return Learned(rule, spellings=spellings)
    found = pc.value_counts(each_value(values, category(rule, None, spellings), pa.string()))
    kept = found.filter(pc.greater_equal(found.field("counts"), rule.fewest)).field("values").drop_null()
    return Learned(rule, known=tuple(sorted({*kept.to_pylist(), rule.other})), spellings=spellings)


def _filling(rule: Fill, values: pa.ChunkedArray) -> float | str | bool | None:
    if rule.by == "value":
        try:
            return pa.scalar(rule.value, pa.float64() if is_number(values.type) else values.type).as_py()  # type: ignore[no-any-return]
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise InvalidInput(
                f"{rule.value!r} cannot stand in column {rule.column!r}", expected=str(values.type)
            ) from error
    known = values.drop_null()
    if not len(known):
        raise InvalidInput(
            f"column {rule.column!r} has no value in the training rows", hint='by="value" with a value, or leave it out'
        )
    if rule.by == "most frequent":
        if kind_of(values.type) not in ("number", "text", "boolean"):
            raise InvalidInput(f"column {rule.column!r} is of type {values.type}", expected="numbers, text or booleans")
        counts = sorted((-count["counts"], count["values"]) for count in pc.value_counts(known).to_pylist())
        found = counts[0][1]
        return float(found) if is_number(values.type) else found
    _has_kind(rule, values, is_number(values.type), "numbers")
    numbers = known.cast(pa.float64())
    return float(pc.mean(numbers).as_py() if rule.by == "mean" else np.median(numbers.to_numpy()))


def _has_kind(rule: Fill | Outliers | Categories | Repair, values: pa.ChunkedArray, is_fit: bool, kind: str) -> None:
    if not is_fit:
        raise InvalidInput(
            f"column {rule.column!r} is of type {values.type}, which {rule.__struct_config__.tag!r} does not read",
            expected=kind,
        )
