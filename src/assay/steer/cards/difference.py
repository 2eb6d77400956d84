"""How one card differs from another, in words: what is new, what is gone, and what says something else."""

from collections.abc import Iterator

from assay.steer.cards.document import NOT_SAID, Asked, Document, Section, Table

__all__ = ["differences"]

_SHOWN = 160


def differences(before: Document, after: Document) -> list[str]:
    """A sentence for each change, in the order of the sections; none where both say the same."""
    said = list(_facts("", {one.name: one.value for one in before.about}, {one.name: one.value for one in after.about}))
    old, new = ({one.key: one for one in document.sections} for document in (before, after))
    for key in [*old, *(key for key in new if key not in old)]:
        if key not in new:
            said.append(f"{old[key].title}: the section is gone")
        elif key not in old:
            said.append(f"{new[key].title}: the section is new")
        else:
            said += _section(old[key], new[key])
    return said


def _section(before: Section, after: Section) -> Iterator[str]:
    place = f"{after.title}: "
    yield from _facts(place, _several(before), _several(after))
    yield from (f"{place}gone: {note}" for note in before.notes if note not in after.notes)
    yield from (f"{place}new: {note}" for note in after.notes if note not in before.notes)
    old, new = ({one.title: one for one in section.tables} for section in (before, after))
    for title in [*old, *(title for title in new if title not in old)]:
        where = f"{place}{title}, " if title else place
        if title not in new:
            yield f"{where}{_rows(old[title])} gone"
        elif title not in old:
            yield f"{where}{_rows(new[title])} new"
        else:
            yield from _table(where, old[title], new[title])
    answers = {one.part: one for one in before.asked}
    for one in after.asked:
        yield from _answer(place, answers.get(one.part), one)


def _several(section: Section) -> dict[str, str]:
    """Facts by their name; those of one name as one."""
    found: dict[str, list[str]] = {}
    for fact in section.facts:
        found.setdefault(fact.name, []).append(fact.value)
    return {name: "; ".join(values) for name, values in found.items()}


def _facts(place: str, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield f"{place}{name} is gone; it was {_cut(before[name])}"
        elif name not in before:
            yield f"{place}{name} is new: {_cut(after[name])}"
        elif before[name] != after[name]:
            yield f"{place}{name} was {_cut(before[name])}, is now {_cut(after[name])}"


def _table(place: str, before: Table, after: Table) -> Iterator[str]:
    old, new = _lines(before), _lines(after)
    for key in [*old, *(key for key in new if key not in old)]:
        name = ", ".join(key)
        if key not in new:
            yield f"{place}{name} is gone"
        elif key not in old:
            told = ", ".join(f"{heading} {value}" for heading, value in new[key].items() if value)
            yield f"{place}{name} is new" + (f": {_cut(told)}" if told else "")
        else:
            for heading, value in new[key].items():
                was = old[key].get(heading)
                if was is None:
                    yield f"{place}{name}: {heading} is new: {_cut(value)}"
                elif was != value:
                    yield f"{place}{name}: {heading} was {_cut(was) or 'empty'}, is now {_cut(value) or 'empty'}"
            gone = [heading for heading in old[key] if heading not in new[key]]
            yield from (f"{place}{name}: {heading} is gone; it was {_cut(old[key][heading])}" for heading in gone)


def _rows(table: Table) -> str:
    return "1 row is" if len(table.rows) == 1 else f"{len(table.rows):,} rows are"


def _lines(table: Table) -> dict[tuple[str, ...], dict[str, str]]:
    return {
        tuple(row[: table.keys]): dict(zip(table.headings[table.keys :], row[table.keys :], strict=True))
        for row in table.rows
    }


def _answer(place: str, before: Asked | None, after: Asked) -> Iterator[str]:
    was = before.said if before else None
    if was == after.said:
        return
    if after.said is None:
        yield f"{place}{after.part} is {NOT_SAID}"
    elif was is None:
        yield f"{place}{after.part} was said by {after.said.owner}: {_cut(after.said.text)}"
    elif was.text == after.said.text:
        yield f"{place}{after.part} was said again by {after.said.owner}"
    else:
        yield f"{place}{after.part} was {_cut(was.text)}, is now {_cut(after.said.text)} ({after.said.owner})"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
