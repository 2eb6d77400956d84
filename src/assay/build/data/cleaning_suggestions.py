"""A cleaning to begin with: rules that a table seems to need, each with the reason."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.cleaner import kind_of, plain_column
from assay.build.data.cleaning import Cleaning, learned_categories
from assay.build.data.cleaning_rules import (
    AnyRule,
    Categories,
    DropMissing,
    DropRepeated,
    Fill,
    Kind,
    Outliers,
    Repair,
)
from assay.build.data.cleaning_values import category, each_value, read_boolean, read_number, read_time
from assay.build.data.seen import Seen, key_codes
from assay.record import tables as files

__all__ = ["suggest_cleaning"]

_READABLE = 0.95  # of the values: then the column is of that kind, and the others are mistakes
_MOST_CATEGORIES = 250
_RARE = 10  # rows: with fewer, a category teaches nothing
_RARE_ROWS = 0.05  # of all: were there more, most of the column would be lost
_FAR = 10  # times the middle half's width, beyond which a number is no member of its column
_FEW = 0.01  # of the rows: were there more so far out, the column would be like that


def suggest_cleaning(table: object, label: str | None = None) -> Cleaning:
    """Rules for missing values, outliers, categories, repeated rows and text that is something else, with reasons.

    The label is never changed; rows without one go. Read what it says before use: `print(cleaning.fit(table).report)`.
    """
    arrow = files.as_table(table)
    rules: list[AnyRule] = []
    if label is not None and (unlabelled := plain_column(arrow, label).null_count):
        rules.append(DropMissing((label,), why=f"{unlabelled:,} rows have no label"))
    rules += _repeated(arrow)
    for name in arrow.column_names:
        if name != label:
            rules += _of_column(name, plain_column(arrow, name))
    return Cleaning(tuple(rules))


def _repeated(table: pa.Table) -> list[AnyRule]:
    """Whole rows that are there twice, where that cannot be chance: nearly every row is there once."""
    if table.num_rows == 0 or any(pa.types.is_nested(field.type) for field in table.schema):
        return []
    different = len(np.unique(key_codes(Seen(table), table.column_names)))
    again = table.num_rows - different
    if again == 0 or again > table.num_rows * _FEW:
        return []
    return [DropRepeated(why=f"{again:,} rows are there again, all others once")]


def _of_column(name: str, values: pa.ChunkedArray) -> list[AnyRule]:
    rules: list[AnyRule] = []
    kind = kind_of(values.type)
    if len(values) == values.null_count:
        return []
    if kind == "text":
        repair, values = _repaired(name, values)
        rules += repair
        kind = kind_of(values.type)
    if kind == "text":
        rules += (found := _categories(name, values))
        if found and isinstance(found[0], Categories):
            values = each_value(values, category(found[0]), pa.string())
    if kind == "number":
        rules += _outliers(name, values)
    if values.null_count and kind != "time":
        share = values.null_count / len(values)
        why = f"{share:.1%} of the values are missing" + (": is the column worth keeping?" if share > 0.5 else "")
        if kind == "number":
            rules.append(Fill(name, "median", indicator=True, why=why))
        elif kind == "text":
            rules.append(Fill(name, "value", "missing", why=why))
        elif kind == "boolean":
            rules.append(Fill(name, "most frequent", indicator=True, why=why))
    return rules


def _repaired(name: str, values: pa.ChunkedArray) -> tuple[list[AnyRule], pa.ChunkedArray]:
    """What text is read as, where nearly all of it can be; codes with leading zeros are no numbers."""
    distinct = [text for text in pc.unique(values.drop_null()).to_pylist() if text.strip()]
    if not distinct:
        return [], values
    codes = any(text.strip().startswith("0") and text.strip()[1:2].isdigit() for text in distinct)
    kinds: list[tuple[Kind, Callable[[str], object], pa.DataType]] = [
        *([] if codes else [("number", read_number, pa.float64())]),  # type: ignore[list-item] # a tuple of three
        ("boolean", read_boolean, pa.bool_()),
        ("time", read_time, pa.timestamp("us", "UTC")),
    ]
    for kind, read, arrow in kinds:
        if sum(read(text) is not None for text in distinct) < _READABLE * len(distinct):
            continue
        made = each_value(values, read, arrow)
        read_share = (len(made) - made.null_count) / (len(values) - values.null_count)
        if read_share >= _READABLE:
            lost = made.null_count - values.null_count
            why = f"the text is {kind} in {read_share:.1%} of the values" + (f"; {lost:,} are not" if lost else "")
            return [Repair(name, kind, why=why)], made
    return [], values


def _categories(name: str, values: pa.ChunkedArray) -> list[AnyRule]:
    distinct = pc.unique(values.drop_null()).to_pylist()
    if len(distinct) > _MOST_CATEGORIES:
        return []
    stripped = {" ".join(text.split()) for text in distinct}
    folded = {text.casefold() for text in stripped}
    reasons = []
    if len(folded) < len(distinct):
        reasons.append(f"{len(distinct)} spellings of {len(folded)} values")
    rule = Categories(name, casefold=len(folded) < len(stripped))
    spellings = learned_categories(rule, values).spellings
    counts = pc.value_counts(each_value(values.drop_null(), category(rule, None, spellings), pa.string())).to_pylist()
    rare = [one["counts"] for one in counts if one["counts"] < _RARE]
    if len(rare) > 1 and sum(rare) <= _RARE_ROWS * len(values):
        reasons.append(f"{len(rare)} values have fewer than {_RARE} rows each")
        return [Categories(name, casefold=rule.casefold, fewest=_RARE, why="; ".join(reasons))]
    return [Categories(name, casefold=rule.casefold, why=reasons[0])] if reasons else []


def _outliers(name: str, values: pa.ChunkedArray) -> list[AnyRule]:
    numbers = values.drop_null().cast(pa.float64()).to_numpy()
    if len(numbers) < 100:
        return []
    low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75])
    reach = _FAR * (high - low)
    far = int(np.count_nonzero(np.abs(numbers - middle) > reach)) if reach > 0 else 0
    if far == 0 or far > _FEW * len(numbers):
        return []
    within = numbers[np.abs(numbers - middle) <= reach]
    why = f"{far:,} values are more than {_FAR} widths of the middle half from the median"
    return [Outliers(name, float(within.min()), float(within.max()), why=why)]
