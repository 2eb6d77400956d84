"""Metrics by name."""

from assay.errors import InvalidInput, nearest
from assay.stats.families import metrics_of
from assay.stats.metric import Metric
from assay.stats.task import BINARY, RANKING, SCORES, Task

__all__ = ["known_metrics", "metric_named", "metric_of_any_task", "metrics_of"]


def metric_named(name: str | Metric, task: Task = BINARY) -> Metric:
    """The metric of that name, or the one given; InvalidInput with the nearest spelling where the task has none."""
    if isinstance(name, Metric):
        return name
    known = metrics_of(task)
    if name not in known:
        raise InvalidInput(
            f"there is no metric {name!r} for the task {task.name}",
            expected=f"one of {', '.join(known)}",
            hint=nearest(name, list(known)),
        )
    return known[name]


def metric_of_any_task(name: str) -> Metric | None:
    """The metric of that name in the first task that has it, such as `recall:cat` of a multiclass model; None if none.

    What is better, and the bounds of its values, do not depend on the task.
    """
    kind, _, of_class = name.partition(":")
    if of_class:
        return metrics_of(_multiclass(of_class)).get(f"{kind}:{of_class}")
    return next((found[name] for found in map(metrics_of, _TASKS) if name in found), None)


def known_metrics() -> list[str]:
    """The names of all metrics that do not depend on a team's own classes and quantities."""
    return list(dict.fromkeys(name for task in _TASKS for name in metrics_of(task) if ":" not in name))


def _multiclass(of_class: str) -> Task:
    return Task("multiclass", classes=(of_class, f"not {of_class}"), probabilities=True)


_TASKS = (BINARY, _multiclass("a"), Task("regression"), Task("quantile"), RANKING, SCORES)
