"""Multiclass classification: what each labelled row adds, and the metrics that follow.

A model gives a class, or probabilities of all of them; its answer is then the first of the likeliest. Counts are kept
by class (labelled, answered, both) and, of a pair of models, where both are right: enough for every F score, for
Cohen's kappa, and for Tango's test of accuracy and of the recall of a class.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.arrays import floats_of, refuse, same_length
from assay.stats.contributions import Contributions, Kinds, add_mean, mean_columns
from assay.stats.metric import Metric, divide, labelled, mean_metric, right_pairs
from assay.stats.sums import Sums, column_name
from assay.stats.task import Task

__all__ = ["answers_of", "columns_of", "contributions_of", "labels_of", "metrics_of"]

Floats = NDArray[np.float64]
OfClass = Callable[[str, Sums, str], Floats]

_SMALLEST_PROBABILITY = 1e-15
_SUM_TOLERANCE = 1e-3


def labels_of(task: Task, values: ArrayLike, n: int) -> Floats:
    """[n] places of the labels among the classes, NaN for None and NaN; InvalidInput for other classes."""
    return _places(task, values, "labels", n, missing=True)


def answers_of(task: Task, values: ArrayLike, model: str, n: int) -> Floats:
    """[n] places of the classes, or [n, classes] probabilities as the task says; InvalidInput for others."""
    if not task.probabilities:
        return _places(task, values, f"answers of {model}", n, missing=False)
    name = f"probabilities of {model}"
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n, len(task.classes)):
        raise InvalidInput(
            f"{name} have shape {array.shape}, but there are {n} rows",
            expected=f"{len(task.classes)} numbers for each row, in the order {', '.join(task.classes)}",
        )
    wrong = ~((array >= 0) & (array <= 1)).all(axis=1) | (np.abs(array.sum(axis=1) - 1.0) > _SUM_TOLERANCE)
    refuse(wrong, array.sum(axis=1), f"sums of {name}", "probabilities, 0 to 1, that add up to 1")
    return array


def columns_of(task: Task, models: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all columns that `contributions_of` fills, in order."""
    names = [*_right_columns(task, models)[0]]
    names += [column_name(f"says:{one}", model) for model in models for one in task.classes]
    if task.probabilities:
        names += [name for loss in ("log_loss", "squared_error") for name in mean_columns(loss, models)]
    return tuple(names)


def contributions_of(
    task: Task, label: Floats, answers: Mapping[str, Floats], _thresholds: Mapping[str, float]
) -> Contributions:
    """Of labelled rows; `answers` in increasing order of models."""
    models, size = tuple(answers), len(task.classes)
    truth = label.astype(np.int64)
    says = {model: _answer(values) for model, values in answers.items()}
    kind = truth
    for model in models:
        kind = kind * 2 + (says[model] == truth)
    kinds = [Kinds(_right_columns(task, models)[0], kind, _right_columns(task, models)[1])]
    for model in models:
        names = tuple(column_name(f"says:{one}", model) for one in task.classes)
        kinds.append(Kinds(names, says[model], np.eye(size, dtype=np.int64)))
    values: dict[str, Floats] = {}
    if task.probabilities:
        add_mean(values, "log_loss", {model: _log_losses(truth, answers[model]) for model in models})
        add_mean(values, "squared_error", {model: _squared_errors(truth, answers[model]) for model in models})
    return Contributions(kinds, values)


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """Accuracy, averages over classes, kappa, losses of probabilities, and recall, precision and F1 of each class."""
    found = [
        Metric(
            "accuracy",
            "Accuracy",
            True,
            "rate",
            lambda sums, model: divide(sums.count("right", model), sums.labelled),
            labelled,
            lambda sums, model: sums.count("right", model),
            pairs=partial(right_pairs, "right"),
        ),
        _average(task, "macro_f1", "F1 score, mean of the classes", _f1, weighted=False),
        _average(task, "weighted_f1", "F1 score, classes weighted by their rows", _f1, weighted=True),
        _average(task, "macro_recall", "Recall, mean of the classes", _recall, weighted=False),
        _average(task, "macro_precision", "Precision, mean of the classes", _precision, weighted=False),
        Metric(
            "kappa",
            "Cohen's kappa",
            True,
            "smooth",
            partial(_kappa, task),
            labelled,
            minimum=2,
            bounds=(-1.0, 1.0),
        ),
    ]
    if task.probabilities:
        found.append(mean_metric("log_loss", "Log loss", False, (0.0, math.inf)))
        found.append(mean_metric("squared_error", "Brier score", False, (0.0, 2.0), name="brier"))
    for one in task.classes:
        found += _class_metrics(one)
    return tuple(found)


