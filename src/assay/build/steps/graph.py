"""Calls of a pipeline as a graph: handles that stand for results, and the values behind them.

The body of a pipeline only adds calls; they begin when a value is first asked for, so that a mistake in what is passed
is told before anything runs.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from assay.build.executors.executor import Executor
from assay.build.steps import waiting
from assay.build.steps.annotations import check_arguments
from assay.build.steps.calls import Definition
from assay.build.steps.choices import Choices
from assay.build.steps.fan_out import iterated, results_or_failures
from assay.build.steps.flow import Flow
from assay.build.steps.handles import Handle, Mapped, handles_in, replaced
from assay.build.steps.node import Node, before, one_by_one
from assay.build.steps.work import derived_seed
from assay.errors import InvalidInput
from assay.record.tracking.runs import Run

__all__ = ["Graph"]


class Graph:
    """The calls of one pipeline in one run."""

    def __init__(
        self, run: Run, executor: Executor | Callable[[], Executor], seed: int | None, choices: Choices
    ) -> None:
        self._run = run
        self._seed = seed
        self._choices = choices
        self._nodes: dict[Handle[Any], Node] = {}
        self._flow = Flow(run, executor, seed, choices, self._nodes)

    # --- the body --------------------------------------------------------------------------------------------------

    def add(self, step: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle[Any]:
        """A call that runs when what it needs is there."""
        return self._added(step, args, kwargs, None)

    def add_all(self, step: Definition, items: object, fixed: dict[str, Any]) -> Mapped[Any]:
        """A call for every item."""
        listed = items.result() if isinstance(items, Handle) and not isinstance(items, Mapped) else items
        each = [self._added(step, (item,), fixed, index) for index, item in enumerate(iterated(listed, step))]
        nodes = [self._nodes[handle] for handle in each]
        mapped: Mapped[Any] = Mapped(step.label, lambda: self._taken_all(step, nodes), each)
        return mapped

    def value(self, given: Any) -> Any:
        """What is given, with the value of every handle in it."""
        self._flow.settle([self._node(handle) for handle in one_by_one(handles_in(given))])
        return replaced(given, lambda handle: handle.result())

    def ask(self, question: str, evidence: object, deadline: timedelta | datetime | None) -> waiting.Answer:
        """The answer of a person, when everything that was called before is finished; Waiting without one."""
        shown = self.value(evidence)
        self._finish_all()
        keys = [node.keyed.key for node in self._nodes.values() if node.keyed is not None]
        return waiting.ask(self._run, self._flow.record, question, shown, deadline, keys)

    def finish(self) -> None:
        """Wait for every call; raises the first failure that nobody has been told."""
        self._finish_all()
        self._choices.check_met(
            {node.step.label for node in self._nodes.values()} | {node.step.name for node in self._nodes.values()}
        )

    def leave(self, *, cancel: bool) -> None:
        """Begin nothing more. What runs is stopped where that can be, or else waited for, and kept."""
        self._flow.leave(cancel=cancel)

    def _finish_all(self) -> None:
        self._flow.settle(self._nodes.values())
        for node in self._nodes.values():
            if node.error is not None and not node.is_told:
                node.is_told = True
                raise node.error

    # --- taking values ---------------------------------------------------------------------------------------------

    def _added(self, step: Definition, args: tuple[Any, ...], kwargs: dict[str, Any], index: int | None) -> Handle[Any]:
        arguments = self._bound(step, args, kwargs, index)
        parts = [self._node(handle) for handle in one_by_one(handles_in(list(arguments.values())))]
        check_arguments(step, arguments, lambda handle: self._node(handle).step)
        node = Node(step, arguments, parts, index)
        node.is_chosen = self._choices.begins_at(step) or any(part.is_chosen for part in parts)
        handle: Handle[Any] = Handle(step.label, lambda: self._taken(node))
        self._nodes[handle] = node
        self._flow.add(node)
        return handle

    def _bound(
        self, step: Definition, args: tuple[Any, ...], kwargs: dict[str, Any], index: int | None
    ) -> dict[str, Any]:
        """Arguments by name. One called `seed` that is not given, and has no value but None, is derived."""
        parameter = step.signature.parameters.get("seed")
        if parameter is not None and parameter.default in (parameter.empty, None):
            bound = step.signature.bind_partial(*args, **kwargs)
            if bound.arguments.get("seed") is None and parameter.kind is not parameter.POSITIONAL_ONLY:
                kwargs = {**kwargs, "seed": derived_seed(self._seed or 0, step.name, index)}
        try:
            return step.arguments(args, kwargs)
        except TypeError as error:
            raise InvalidInput(f"step {step.name} is called in a wrong way: {error}") from None

    def _node(self, handle: Handle[Any]) -> Node:
        node = self._nodes.get(handle)
        if node is None:
            raise InvalidInput(
                f"{handle!r} belongs to another pipeline, which has ended", hint="pass its value: take it by .result()"
            )
        return node

    def _taken(self, node: Node) -> Any:
        self._flow.settle([node])
        if node.error is not None:
            node.is_told = True
            for part in before(node):
                part.is_told = part.error is not None
            raise node.error
        return node.value

    def _taken_all(self, step: Definition, nodes: list[Node]) -> list[Any]:
        self._flow.settle(nodes)
        failed = [(node.index, node.error) for node in nodes if node.error is not None]
        for node in nodes:
            for part in (node, *before(node)):
                part.is_told = part.error is not None
        return results_or_failures(step, [node.value for node in nodes], failed)
