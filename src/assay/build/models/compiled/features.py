"""What a fitted preparation of scikit-learn makes of each column, read off the preparation itself.

Numbers go through steps such as filling and scaling. Of an encoder of categories each known value is asked for, and
what it says is a table: so whatever its settings are, the table says the same.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled.encoding import Rounding, Step, stepped
from assay.build.models.inputs import Column
from assay.errors import InvalidInput

__all__ = ["Feature", "prepared_features", "raw_features"]

Floats = NDArray[np.float64]
_UNSEEN = "\x00 a text that nobody has"
_ENCODERS = ("OrdinalEncoder", "OneHotEncoder", "TargetEncoder")


@dataclass(frozen=True)
class Feature:
    """A number that the estimator sees, made of the column at `source`.

    Of a number by `steps`. Of a category by its `table`, with what stands for no value and for one that is not in it;
    None where the model refuses such; `rounding` says how a number is looked up. `text` that no encoder has seen yet
    has neither; `fill` is the text that stands for no value.
    """

    source: int
    text: bool = False
    fill: str | None = None
    steps: tuple[Step, ...] = ()
    table: dict[Any, float] | None = None
    missing: float | None = None
    unknown: float | None = None
    rounding: Rounding = "exact"

    def after(self, *steps: Step) -> "Feature":
        """The feature after more steps."""
        if self.text and self.table is None:
            raise InvalidInput(f"text is taken for a number in column {self.source}")
        if self.table is None:
            return replace(self, steps=self.steps + steps)
        said = [*self.table.values(), *(one for one in (self.missing, self.unknown) if one is not None)]
        after = iter(stepped(np.array(said, dtype=np.float64), steps).tolist())
        table = {key: next(after) for key in self.table}
        missing = None if self.missing is None else next(after)
        return replace(self, table=table, missing=missing, unknown=None if self.unknown is None else next(after))


def raw_features(columns: Sequence[Column]) -> list[Feature]:
    """The columns as they come."""
    return [Feature(place, text=not one.is_number) for place, one in enumerate(columns)]


def prepared_features(transformer: Any, features: Sequence[Feature]) -> list[Feature]:
    """The features after a fitted transformer. InvalidInput, which names it, for one that is not known here."""
    given = list(features)
    if transformer is None or transformer == "passthrough":
        return given
    name = type(transformer).__name__
    if name == "Pipeline":
        for _, step in transformer.steps:
            given = prepared_features(step, given)
        return given
    if name == "ColumnTransformer":
        return list(_columns(transformer, given))
    if name in _ENCODERS:
        return _encoded(transformer, given)
    if name == "SimpleImputer":
        return _filled(transformer, given)
    if name == "FunctionTransformer":
        return _function(transformer, given)
    steps = _scaling(transformer, name, len(given))
    return [one.after(*step) for one, step in zip(given, steps, strict=True)]


def _columns(transformer: Any, given: list[Feature]) -> Iterable[Feature]:
    places = transformer._transformer_to_input_indices
    for name, part, _ in transformer.transformers_:
        if part != "drop" and len(places[name]):
            yield from prepared_features(part, [given[place] for place in places[name]])


def _filled(imputer: Any, given: list[Feature]) -> list[Feature]:
    if any(one.text and one.table is None for one in given):
        if imputer.missing_values is not None or imputer.add_indicator or any(one.table is not None for one in given):
            raise InvalidInput("a SimpleImputer of text is compiled only for missing_values=None, and before encoding")
        return [replace(one, fill=str(said)) for one, said in zip(given, imputer.statistics_, strict=True)]
    if not isinstance(imputer.missing_values, float) or not np.isnan(imputer.missing_values):
        raise InvalidInput(f"a SimpleImputer with missing_values={imputer.missing_values!r} is not compiled")
    found = [
        one.after(("fill", float(said), 0.0))
        for one, said in zip(given, imputer.statistics_, strict=True)
        if not np.isnan(said)
    ]
    if imputer.add_indicator:
        found += [given[place].after(("gap", 0.0, 0.0)) for place in imputer.indicator_.features_.tolist()]
    return found


def _function(transformer: Any, given: list[Feature]) -> list[Feature]:
    func = getattr(transformer.func, "func", transformer.func)  # of a partial
    if func is None or func is np.asarray:
        return given
    if getattr(func, "__module__", "").startswith("sklearn.") and func.__name__ == "check_array":
        return given
    raise InvalidInput(f"a FunctionTransformer of {transformer.func!r} is not compiled: it could do anything")


def _scaling(transformer: Any, name: str, count: int) -> list[tuple[Step, ...]]:
    def each(attribute: str) -> list[float] | None:
        values = getattr(transformer, attribute, None)
        return None if values is None else [float(one) for one in values]

    first = second = None
    if name in ("StandardScaler", "RobustScaler", "MaxAbsScaler"):
        center = "mean_" if name == "StandardScaler" else "center_"
        first = each(center)
        second = each("scale_")
        parts = [
            [("subtract", one, 0.0) for one in first] if first else [],
            [("divide", one, 0.0) for one in second] if second else [],
        ]
    elif name == "MinMaxScaler":
        first, second = each("scale_") or [], each("min_") or []
        low, high = (float(one) for one in transformer.feature_range)
        parts = [
            [("multiply", one, 0.0) for one in first],
            [("add", one, 0.0) for one in second],
            [("clip", low, high)] * count if transformer.clip else [],
        ]
    else:
        raise InvalidInput(
            f"a {name} is not compiled",
            expected="encoders of categories, SimpleImputer, scalers, ColumnTransformer, Pipeline",
        )
    return [tuple(part[place] for part in parts if part) for place in range(count)]


def _encoded(encoder: Any, given: list[Feature]) -> list[Feature]:
    """Features of tables: what the encoder says of each value of each column, the others staying as they are."""
    categories = [list(one) for one in encoder.categories_]
    widths = list(getattr(encoder, "_n_features_outs", None) or [1] * len(given))
    if len(widths) != len(given):
        raise InvalidInput(f"a {type(encoder).__name__} of more than two classes is not compiled")
    base = [next((value for value in known if not _is_gap(value)), None) for known in categories]
    found = []
    end = 0
    for place, (feature, known) in enumerate(zip(given, categories, strict=True)):
        start, end = end, end + widths[place]

        def said(values: Sequence[Any], place: int = place, start: int = start, end: int = end) -> Floats | None:
            if not values:
                return np.empty((0, end - start))
            rows = np.empty((len(values), len(base)), dtype=object)
            rows[:] = base
            rows[:, place] = values
            return _transformed(encoder, rows, start, end)

        found += _of_column(feature, known, end - start, said)
    return found


def _of_column(feature: Feature, known: list[Any], width: int, said: Any) -> list[Feature]:
    if feature.table is not None:  # encoded before: what stands for a value is encoded once more
        keys = list(feature.table)
        values = said(list(feature.table.values()))
        missing = said([feature.missing]) if feature.missing is not None else None
        unknown = said([feature.unknown]) if feature.unknown is not None else None
    elif feature.text:
        keys = [value for value in known if isinstance(value, str)]
        values = said(keys)
        missing, unknown = said([feature.fill]), said([_UNSEEN])
    elif feature.steps:
        raise InvalidInput(f"column {feature.source} is scaled before it is encoded, which is not compiled")
    else:
        keys = [float(value) for value in known if not _is_gap(value)]
        values = said(keys)
        missing, unknown = said([np.nan]), said([max(keys, default=0.0) + 1.5])
    if values is None:
        raise InvalidInput(f"the encoder of column {feature.source} refuses values that it knows")
    return [
        replace(
            feature,
            table=dict(zip(keys, values[:, column].tolist(), strict=True)),
            missing=None if missing is None else float(missing[0, column]),
            unknown=None if unknown is None else float(unknown[0, column]),
        )
        for column in range(width)
    ]


def _transformed(encoder: Any, rows: NDArray[np.object_], start: int, end: int) -> Floats | None:
    """What it says of the rows; None where it refuses them."""
    numbers = all(known.dtype.kind == "f" for known in encoder.categories_)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names of columns, and values that it does not know
            made = encoder.transform(rows.astype(np.float64) if numbers else rows)
    except (ValueError, TypeError):
        return None
    dense = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
    return np.asarray(dense[:, start:end], dtype=np.float64)


def _is_gap(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
