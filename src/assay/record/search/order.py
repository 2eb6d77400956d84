"""The order of a search's rows: values first, then NaN, then what is missing, in both directions."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import InvalidInput
from assay.record.search.filters import Parser
from assay.record.search.keys import Key, Subject
from assay.record.search.paging import Mark
from assay.record.search.sql import Compiler

__all__ = ["Placed", "Term", "after", "checked_terms", "order_terms", "term_of"]

MOST_TERMS = 10


@dataclass(frozen=True, slots=True)
class Term:
    """A key to sort by."""

    key: Key
    ascending: bool

    @property
    def kind(self) -> str:
        """text | number, as a token's value."""
        return "number" if self.key.kind == "number" else "text"


@dataclass(frozen=True, slots=True)
class Placed:
    """A term with its expressions: `rank` is 0 for values, 1 for NaN, 2 where it is missing, "" where always 0."""

    term: Term
    rank: str
    value: str

    def order(self) -> str:
        """What stands after ORDER BY."""
        value = f"{self.value} {'ASC' if self.term.ascending else 'DESC'}"
        return f"{self.rank}, {value}" if self.rank else value


def order_terms(texts: Sequence[str], subject: Subject, default: Sequence[Term]) -> list[Term]:
    """The terms of `key [ASC|DESC]`, then those of the default order that are not named."""
    return checked_terms([term_of(text, subject) for text in texts], default)


def checked_terms(terms: Sequence[Term], default: Sequence[Term]) -> list[Term]:
    """The terms, each key once, then those of the default order that are not among them."""
    if len(terms) > MOST_TERMS:
        raise InvalidInput(f"the order has {len(terms)} keys", expected=f"at most {MOST_TERMS}")
    shown = [term.key.shown for term in terms]
    for key in shown:
        if shown.count(key) > 1:
            raise InvalidInput(f"the order names {key} twice", expected="each key once")
    return [*terms, *(term for term in default if term.key.shown not in shown)]


def term_of(text: str, subject: Subject) -> Term:
    """The term of one `key [ASC|DESC]`."""
    parser = Parser(text, subject)
    key = parser.key()
    ascending = not parser.accept("DESC")
    if ascending:
        parser.accept("ASC")
    if parser.here.kind != "end":
        raise parser.error(f"{parser.here.text!r} in an order", expected="a key, then ASC or DESC")
    if key.child is not None and not key.child.keyed:
        raise parser.error(f"nothing is in order of {key.shown}", expected="a key that a row has once")
    return Term(key, ascending)


def after(compiler: Compiler, placed: Sequence[Placed], mark: Mark, id_sql: str) -> str:
    """The condition that a row comes after `mark`."""
    values, row_id = mark
    condition = f"{id_sql} > {compiler.bind(row_id)}"
    for place, (rank, value) in reversed(list(zip(placed, values, strict=True))):
        if rank or value is None:
            condition = (
                f"({place.rank} > {rank} OR ({place.rank} = {rank} AND {condition}))" if place.rank else condition
            )
            continue
        sign = ">" if place.term.ascending else "<"
        bound = compiler.bind(value)
        # the first half lets an index find the beginning
        inner = f"{place.value} {sign}= {bound} AND ({place.value} {sign} {bound} OR {condition})"
        condition = f"({place.rank} > 0 OR ({place.rank} = 0 AND {inner}))" if place.rank else f"({inner})"
    return condition
