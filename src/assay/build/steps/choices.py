"""What of a pipeline runs although it is remembered, or must not run: no_cache, from_step, only, resume."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.build.steps.calls import Definition
from assay.build.steps.step_record import Found
from assay.errors import InvalidInput, NotFound, nearest

__all__ = ["Choices"]


@dataclass(frozen=True, slots=True)
class Choices:
    """`kept_results` are those that this run, which is resumed, has from steps that are otherwise never remembered."""

    no_cache: bool = False
    from_step: str | None = None
    only: str | None = None
    kept_results: Mapping[str, deque[Found]] = field(default_factory=dict)

    def begins_at(self, step: Definition) -> bool:
        """Whether this step, and all that takes its result, is to run."""
        return self.from_step is not None and self.from_step in (step.label, step.name)

    def runs(self, step: Definition, *, is_after: bool) -> bool:
        """Whether it is computed whatever is remembered; `is_after`: `from_step` names it or one before it."""
        return self.no_cache or is_after or (self.only is not None and self.only in (step.label, step.name))

    def kept(self, key: str) -> Found | None:
        """What the resumed run has of a step that is never remembered; each result once, in the order of calls."""
        waiting = self.kept_results.get(key)
        return waiting.popleft() if waiting else None

    def check_may_run(self, step: Definition) -> None:
        """NotFound where only another step may run and this one is not remembered."""
        if self.only is not None and self.only not in (step.label, step.name):
            raise NotFound(
                f"step {step.name} is not remembered, and only {self.only} may run",
                hint=f"run the pipeline once without only=, or with from_step={step.label!r}",
            )

    def check_met(self, called: set[str]) -> None:
        """InvalidInput where a step is named that the pipeline never called."""
        for option, name in (("from_step", self.from_step), ("only", self.only)):
            if name is not None and name not in called:
                close = nearest(name, sorted(called))
                raise InvalidInput(
                    f"{option} is {name!r}, and no such step was called",
                    expected=f"one of {', '.join(sorted(one for one in called if '.' not in one)[:8])}",
                    hint=f"{option}={close!r}" if close else None,
                )
