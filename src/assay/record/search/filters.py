"""Filters: what a search asks for, as text and as a tree.

    filter := and (OR and)*        and := not (AND not)*        not := [NOT] (clause | "(" filter ")")
    clause := key = value | key [NOT] IN (a, b) | key [NOT] LIKE|ILIKE text | key [NOT] CONTAINS text
            | key [NOT] BETWEEN a AND b | key IS [NOT] NULL
    key    := [entity.]name, the name in `back ticks` or "quotes" where it has other signs; no entity is an attribute

A row that lacks the key matches nothing but IS NULL, and NaN matches `!=` only. NOT turns each comparison round:
`NOT metrics.x > 1` is `metrics.x <= 1`, so it holds for no run without x. A tree has no NOT left in it.
"""

import re
from dataclasses import dataclass

from assay.errors import InvalidInput
from assay.record.search.keys import Key, Subject
from assay.record.search.tokens import Token, invalid, tokens

__all__ = [
    "LONGEST_PATTERN",
    "MOST",
    "MOST_VALUES",
    "And",
    "Comparison",
    "Node",
    "Or",
    "Parser",
    "Value",
    "comparisons",
    "parse_filter",
]

_DEEPEST = 60  # brackets within brackets
MOST = 200  # comparisons: databases limit how deep an expression goes
MOST_VALUES = 10_000
LONGEST_PATTERN = 5_000
_INVERSE = {"=": "!=", "!=": "=", ">": "<=", "<=": ">", "<": ">=", ">=": "<"}
_SPELLINGS = {"==": "=", "<>": "!="}
TEXT_OPERATORS = ("=", "!=", "LIKE", "ILIKE", "CONTAINS", "IN")
NUMBER_OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "BETWEEN", "IN")
_WHOLE = re.compile(r"\d{1,18}")

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`operator`: = != > >= < <= LIKE ILIKE CONTAINS IN BETWEEN NULL, all but the first six also with `NOT `."""

    key: Key
    operator: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds, or more."""

    parts: tuple["Node", ...]


Node = Comparison | And | Or


def parse_filter(text: str, subject: Subject) -> Node | None:
    """The tree of a filter on `subject`, None for an empty one; InvalidInput names position and what was expected."""
    parser = Parser(text, subject)
    if parser.here.kind == "end":
        return None
    node = parser.either(negated=False, depth=0)
    if parser.here.kind != "end":
        raise parser.error(f"{parser.here.text!r} comes after the end of a comparison", expected="AND, OR or the end")
    return node


def comparisons(node: Node | None) -> list[Comparison]:
    """All comparisons of a tree in their order."""
    if node is None:
        return []
    if isinstance(node, Comparison):
        return [node]
    return [found for part in node.parts for found in comparisons(part)]


