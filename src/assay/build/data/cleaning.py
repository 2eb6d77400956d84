"""Cleaning, declared as rules: fitted on training rows only, applied to served rows identically."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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

if TYPE_CHECKING:
    from assay.build.data.cleaning_transformer import CleaningTransformer

__all__ = ["Cleaning", "learned_categories"]


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
        rules = (self.rules,) if isinstance(self.rules, Rule) else tuple(self.rules)
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

    def transformer(self, columns: Sequence[str] | None = None) -> "CleaningTransformer":
        """A step for a Pipeline of scikit-learn, fitted with it; `columns` name those of arrays of objects."""
        from assay.build.data.cleaning_transformer import CleaningTransformer  # scikit-learn takes a second

        return CleaningTransformer(self, columns)


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
