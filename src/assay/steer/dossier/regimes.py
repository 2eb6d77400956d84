"""Regimes as dated data: what applies from when, by which source, last looked up on which day.

The platform states facts with their date; it decides no legal question. What is known ages: a row that was looked up
too long ago is stale.
"""

from datetime import date, datetime
from importlib import resources
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound, nearest
from assay.operation import operation
from assay.record.lengths import checked_length
from assay.record.store import Store
from assay.record.toml_text import parse_toml, read_text

__all__ = ["KnownRegime", "known_regimes", "list_regimes", "show_regime"]

_SHIPPED = "regimes.toml"
_ORIGIN = "shipped with Assay"


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of a file."""

    id: str
    regime: str
    provision: str
    status: str
    source: str
    verified_on: date
    evidence: str = ""
    applies_from: date | None = None
    not_verified: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of regimes; `stale_after` is the age from which a row has to be looked up again."""

    regime: list[_Row] = []
    stale_after: str | None = None


class KnownRegime(msgspec.Struct, frozen=True, kw_only=True):
    """A provision as it was known on the day `verified_on`, `age_days` ago. Dates are ISO 8601.

    `applies_in_days` counts from now to `applies_from`, below 0 where that is past; None where no single day is known.
    `evidence` is what the records can be evidence for; `not_verified` says what was not read at its source. `origin` is
    the file that says it.
    """

    id: str
    regime: str
    provision: str
    status: str
    applies_from: str | None
    applies_in_days: int | None
    source: str
    verified_on: str
    age_days: int
    stale: bool
    not_verified: str
    evidence: str
    origin: str


@operation("regimes ls", local=True)
def list_regimes(
    store: Store,
    *,
    overlay: Annotated[str | None, "A TOML file of your own, whose rows go before those of the same id"] = None,
) -> list[KnownRegime]:
    """List regimes and provisions: from when they apply, and how long ago that was looked up."""
    return known_regimes(store.clock.latest(), overlay)


@operation("regimes show", local=True)
def show_regime(
    store: Store,
    provision: str,
    *,
    overlay: Annotated[str | None, "A TOML file of your own, whose rows go before those of the same id"] = None,
) -> KnownRegime:
    """Show what is known of one provision, by its id."""
    found = {one.id: one for one in known_regimes(store.clock.latest(), overlay)}
    if provision not in found:
        close = nearest(provision, list(found))
        raise NotFound(
            f"no provision has the id {provision!r}",
            hint=f"did you mean {close!r}?" if close else "`assay regimes ls` lists them",
        )
    return found[provision]


def known_regimes(at: datetime, overlay: str | None = None) -> list[KnownRegime]:
    """All rows, those of the overlay in place of what they replace, with their age at that moment.

    InvalidInput, with file and line, for an overlay that cannot be read.
    """
    text = (resources.files(__package__) / _SHIPPED).read_text(encoding="utf-8")
    files = [(_ORIGIN, parse_toml(text, _SHIPPED, _File, "file of regimes"))]
    if overlay is not None:
        files.append((overlay, parse_toml(read_text(overlay, "file of regimes"), overlay, _File, "file of regimes")))
    rows: dict[str, tuple[str, _Row]] = {}
    length = ""
    for origin, file in files:
        ids = [row.id for row in file.regime]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise InvalidInput(
                f"the id {twice[0]!r} is there twice", where=origin, expected="an id of its own for each"
            )
        rows.update({row.id: (origin, row) for row in file.regime})
        length = file.stale_after or length
    limit = checked_length(length, "stale_after", where=files[-1][0], zero=False)
    return [_known(row, origin, at.date(), limit.days) for origin, row in rows.values()]


def _known(row: _Row, origin: str, today: date, limit_days: int) -> KnownRegime:
    age = max(0, (today - row.verified_on).days)
    return KnownRegime(
        **{name: getattr(row, name) for name in ("id", "regime", "provision", "status", "source", "evidence")},
        not_verified=row.not_verified,
        applies_from=row.applies_from.isoformat() if row.applies_from else None,
        applies_in_days=(row.applies_from - today).days if row.applies_from else None,
        verified_on=row.verified_on.isoformat(),
        age_days=age,
        stale=age > limit_days,
        origin=origin,
    )
