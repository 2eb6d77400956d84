"""A linear model and all that stands before it as one sum: each column adds what its value is worth."""

import math
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiled.encoding import Encoder, NumberColumn, Step, Table
from assay.build.models.compiled.features import Feature
from assay.errors import InvalidInput

__all__ = ["LinearForm", "LinearModel", "Link", "is_linear", "linear_form", "linked"]

Floats = NDArray[np.float64]
Link: TypeAlias = Literal["identity", "logistic", "softmax", "exponential", "shares", "each"]
_LINKS: dict[str, Link] = {
    "LogisticRegression": "logistic",
    "LogisticRegressionCV": "logistic",
    "SGDClassifier": "logistic",
    "LinearRegression": "identity",
    "Ridge": "identity",
    "RidgeCV": "identity",
    "Lasso": "identity",
    "LassoCV": "identity",
    "ElasticNet": "identity",
    "ElasticNetCV": "identity",
    "SGDRegressor": "identity",
    "LinearSVR": "identity",
    "HuberRegressor": "identity",
    "PoissonRegressor": "exponential",
    "GammaRegressor": "exponential",
}
_SOME = 4  # rows, up to which a loop is faster than arrays


class LinearForm(msgspec.Struct, frozen=True):
    """The sum: of numbers times `weights`, with `gaps` for no value, and of `tables`; then the `link`.

    Weights and gaps have a list for each number column, with one number for each output. Gaps are NaN where the model
    refuses a missing number.
    """

    numbers: list[NumberColumn]
    weights: list[list[float]]
    gaps: list[list[float]]
    tables: list[Table]
    intercept: list[float]
    link: Link


def is_linear(name: str) -> bool:
    """Whether an estimator of scikit-learn of this name is linear."""
    return name in _LINKS


def linear_form(estimator: Any, features: list[Feature]) -> LinearForm | None:
    """The form of a fitted linear estimator; None for one of another kind, InvalidInput for what cannot be one sum."""
    name = type(estimator).__name__
    if not is_linear(name):
        return None
    link = _LINKS[name]
    if name == "SGDClassifier" and estimator.loss != "log_loss":
        raise InvalidInput(f"an SGDClassifier with loss={estimator.loss!r} is not compiled", expected="log_loss")
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    outputs = len(coefficients)
    intercept = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), (outputs,)).copy()
    if coefficients.shape[1] != len(features) or (link != "logistic" and outputs > 1):
        raise InvalidInput(f"a {name} of {coefficients.shape} coefficients for {len(features)} features")
    if link == "logistic" and outputs > 1:
        link = "softmax"
    weights: dict[int, Floats] = {}
    gaps: dict[int, Floats] = {}
    tables: dict[int, tuple[dict[Any, Floats], Floats | None, Floats | None]] = {}
    for one, coefficient in zip(features, coefficients.T, strict=True):
        if one.table is not None:
            tables[one.source] = _added(tables.get(one.source), one, coefficient)
            continue
        slope, offset, missing = _affine(one)
        weights[one.source] = weights.get(one.source, np.zeros(outputs)) + slope * coefficient
        gaps[one.source] = gaps.get(one.source, np.zeros(outputs)) + (missing - offset) * coefficient
        intercept += offset * coefficient
    return LinearForm(
        numbers=[NumberColumn(place) for place in weights],
        weights=[one.tolist() for one in weights.values()],
        gaps=[one.tolist() for one in gaps.values()],
        tables=[_table(place, *parts) for place, parts in tables.items()],
        intercept=intercept.tolist(),
        link=link,
    )


class LinearModel:
    """Computes the form. ValueError for a value that the model refuses."""

    def __init__(self, form: LinearForm) -> None:
        self._encoder = Encoder(form.numbers, form.tables)
        self._weights: Floats = np.array(form.weights).reshape(-1, len(form.intercept))
        self._gaps: Floats = np.array(form.gaps).reshape(-1, len(form.intercept))
        self._intercept = np.array(form.intercept)
        self._link = form.link
        self._single = None
        if len(form.intercept) == 1:  # in plain Python: for a few rows that takes a third of the time
            self._single = [
                (one.place, weight[0], gap[0])
                for one, weight, gap in zip(form.numbers, form.weights, form.gaps, strict=True)
            ]
            self._worth = [vectors[:, 0].tolist() for vectors in self._encoder.vectors]

    def predict(self, rows: Any) -> Floats:
        """[rows] numbers, or [rows, classes]."""
        if self._single is not None and isinstance(rows, list) and len(rows) <= _SOME:
            sums = self._sums(rows)
            if self._link == "logistic":
                return _probabilities(sums)
            return linked(np.array(sums)[:, None], self._link)
        return linked(self._raw(rows), self._link)

    def _sums(self, rows: list[tuple[Any, ...]]) -> list[float]:
        sums = []
        for row in rows:
            total = self._intercept.item()
            for place, weight, gap in self._single or ():
                value = row[place]
                total += gap if value is None else weight * value
            sums.append(total)
        for worth, codes in zip(self._worth, self._encoder.codes(rows), strict=True):
            for row_number, code in enumerate(codes):
                sums[row_number] += worth[code]
        if any(map(math.isnan, sums)):
            raise ValueError("the model refuses a missing number")
        return sums

    def _raw(self, rows: Any) -> Floats:
        numbers = self._encoder.numbers(rows)
        missing = np.isnan(numbers)
        # Not 0 times a gap: a gap that is refused is NaN, and would spoil every row.
        raw: Floats = np.where(missing, 0.0, numbers) @ self._weights + self._intercept
        for row, column in np.argwhere(missing).tolist():
            raw[row] += self._gaps[column]
        for vectors, codes in zip(self._encoder.vectors, self._encoder.codes(rows), strict=True):
            raw += vectors[codes]
        if np.isnan(raw).any():
            raise ValueError("the model refuses a missing number")
        return raw


