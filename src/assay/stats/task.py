"""What the models of a profile answer: a class, a number, an order, or texts that were scored."""

from typing import Literal

import msgspec

from assay.errors import InvalidInput

__all__ = ["BINARY", "RANKING", "SCORES", "TASKS", "Quantity", "Task", "TaskName", "check_task"]

TaskName = Literal["binary", "multiclass", "regression", "quantile", "ranking", "scores"]
TASKS: tuple[TaskName, ...] = ("binary", "multiclass", "regression", "quantile", "ranking", "scores")

_LARGEST = 1e4  # of a number in units of its scale, in absolute value: its square must fit into a sum
_MOST_CLASSES = 200


class Quantity(msgspec.Struct, frozen=True):
    """A number that each row has for each model, and whose mean is a metric, such as a judge's score or a cost.

    `scale` is the unit it is summed in; numbers of up to about ten thousand units can be. `low` and `high` are the
    smallest and largest value it can take, None where it has no such bound.
    """

    name: str
    title: str
    larger_is_better: bool
    scale: float = 1.0
    low: float | None = None
    high: float | None = None


class Task(msgspec.Struct, frozen=True):
    """The kind of answers, and what their sums need to know. Profiles of equal tasks can be added.

    `classes` of a multiclass model, in order, and whether it gives `probabilities` for them or one class only.
    `level` of the quantile that is predicted. `scale` is the unit in which labels and predictions of a regression are
    summed, best a power of two near the largest label. `weighted`: rows have sample weights. `quantities` are summed
    beside what the task itself needs; of "ranking" and "scores" they are all there is.
    """

    name: TaskName
    classes: tuple[str, ...] = ()
    probabilities: bool = False
    level: float = 0.5
    scale: float = 1.0
    weighted: bool = False
    quantities: tuple[Quantity, ...] = ()

    @property
    def has_scores(self) -> bool:
        """Whether models give scores whose order is kept in histograms."""
        return self.name == "binary"


BINARY = Task("binary")
RANKING = Task(
    "ranking",
    quantities=(
        Quantity("ndcg", "Normalised discounted cumulative gain", True, low=0.0, high=1.0),
        Quantity("mrr", "Reciprocal rank of the first relevant", True, low=0.0, high=1.0),
        Quantity("map", "Average precision of the query", True, low=0.0, high=1.0),
    ),
)
SCORES = Task("scores", quantities=(Quantity("score", "Mean score", True),))


def check_task(task: Task) -> None:
    """InvalidInput where the task contradicts itself."""
    if task.name not in TASKS:
        raise InvalidInput(f"there is no task {task.name!r}", expected=f"one of {', '.join(TASKS)}")
    if task.name == "multiclass" and not 2 <= len(set(task.classes)) == len(task.classes) <= _MOST_CLASSES:
        raise InvalidInput(
            f"a multiclass task with {len(task.classes)} classes", expected=f"2 to {_MOST_CLASSES} different ones"
        )
    if not 0.0 < task.level < 1.0:
        raise InvalidInput(f"the quantile level is {task.level!r}", expected="inside (0, 1), such as 0.9")
    for name, scale in (("the labels", task.scale), *((one.name, one.scale) for one in task.quantities)):
        if not 0.0 < scale < float("inf"):
            raise InvalidInput(f"the scale of {name} is {scale!r}", expected="a number above 0")
    names = [one.name for one in task.quantities]
    if len(set(names)) < len(names) or not all(name.isidentifier() for name in names):
        raise InvalidInput(
            f"the numbers of each row are called {', '.join(names)}", expected="different names of letters and digits"
        )


def within_scale(largest: float, scale: float) -> bool:
    """Whether numbers of that size can be summed in that unit."""
    return largest <= _LARGEST * scale
