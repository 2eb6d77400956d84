"""Cards and dossiers in a terminal."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import lines, pairs, table, when

if TYPE_CHECKING:
    from assay.steer.cards.commands import CardDifference, ShownCard, WrittenCard
    from assay.steer.cards.keeping import CardState
    from assay.steer.cards.texts import CardText
    from assay.steer.dossier.dossier import Dossier
    from assay.steer.dossier.regimes import KnownRegime
    from assay.steer.dossier.saying import DossierText

__all__ = [
    "card_difference",
    "card_list",
    "card_text",
    "dossier",
    "dossier_text",
    "one_regime",
    "regime_list",
    "shown_card",
    "written_card",
]


def written_card(found: "WrittenCard") -> RenderableType:
    """A card that was written."""
    state = found.state
    facts = {
        "card of": state.name,
        "hash": state.hash,
        "written": f"{when(state.written)} by {state.by}",
        "state": f"{state.state}: {state.why}",
        "risk tier": state.tier or "nobody has said one: all is asked for",
        "complete": "yes" if state.complete else "no",
    }
    parts: list[RenderableType] = [pairs(facts), pairs(dict(found.coverage), "sections")]
    if state.missing:
        parts.append(lines(["missing:", *(f"  {one}" for one in state.missing)], "yellow"))
    parts += [Text(f"written to {path}") for path in found.files]
    return Group(*parts)


def shown_card(found: "ShownCard") -> RenderableType:
    """The card itself, as Markdown."""
    return Text(found.markdown.rstrip("\n"))


def card_difference(found: "CardDifference") -> RenderableType:
    """A line for each change."""
    head = f"from {found.before} to {found.after}"
    if not found.changes:
        return Text(f"{head}: nothing changed")
    return lines([f"{head}: {len(found.changes)} changes", *(f"  {one}" for one in found.changes)], "")


def card_list(found: "list[CardState]") -> RenderableType:
    """Cards, and whether they are true and complete."""
    shown = table("card of", "state", "complete", "missing", "hash", "written", "why")
    for one in found:
        complete = "yes" if one.complete else "no"
        missing = ", ".join(one.missing)
        shown.add_row(one.name, one.state, complete, missing, one.hash[:12], when(one.written), one.why)
    return shown


def card_text(found: "CardText") -> RenderableType:
    """What was said, and until when it counts."""
    until = f", valid until {when(found.valid_until)}" if found.valid_until else ""
    return Text(f"{found.section} of {found.subject}, said by {found.owner}{until}:\n{found.text}")


def dossier(found: "Dossier") -> RenderableType:
    """How each point is covered."""
    counts = found.counts
    filled = f"{counts['records']} points filled from records, {counts['person']} by a person, {counts['empty']} empty"
    said = f"{found.model}/{found.version}: {filled}"
    shown = table("point", "asks for", "coverage", "no record of")
    for one in found.points:
        shown.add_row(one.point, one.title, one.words, ", ".join(one.lacking))
    return Group(Text(said), shown, *[Text(f"written to {path}") for path in found.files])


def dossier_text(found: "DossierText") -> RenderableType:
    """What was said of a point."""
    until = f", valid until {when(found.valid_until)}" if found.valid_until else ""
    whose = found.model or "all models"
    return Text(f"point {found.point} of {whose}, said by {found.owner}{until}:\n{found.text}")


def regime_list(found: "list[KnownRegime]") -> RenderableType:
    """Provisions, and how old that knowledge is."""
    shown = table("id", "provision", "applies from", "status", "looked up", "not verified")
    for one in found:
        shown.add_row(one.id, one.provision, one.applies_from or "", one.status, _looked_up(one), one.not_verified)
    return shown


def one_regime(found: "KnownRegime") -> RenderableType:
    """All that is known of a provision."""
    facts = {
        "provision": found.provision,
        "regime": found.regime,
        "status": found.status,
        "applies from": found.applies_from or "no single day known",
        "source": found.source,
        "looked up": _looked_up(found),
        "not verified": found.not_verified,
        "records can be evidence for it by": found.evidence,
        "said by": found.origin,
    }
    return pairs({name: value for name, value in facts.items() if value})


def _looked_up(one: "KnownRegime") -> str:
    return f"{one.verified_on}, {one.age_days} days ago" + (", STALE: look it up again" if one.stale else "")
