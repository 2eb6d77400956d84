"""Words that somebody writes: one of those that a value may be, as types do not hold by themselves; names in a list."""

from collections.abc import Sequence

from assay.errors import InvalidInput, nearest

__all__ = ["check_word", "names_in"]


def check_word(what: str, word: object, known: Sequence[str]) -> None:
    """InvalidInput with the nearest right spelling, unless the word is a known one."""
    if word not in known:
        close = nearest(str(word), list(known))
        raise InvalidInput(
            f"{what} is {word!r}", expected=", ".join(known), hint=f"did you mean {close!r}?" if close else None
        )


def names_in(text: str | None) -> list[str]:
    """The names that stand in a text with commas between them; none in no text."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
