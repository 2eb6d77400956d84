"""What a condition is found to be: true, false, or unknown where what it asks for is not on record."""

from collections.abc import Sequence

import msgspec

__all__ = ["Cause", "Truth", "all_true", "any_true", "inverted"]


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a trigger would fire. `identity` says which firing it is: one is carried out once, whoever looks how often.

    `words` say it to a person, `evidence` is what it was found from. One that `repeats` stays true after it was carried
    out in vain: it may be tried again, as a firing of its own. `planned` is the time of a schedule.
    """

    kind: str
    identity: str
    words: str
    evidence: dict[str, object] = {}
    repeats: bool = False
    planned: str | None = None
    alert_id: str | None = None


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """`holds` is None where it cannot be told. `causes` are the reasons, one at least where it holds; `words` say why
    it does not, or what is missing; `next` is when a planned time comes.
    """

    holds: bool | None
    words: str
    causes: Sequence[Cause] = ()
    next: str | None = None


def any_true(found: Sequence[Truth]) -> Truth:
    """True where one of them is, each cause a reason of its own; unknown where none is and one is unknown."""
    causes = [cause for one in found for cause in one.causes if one.holds]
    holds = True if causes else None if any(one.holds is None for one in found) else False
    return Truth(holds=holds, words=_words(found, "; "), causes=causes, next=_soonest(found))


def all_true(found: Sequence[Truth]) -> Truth:
    """True where all of them are: together they are one cause. False where one is false, whatever is unknown."""
    if all(one.holds for one in found):
        first = [one.causes[0] for one in found if one.causes]
        cause = Cause(
            kind=first[0].kind,
            identity=" & ".join(cause.identity for cause in first),
            words=" and ".join(cause.words for cause in first),
            evidence={"all": [{"words": cause.words, **cause.evidence} for cause in first]},
            repeats=all(cause.repeats for cause in first),
            planned=next((cause.planned for cause in first if cause.planned), None),
            alert_id=next((cause.alert_id for cause in first if cause.alert_id), None),
        )
        return Truth(holds=True, words=cause.words, causes=[cause], next=_soonest(found))
    holds = False if any(one.holds is False for one in found) else None
    return Truth(holds=holds, words=_words([one for one in found if not one.holds], "; "), next=_soonest(found))


def inverted(found: Truth) -> Truth:
    """The opposite; it is never the cause itself, but stands beside one."""
    holds = None if found.holds is None else not found.holds
    cause = Cause(kind="not", identity="not", words=f"not: {found.words}", repeats=True)
    return Truth(holds=holds, words=f"not: {found.words}", causes=[cause] if holds else [])


def _words(found: Sequence[Truth], between: str) -> str:
    return between.join(dict.fromkeys(one.words for one in found))


def _soonest(found: Sequence[Truth]) -> str | None:
    return min((one.next for one in found if one.next is not None), default=None)
