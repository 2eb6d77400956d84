"""What a table says about itself: what a new project begins with."""

from collections.abc import Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import column, is_number, is_text
from assay.build.data.split_times import is_time
from assay.errors import InvalidInput

__all__ = ["Guess", "is_prose", "look_at"]

_CLASSES = 20  # more different numbers are a quantity, not classes
_SEGMENT_VALUES = 12
_SEGMENTS = 3
_LONG_TEXT = 40  # characters on average: words, not categories
_YES = ("1", "1.0", "true", "yes", "y", "positive", "spam", "late", "churn", "churned", "default", "fraud", "bad")
_ID_NAMES = ("id", "rowid", "row_id", "index", "uuid", "guid", "key", "nr", "number", "unnamed: 0", "rownames")


class Guess(msgspec.Struct, frozen=True):
    """What was read off a table. `why_ignored` says why a column is left out; `margin` has the metric's unit."""

    template: str
    task: str
    positive: str | int | float | bool | None
    ignore: list[str]
    why_ignored: dict[str, str]
    time: str | None
    segments: list[str]
    text: list[str]
    images: list[str]
    metric: str
    margin: float
    margin_says: str


def look_at(table: pa.Table, label: str, template: str | None = None) -> Guess:
    """Guess what kind of project a table with that label is; `template` overrules what is guessed.

    InvalidInput for a label that is absent, constant, or known for no row, and a template that the label cannot be.
    """
    values = column(table, label)
    known = pc.drop_null(values)
    distinct = pc.count_distinct(known).as_py() if len(known) else 0
    if distinct < 2:
        found = f"is always {known[0].as_py()!r}" if len(known) else "is never known"
        raise InvalidInput(f"the label {label!r} {found}", expected="two values or more")
    others = [name for name in table.column_names if name != label]
    text = [name for name in others if is_prose(column(table, name))]
    images = [name for name in others if _is_image(column(table, name).type)]
    numeric = is_number(values.type)
    quantity = numeric and (distinct > _CLASSES or (pa.types.is_floating(values.type) and distinct > 2))
    found = template or _template(quantity=quantity, text=text, images=images)
    if found == "regression" and not numeric:
        raise InvalidInput(
            f"the label {label!r} is of type {values.type}",
            expected="numbers for regression",
            hint="--template classification",
        )
    if found == "text" and not text:
        raise InvalidInput("no column holds text of some length", expected="a column of words for --template text")
    if found == "images" and not images:
        raise InvalidInput("no column holds images", expected="a column of lists of numbers for --template images")
    task = "regression" if found == "regression" else "binary" if distinct == 2 else "multiclass"
    why = _why_ignored(table, others, text)
    metric, margin, says = _margin(task, known)
    return Guess(
        template=found,
        task=task,
        positive=_positive(known) if task == "binary" else None,
        ignore=list(why),
        why_ignored=why,
        time=next((name for name in others if is_time(column(table, name).type)), None),
        segments=_segments(table, [name for name in others if name not in why and name not in text]),
        text=text,
        images=images,
        metric=metric,
        margin=margin,
        margin_says=says,
    )


def _template(*, quantity: bool, text: list[str], images: list[str]) -> str:
    if quantity:
        return "regression"
    return "images" if images else "text" if text else "classification"


def _why_ignored(table: pa.Table, names: Sequence[str], text: Sequence[str]) -> dict[str, str]:
    """Columns that say which row it is and nothing about it."""
    why = {}
    for name in names:
        values = column(table, name)
        kind = values.type
        if _is_image(kind):
            continue
        present = len(values) - values.null_count
        if present == 0:
            why[name] = "no value is known"
            continue
        distinct = pc.count_distinct(values, mode="only_valid").as_py()
        if distinct == 1 and values.null_count == 0:
            why[name] = "it has one value"
        elif distinct == present > _CLASSES and pa.types.is_integer(kind) and _counts(values):
            why[name] = "it counts the rows"
        elif distinct == present > _CLASSES and (
            (is_text(kind) and name not in text) or (pa.types.is_integer(kind) and _named_like_an_id(name))
        ):
            why[name] = "another value in every row: an id"
        elif is_text(kind) and name not in text and distinct > max(_CLASSES, present // 2):
            why[name] = "nearly another value in every row"
    return why


def _counts(values: pa.ChunkedArray) -> bool:
    """Whether different whole numbers leave no gap."""
    ends = pc.min_max(values).as_py()
    return bool(ends["max"] - ends["min"] + 1 == len(values) - values.null_count)


def _named_like_an_id(name: str) -> bool:
    lower = name.strip().lower()
    return lower in _ID_NAMES or lower.endswith(("_id", " id", "_nr", "_key"))


def _segments(table: pa.Table, names: Sequence[str]) -> list[str]:
    """Categories with few values: who should not be forgotten."""
    found = []
    for name in names:
        values = column(table, name)
        if (is_text(values.type) or pa.types.is_boolean(values.type)) and (
            2 <= pc.count_distinct(values, mode="only_valid").as_py() <= _SEGMENT_VALUES
        ):
            found.append(name)
    return found[:_SEGMENTS]


def _positive(known: pa.ChunkedArray) -> str | int | float | bool:
    """What counts as 1: a word for yes, else the rarer value."""
    counts = {one["values"].as_py(): one["counts"].as_py() for one in pc.value_counts(known)}
    for value in counts:
        if str(value).strip().lower() in _YES:
            return value  # type: ignore[no-any-return] # text, number or boolean
    return min(counts, key=lambda value: (counts[value], str(value)))  # type: ignore[no-any-return]


def _margin(task: str, known: pa.ChunkedArray) -> tuple[str, float, str]:
    if task == "binary":
        return "brier", 0.01, "mean squared error of the probability"
    if task == "multiclass":
        return "accuracy", 0.03, "share of right answers"
    spread = pc.stddev(known.cast(pa.float64())).as_py()
    return (
        "mae",
        float(f"{spread / 20:.2g}"),
        "mean absolute error, in the unit of the label; this is 5 % of its spread",
    )


def is_prose(values: pa.ChunkedArray) -> bool:
    """Whether texts are words of some length, and not categories."""
    if not is_text(values.type) or values.null_count == len(values):
        return False
    lengths = pc.mean(pc.utf8_length(values)).as_py()
    return bool(lengths >= _LONG_TEXT)


def _is_image(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and is_number(kind.value_type))
