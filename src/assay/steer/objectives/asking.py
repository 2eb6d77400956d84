"""An objective asked for in the terminal, a question at a time; what cannot be is said at once and asked again."""

import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TypeVar

from assay.errors import InvalidInput, nearest
from assay.record.lengths import checked_length
from assay.record.objective_terms import Baseline, Decision, Direction, Kpi, Source, Span, Terms, Value, check_terms

__all__ = ["ask_terms"]

T = TypeVar("T")
Ask = Callable[[str], str]
_HALF_A_YEAR = timedelta(days=182)


def ask_terms(model: str, owner: str, today: date, *, ask: Ask | None = None) -> Terms:
    """The terms as somebody answers; an empty answer takes what stands in brackets. Nothing is kept before the end."""
    put = _Asking(ask or _in_terminal)
    put.say(
        f"What is {model} for? An empty answer takes what stands in [brackets]; Ctrl-C ends without keeping anything."
    )
    statement = put.text("In one sentence: what gets better, for whom")
    owner = put.text("Who answers for it", owner)
    drives = put.text("Which decision does an answer drive, such as 'who is called'")
    actions = put.names("Which actions are there, from low answers to high, with commas between", "leave, act", least=2)
    thresholds = []
    if len(actions) > 2:
        thresholds = put.numbers(f"From which answers on are {', '.join(actions[1:])} chosen", len(actions) - 1)
    action = put.choice("What is done without the model, always", actions, actions[0])
    words = put.text("In words", f"{action} in every case")
    value = None
    if put.choice("Do you know what actions are worth when an outcome comes", ["yes", "no"], "yes") == "yes":
        value = _value(put, actions, owner, today)
    kpi = _kpi(put, value)
    terms = Terms(
        statement=statement,
        owner=owner,
        kpi=kpi,
        decision=Decision(drives=drives, actions=actions, thresholds=thresholds),
        baseline=Baseline(words=words, action=action),
        value=value,
        outcome_after=put.length("How long after an answer is its outcome known", "30d"),
        review_every=put.length("How often is all this looked at again", "13w"),
    )
    check_terms(terms)
    return terms


def _kpi(put: "_Asking", value: Value | None) -> Kpi:
    source: Source = "outside"
    if value is not None and put.choice("Is success the net value itself", ["yes", "no"], "yes") == "yes":
        source, name, unit = "value", "net value", f"{value.unit} a month"
    else:
        name = put.text("What is the figure that shows success called")
        unit = put.text("In which unit, by month")
    directions: list[Direction] = ["higher", "lower"]
    direction = put.choice("Is higher or lower better", directions, "higher")
    (target,) = put.numbers("Which figure is the target", 1)
    better = max if direction == "higher" else min

    def as_floor(text: str) -> float:
        floor = _number(text)
        if better(floor, target) != target:
            raise InvalidInput(f"{floor:g} is better than the target, {target:g}", expected="a floor that is not")
        return floor

    floor = put.until("Past which figure must somebody decide (the floor)", as_floor)
    said_by = "" if source == "value" else put.text("Who says what it was, such as 'the monthly report of finance'")
    return Kpi(name=name, unit=unit, target=target, floor=floor, direction=direction, source=source, said_by=said_by)


def _value(put: "_Asking", actions: Sequence[str], owner: str, today: date) -> Value:
    unit = put.text("In which unit are values", "EUR")
    one = put.text("What is it called when the label is 1, such as 'leaves'")
    zero = put.until("And when it is 0, such as 'stays'", lambda text: _other_name(text, one))
    matrix: dict[str, dict[str, Span]] = {}
    for outcome in (one, zero):
        matrix[outcome] = {}
        for action in actions:
            question = f"Worth of '{action}' when it is '{outcome}', in {unit}: a number, or least, likeliest, most"
            matrix[outcome][action] = put.until(question, _span, "0")
    return Value(
        version="1",
        unit=unit,
        source=put.text("Where do these numbers come from"),
        owner=put.text("Who answers for them", owner),
        valid_until=put.until("Until when do they hold", date.fromisoformat, (today + _HALF_A_YEAR).isoformat()),
        outcomes={one: 1.0, zero: 0.0},
        matrix=matrix,
    )


class _Asking:
    """Questions to one person."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def say(self, words: str) -> None:
        """Say something that is no question."""
        sys.stderr.write(f"{words}\n")

    def until(self, question: str, read: Callable[[str], T], usual: str = "") -> T:
        """The first answer that can be read."""
        while True:
            text = self._ask(f"{question}{f' [{usual}]' if usual else ''}: ").strip() or usual
            try:
                return read(text)
            except ValueError as error:
                self.say(f"  {error}")

    def text(self, question: str, usual: str = "") -> str:
        """Words."""
        return self.until(question, _words, usual)

    def choice(self, question: str, among: Sequence[T], usual: T) -> T:
        """One of several."""
        return self.until(f"{question} ({', '.join(map(str, among))})", lambda text: _one_of(text, among), str(usual))

    def names(self, question: str, usual: str, least: int) -> list[str]:
        """Different names."""

        def read(text: str) -> list[str]:
            found = [name.strip() for name in text.split(",") if name.strip()]
            if len(found) < least or len(set(found)) < len(found):
                raise InvalidInput(f"{text!r}", expected=f"{least} different names or more, with commas between")
            return found

        return self.until(question, read, usual)

    def numbers(self, question: str, count: int) -> list[float]:
        """So many numbers."""

        def read(text: str) -> list[float]:
            found = [_number(part) for part in text.split(",")]
            if len(found) != count:
                raise InvalidInput(f"there are {len(found)} numbers", expected=f"{count}")
            return found

        return self.until(question, read)

    def length(self, question: str, usual: str) -> str:
        """A length of time."""

        def read(text: str) -> str:
            checked_length(text, "it")
            return text

        return self.until(question, read, usual)


def _in_terminal(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line


def _words(text: str) -> str:
    if not text:
        raise InvalidInput("nothing was said", expected="words")
    return text


def _other_name(text: str, other: str) -> str:
    if _words(text) == other:
        raise InvalidInput("both outcomes have one name", expected="another one")
    return text


def _one_of(text: str, among: Sequence[T]) -> T:
    for one in among:
        if str(one) == text:
            return one
    close = nearest(text, [str(one) for one in among])
    raise InvalidInput(f"{text!r} is none of them", hint=f"did you mean {close!r}?" if close else None)


def _number(text: str) -> float:
    try:
        return float(text.strip())
    except ValueError:
        raise InvalidInput(f"{text.strip()!r} is no number", expected="such as 40000") from None


def _span(text: str) -> Span:
    found = [_number(part) for part in text.split(",")]
    if len(found) == 1:
        return found[0]
    if len(found) != 3 or sorted(found) != found:
        raise InvalidInput(f"it is {text!r}", expected="one number, or least, likeliest, most in order")
    return found[0], found[1], found[2]
