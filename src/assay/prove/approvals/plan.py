"""How a version is to go live: a part of what is approved."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from assay.record.canonical import digest

__all__ = ["BY_TEST", "DIRECT", "Going", "Plan", "covers"]

Stage = Literal["shadow", "canary", "ab"]


class Plan(msgspec.Struct, frozen=True):
    """The steps as `assay release` takes them, without spaces; `direct`: all at once, `test`: in tests and splits only.

    `rules` is the hash of the guardrails and the exposure of the steps, empty where the plan has none.
    """

    strategy: str
    rules: str = ""

    @property
    def hash(self) -> str:
        """Of the steps and the rules."""
        return digest([self.strategy, self.rules])

    @property
    def words(self) -> str:
        """As people read it."""
        return f"{self.strategy}, rules {self.rules[:8]}" if self.rules else self.strategy


DIRECT = Plan("direct")
BY_TEST = Plan("test")


class Going(msgspec.Struct, frozen=True):
    """What a version is about to do: by which plan, whether it goes fully live now, and how long it was at each stage.

    `ran` are seconds by stage: shadow, canary, ab.
    """

    plan: Plan = DIRECT
    fully: bool = True
    ran: Mapping[str, float] = {}


def covers(approved: Plan, wanted: Plan) -> bool:
    """Whether who approved one plan agreed to the other: the same, or a test of what may go live at once."""
    return approved == wanted or (wanted == BY_TEST and approved == DIRECT)
