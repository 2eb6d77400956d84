"""Words that a value may be, checked where somebody writes them in Python: types do not hold there by themselves."""

from collections.abc import Sequence

from assay.errors import InvalidInput, nearest

__all__ = ["check_word"]


def check_word(what: str, word: object, known: Sequence[str]) -> None:
    """InvalidInput with the nearest right spelling, unless the word is a known one."""
    if word not in known:
        close = nearest(str(word), list(known))
        raise InvalidInput(
            f"{what} is {word!r}", expected=", ".join(known), hint=f"did you mean {close!r}?" if close else None
        )