def linked(raw: Floats, link: Link) -> Floats:
    """Raw sums [rows, outputs] as answers: [rows] predictions, or [rows, classes] probabilities."""
    if link == "identity":
        return raw[:, 0]
    if link == "exponential":
        exponential: Floats = np.exp(raw[:, 0])
        return exponential
    if link == "softmax":
        powers = np.exp(raw - raw.max(axis=1, keepdims=True))
        shares: Floats = powers / powers.sum(axis=1, keepdims=True)
        return shares
    if link == "shares" and raw.shape[1] > 1:
        return raw
    if link == "each":  # every class against all others: not made to sum to one
        powers = np.exp(-np.abs(raw))
        alone: Floats = np.where(raw >= 0, 1.0, powers) / (1.0 + powers)
        return alone
    if link == "logistic" and len(raw) <= _SOME:
        return _probabilities(raw[:, 0].tolist())
    both = np.empty((len(raw), 2))
    if link == "shares":
        both[:, 1] = raw[:, 0]
    else:
        # Of the absolute value, so that nothing overflows.
        powers = np.exp(-np.abs(raw[:, 0]))
        both[:, 1] = np.where(raw[:, 0] >= 0, 1.0, powers) / (1.0 + powers)
    np.subtract(1.0, both[:, 1], out=both[:, 0])
    return both


def _probabilities(sums: list[float]) -> Floats:
    """Of both classes; in plain Python, which for a few rows takes a fraction of the time."""
    found = []
    for one in sums:
        power = math.exp(-abs(one))
        positive = (1.0 if one >= 0 else power) / (1.0 + power)
        found.append((1.0 - positive, positive))
    return np.array(found)


def _affine(feature: Feature) -> tuple[float, float, float]:
    """Slope and offset of a number's steps, and what stands for no value."""
    slope, offset, missing = 1.0, 0.0, math.nan
    for name, first, _ in feature.steps:
        slope, offset = _with(slope, offset, name, first)
        if name in ("fill", "gap"):
            filled = first if name == "fill" else 1.0
            missing = filled if math.isnan(missing) else missing
        else:
            missing = _with(0.0, missing, name, first)[1]
    return slope, offset, missing


def _with(slope: float, offset: float, name: Step | str, value: float) -> tuple[float, float]:
    if name == "subtract":
        return slope, offset - value
    if name == "divide":
        return slope / value, offset / value
    if name == "multiply":
        return slope * value, offset * value
    if name == "add":
        return slope, offset + value
    if name == "gap":
        return 0.0, 0.0
    if name == "fill":
        return slope, offset
    raise InvalidInput(f"a {name} of numbers cannot be part of one sum")


def _added(
    known: tuple[dict[Any, Floats], Floats | None, Floats | None] | None, one: Feature, coefficient: Floats
) -> tuple[dict[Any, Floats], Floats | None, Floats | None]:
    assert one.table is not None
    worth = {key: value * coefficient for key, value in one.table.items()}
    missing = None if one.missing is None else one.missing * coefficient
    unknown = None if one.unknown is None else one.unknown * coefficient
    if known is None:
        return worth, missing, unknown
    if known[0].keys() != worth.keys():
        raise InvalidInput(f"column {one.source} is encoded twice, by different values")
    return (
        {key: value + worth[key] for key, value in known[0].items()},
        None if missing is None or known[1] is None else missing + known[1],
        None if unknown is None or known[2] is None else unknown + known[2],
    )


def _table(place: int, worth: dict[Any, Floats], missing: Floats | None, unknown: Floats | None) -> Table:
    width = len(next(iter(worth.values())))
    nothing = np.zeros(width)
    rows = [*worth.values(), nothing if missing is None else missing, nothing if unknown is None else unknown]
    content = np.ascontiguousarray(rows, dtype="<f8").tobytes()
    return Table(place, list(worth), content, missing is None, unknown is None)