def _class_metrics(one: str) -> list[Metric]:
    return [
        Metric(
            f"recall:{one}",
            f"Recall of {one}",
            True,
            "rate",
            partial(_recall, one),
            lambda sums, _: sums.count(f"label:{one}"),
            lambda sums, model: sums.count(f"right:{one}", model),
            pairs=partial(right_pairs, f"right:{one}"),
        ),
        Metric(
            f"precision:{one}",
            f"Precision of {one}",
            True,
            "ratio",
            partial(_precision, one),
            lambda sums, model: sums.count(f"says:{one}", model),
            lambda sums, model: sums.count(f"right:{one}", model),
        ),
        Metric(
            f"f1:{one}",
            f"F1 score of {one}",
            True,
            "ratio",
            partial(_f1, one),
            lambda sums, model: (sums.count(f"label:{one}") + sums.count(f"says:{one}", model)) / 2.0,
            lambda sums, model: sums.count(f"right:{one}", model),
        ),
        Metric(
            f"share:{one}",
            f"Share of {one}",
            None,
            "rate",
            lambda sums, model: divide(sums.count(f"says:{one}", model), sums.labelled),
            labelled,
            lambda sums, model: sums.count(f"says:{one}", model),
        ),
    ]


def _places(task: Task, values: ArrayLike, name: str, n: int, *, missing: bool) -> Floats:
    given = np.asarray(values, dtype=object)
    same_length(name, given.shape, n)
    place = {one: float(code) for code, one in enumerate(task.classes)}
    distinct: dict[object, float] = {}
    for value in dict.fromkeys(given.tolist()):
        none = value is None or (isinstance(value, float) and math.isnan(value))
        if none and not missing:
            raise InvalidInput(f"{name} are missing in some rows", expected="a class for each row")
        text = _text(value)
        if not none and text not in place:
            raise InvalidInput(
                f"{name}: {text!r} is none of the classes",
                expected=", ".join(task.classes),
                hint=nearest(text, list(task.classes)),
            )
        distinct[value] = math.nan if none else place[text]
    return floats_of([distinct.get(value, math.nan) for value in given.tolist()], name, n)


def _text(value: object) -> str:
    """A class as text; 1.0, as which a whole number with missing values arrives, is 1."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _answer(values: Floats) -> NDArray[np.int64]:
    return values.argmax(axis=1) if values.ndim > 1 else values.astype(np.int64)


def _log_losses(truth: NDArray[np.int64], probabilities: Floats) -> Floats:
    given = probabilities[np.arange(len(truth)), truth] / probabilities.sum(axis=1)
    losses: Floats = -np.log(np.clip(given, _SMALLEST_PROBABILITY, 1.0))
    return losses


def _squared_errors(truth: NDArray[np.int64], probabilities: Floats) -> Floats:
    """Brier's sum over all classes, 0 to 2."""
    came = np.zeros_like(probabilities)
    came[np.arange(len(truth)), truth] = 1.0
    errors: Floats = ((probabilities - came) ** 2).sum(axis=1)
    return errors


def _right_columns(task: Task, models: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The columns by label, and which kinds count into each; a kind is the label's place, then a bit for each model."""
    kinds = np.arange(len(task.classes) * 2 ** len(models))
    truth = kinds >> len(models)
    right = {model: kinds >> (len(models) - 1 - place) & 1 for place, model in enumerate(models)}
    columns = {f"label:{one}": (truth == place).astype(np.int64) for place, one in enumerate(task.classes)}
    sides: list[tuple[tuple[str, ...], NDArray[np.int64]]] = [((model,), right[model]) for model in models]
    sides += [((first, second), right[first] * right[second]) for first, second in combinations(models, 2)]
    for names, both in sides:
        columns[column_name("right", *names)] = both
        for place, one in enumerate(task.classes):
            columns[column_name(f"right:{one}", *names)] = both * (truth == place)
    return tuple(columns), np.stack(list(columns.values()), axis=1).astype(np.int64)


def _recall(one: str, sums: Sums, model: str) -> Floats:
    return divide(sums.count(f"right:{one}", model), sums.count(f"label:{one}"))


def _precision(one: str, sums: Sums, model: str) -> Floats:
    return divide(sums.count(f"right:{one}", model), sums.count(f"says:{one}", model))


def _f1(one: str, sums: Sums, model: str) -> Floats:
    both = sums.count(f"label:{one}") + sums.count(f"says:{one}", model)
    return divide(2.0 * sums.count(f"right:{one}", model), both)


def _average(task: Task, name: str, title: str, part: OfClass, *, weighted: bool) -> Metric:
    return Metric(name, title, True, "smooth", partial(_mean_of_classes, task, part, weighted), labelled, minimum=2)


def _mean_of_classes(task: Task, part: OfClass, weighted: bool, sums: Sums, model: str) -> Floats:
    """Over the classes that are labelled or answered; one that was answered in vain, or never, counts 0."""
    labels = np.stack([sums.count(f"label:{one}") for one in task.classes], axis=1)
    says = np.stack([sums.count(f"says:{one}", model) for one in task.classes], axis=1)
    values = np.stack([np.nan_to_num(part(one, sums, model)) for one in task.classes], axis=1)
    weights = labels if weighted else ((labels + says) > 0).astype(np.float64)
    return divide((values * weights).sum(axis=1), weights.sum(axis=1))


def _kappa(task: Task, sums: Sums, model: str) -> Floats:
    n = sums.labelled
    chance = np.zeros(len(n))
    for one in task.classes:
        chance = chance + sums.count(f"label:{one}") * sums.count(f"says:{one}", model)
    return divide(n * sums.count("right", model) - chance, n**2 - chance)
