"""The steps of a release, as people write them: `shadow,canary:1,5,25,50,ab`."""

import re
from itertools import pairwise
from typing import Literal

import msgspec

from assay.errors import InvalidInput, nearest
from assay.record.lengths import written_length

__all__ = ["HALF", "Kind", "Step", "coverage_of", "parse_strategy"]

Kind = Literal["direct", "shadow", "canary", "ab"]
HALF = 50.0  # percent: more than the champion's share is no canary
_KINDS: list[Kind] = ["direct", "shadow", "canary", "ab"]
_FORM = "such as shadow,canary:1,5,25,50,ab or canary:10 or shadow:2h or ab:7d or direct"
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)%?")
_PER_PERCENT = 200  # of 10,000 units: half of those that take part have the challenger


class Step(msgspec.Struct, frozen=True):
    """A stage of a release: the challenger answers `percent` of all units, or none of them as a shadow.

    It lasts `at_least_s` seconds or longer.
    """

    kind: Kind
    percent: float = 0.0
    at_least_s: int = 0

    @property
    def name(self) -> str:
        """What people call it: `shadow`, `canary 5 %`, `ab`."""
        return f"canary {self.percent:g} %" if self.kind == "canary" else self.kind


def coverage_of(step: Step) -> int:
    """How many of 10,000 units take part, half of them with the challenger."""
    return round(step.percent * _PER_PERCENT)


def parse_strategy(text: str) -> tuple[Step, ...]:
    """The steps in their order; InvalidInput says what is wrong with which, with the nearest right spelling."""
    steps: list[Step] = []
    for word in text.replace(" ", "").split(","):
        name, colon, rest = word.partition(":")
        if name in _KINDS:
            steps.append(_step(name, rest if colon else None, text))
        elif steps and steps[-1].kind == "canary" and _NUMBER.fullmatch(word):
            steps.append(_canary(word, text))
        else:
            close = nearest(name, [*_KINDS])
            raise InvalidInput(
                f"the strategy {text!r} has an unknown step {word!r}",
                expected=_FORM,
                hint=f"did you mean {close!r}?" if close else None,
            )
    _check_order(steps, text)
    return tuple(steps)


def _step(kind: Kind, rest: str | None, text: str) -> Step:
    if kind == "canary":
        if not rest:
            raise InvalidInput(f"a canary without a share in {text!r}", expected="its percents, as canary:1,5,25,50")
        return _canary(rest, text)
    if rest is None:
        return Step(kind, HALF if kind == "ab" else 0.0)
    length = written_length(rest)
    if kind == "direct" or length is None:
        raise InvalidInput(
            f"{kind}:{rest} in the strategy {text!r}",
            expected="direct, without anything behind it" if kind == "direct" else f"how long at least, as {kind}:2h",
        )
    return Step(kind, HALF if kind == "ab" else 0.0, int(length.total_seconds()))


def _canary(word: str, text: str) -> Step:
    found = _NUMBER.fullmatch(word)
    percent = float(found[1]) if found else 0.0
    whole = percent * _PER_PERCENT
    if not 0 < percent <= HALF or whole != round(whole):
        raise InvalidInput(
            f"a canary of {word!r} in the strategy {text!r}",
            expected=f"percents above 0 and up to {HALF:g}, in steps of {1 / _PER_PERCENT:g}",
        )
    return Step("canary", percent)


def _check_order(steps: list[Step], text: str) -> None:
    kinds = [step.kind for step in steps]
    ordered = all(
        _KINDS.index(before.kind) < _KINDS.index(after.kind)
        or (before.kind == after.kind == "canary" and before.percent < after.percent)
        for before, after in pairwise(steps)
    )
    if not ordered or ("direct" in kinds and len(kinds) > 1):
        raise InvalidInput(
            f"the steps of the strategy {text!r} are out of order",
            expected="direct alone, or shadow, then canaries with growing shares, then ab",
        )
