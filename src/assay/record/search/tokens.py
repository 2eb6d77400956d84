"""The words of a filter: names, numbers, quoted text and signs, each with its position."""

import re
from dataclasses import dataclass

from assay.errors import InvalidInput

__all__ = ["LONGEST", "Token", "invalid", "tokens"]

LONGEST = 100_000  # characters of a filter
_PART = r"(?:`[^`]*`|\"[^\"]*\"|[\w/:\-]+)"
_TOKEN = re.compile(
    rf"""\s+
    |(?P<text>'(?:''|\\'|[^'])*')
    |(?P<name>`[^`]*`(?:\.{_PART})*|[^\W\d]\w*(?:\.{_PART})*)
    |(?P<quoted>"(?:""|\\"|[^"])*")
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<sign><>|==|!=|>=|<=|[=<>(),;+\-])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: name | text | quoted | number | sign | end. `position` counts characters from 0."""

    kind: str
    text: str
    position: int

    def says(self, *words: str) -> bool:
        """Whether it is one of these key words or signs, in any case."""
        return self.kind in ("name", "sign") and self.text.upper() in words

    @property
    def unquoted(self) -> str:
        """What stands between the quotes; two quotes are no escape for one."""
        return self.text[1:-1]


def tokens(text: str) -> list[Token]:
    """The words of a filter, one of kind `end` last; InvalidInput names the position of what is none."""
    if len(text) > LONGEST:
        raise InvalidInput(f"the filter has {len(text)} characters", expected=f"at most {LONGEST}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise invalid(text, error.start, "half of a character") from None
    if "\x00" in text:
        raise invalid(text, text.index("\x00"), "a null character")
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            what = "a quote that is not closed" if text[position] in "'\"`" else repr(text[position])
            raise invalid(text, position, what)
        if match.lastgroup:
            found.append(Token(match.lastgroup, match[0], position))
        position = match.end()
    return [*found, Token("end", "", len(text))]


def invalid(
    text: str, position: int, what: str, *, expected: str | None = None, hint: str | None = None
) -> InvalidInput:
    """An error about the word at `position`, which is shown with what stands around it."""
    start = max(position - 30, 0)
    around = text[start : position + 30].encode("utf-8", "replace").decode().replace("\x00", "?")
    shown = ("…" if start else "") + around + ("…" if position + 30 < len(text) else "")
    return InvalidInput(what, where=f"character {position + 1} of {shown!r}", expected=expected, hint=hint)