class Parser:
    """Reads words one after the other. One method for each rule of the grammar."""

    def __init__(self, text: str, subject: Subject) -> None:
        self.text = text
        self.subject = subject
        self.tokens = tokens(text)
        self.at = 0
        self.count = 0

    @property
    def here(self) -> Token:
        """The word that is read next."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """The next word, and go on."""
        token = self.here
        self.at += token.kind != "end"
        return token

    def accept(self, *words: str) -> bool:
        """Go on if the next word is one of these."""
        if self.here.says(*words):
            self.at += 1
            return True
        return False

    def error(
        self, what: str, *, expected: str | None = None, hint: str | None = None, at: Token | None = None
    ) -> InvalidInput:
        """An error at the next word, or at the one given."""
        return invalid(self.text, (at or self.here).position, what, expected=expected, hint=hint)

    def either(self, *, negated: bool, depth: int) -> Node:
        """Parts joined by OR."""
        parts = [self.all_of(negated=negated, depth=depth)]
        while self.accept("OR"):
            parts.append(self.all_of(negated=negated, depth=depth))
        return _joined(And if negated else Or, parts)

    def all_of(self, *, negated: bool, depth: int) -> Node:
        """Parts joined by AND."""
        parts = [self.part(negated=negated, depth=depth)]
        while self.accept("AND"):
            parts.append(self.part(negated=negated, depth=depth))
        return _joined(Or if negated else And, parts)

    def part(self, *, negated: bool, depth: int) -> Node:
        """A comparison or a filter in brackets, with NOT before it or without."""
        while self.accept("NOT"):
            negated = not negated
        if not self.here.says("("):
            return self.comparison(negated=negated)
        if depth == _DEEPEST:
            raise self.error("the brackets go too deep", expected=f"at most {_DEEPEST} within each other")
        opened = self.take()
        node = self.either(negated=negated, depth=depth + 1)
        if not self.accept(")"):
            raise self.error("a bracket is not closed", expected="')'", at=opened)
        return node

    def comparison(self, *, negated: bool) -> Comparison:
        """One comparison."""
        self.count += 1
        if self.count > MOST:
            raise self.error("the filter has too many comparisons", expected=f"at most {MOST}; IN takes many values")
        key = self.key()
        if self.accept("IS"):
            negated ^= self.accept("NOT")
            if not self.accept("NULL"):
                raise self.error(f"{self._found()} after IS", expected="NULL or NOT NULL")
            return Comparison(key, "NOT NULL" if negated else "NULL")
        start = self.here
        inverted = self.accept("NOT")
        word = self.take()
        operator = _SPELLINGS.get(word.text, word.text.upper())
        allowed = TEXT_OPERATORS if key.kind == "text" else NUMBER_OPERATORS
        if word.kind not in ("sign", "name") or operator not in allowed or (inverted and operator in _INVERSE):
            shown = " ".join(token.text for token in (start, word)[not inverted :]) or "the end"
            raise self.error(
                f"{shown!r} cannot compare {key.shown}",
                expected=f"{' '.join(allowed)}, IS NULL; NOT before a word",
                hint=None if key.kind != "text" or operator not in NUMBER_OPERATORS else "it is text, not a number",
                at=start,
            )
        values = self.values(key, operator)
        negated ^= inverted
        if negated:
            operator = _INVERSE.get(operator) or f"NOT {operator}"
        return Comparison(key, operator, values)

    def values(self, key: Key, operator: str) -> tuple[Value, ...]:
        """What an operator compares with."""
        if operator == "BETWEEN":
            low = self.value(key)
            if not self.accept("AND"):
                raise self.error(f"{self._found()} after BETWEEN {low!r}", expected="AND and the upper bound")
            return low, self.value(key)
        if operator != "IN":
            value = self.value(key)
            if operator in ("LIKE", "ILIKE", "CONTAINS") and len(str(value)) > LONGEST_PATTERN:
                raise self.error("the pattern is too long", expected=f"at most {LONGEST_PATTERN} characters")
            return (value,)
        if not self.accept("("):
            raise self.error(f"{self._found()} after IN", expected="a list of values in brackets")
        values = [self.value(key)]
        while self.accept(","):
            values.append(self.value(key))
            if len(values) > MOST_VALUES:
                raise self.error("the list is too long", expected=f"at most {MOST_VALUES} values")
        if not self.accept(")"):
            raise self.error(f"{self._found()} in a list", expected="',' or ')'")
        return tuple(values)

    def value(self, key: Key) -> Value:
        """One value of the kind that the key has: text in quotes, a number, or for a time either of them."""
        token = self.here
        if key.kind != "number" and token.kind in ("text", "quoted"):
            self.take()
            return key.moment(token.unquoted) if key.kind == "time" else token.unquoted
        if key.kind != "text":
            sign = -1 if self.accept("-") else 1
            if sign == 1:
                self.accept("+")
            if self.here.kind == "number":
                text = self.take().text
                return sign * (int(text) if _WHOLE.fullmatch(text) else float(text))
        what = {"text": "text in quotes", "number": "a number"}.get(
            key.kind, "milliseconds since 1970 or a date in quotes"
        )
        raise self.error(f"{self._found()} is compared with {key.shown}", expected=what)

    def key(self) -> Key:
        """What is compared."""
        token = self.take()
        if token.kind not in ("name", "quoted") or token.says("AND", "OR", "IN", "IS", "LIKE", "ILIKE", "BETWEEN"):
            raise self.error(
                f"{repr(token.text) if token.text else 'the end'} where a key was expected",
                expected=f"a key such as {self.subject.examples}",
                at=token,
            )
        key = self.subject.key(token.text, lambda what, hint: self.error(what, hint=hint, at=token))
        if self.here.says("-") and key.kind == "time":
            self.take()
            other = self.take()
            difference = self.subject.differences.get((key.name, other.text.rpartition(".")[2]))
            if difference is None:
                raise self.error(f"{token.text} - {other.text}", expected="end_time - start_time", at=token)
            return difference
        return key

    def _found(self) -> str:
        return repr(self.here.text) if self.here.text else "the end"


def _joined(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else kind(tuple(parts))
