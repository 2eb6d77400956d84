"""The dossier of a version: every point of Annex IV with its coverage, filled from records and by people."""

from typing import Annotated

import msgspec

from assay.operation import operation
from assay.record.clock import iso
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.steer.cards.commands import the_version
from assay.steer.cards.document import Asked, Coverage, Document, Fact, Section, Table
from assay.steer.cards.files import check_target, write_files
from assay.steer.cards.keeping import card_state, tier_of
from assay.steer.cards.texts import texts_of
from assay.steer.cards.words import coverage_words, day, last_said
from assay.steer.dossier import afterwards, assurance, development
from assay.steer.dossier.points import POINTS
from assay.steer.dossier.regimes import KnownRegime, known_regimes
from assay.steer.dossier.saying import DOSSIER
from assay.steer.dossier.subject import Subject, subject_of

__all__ = ["Dossier", "PointCoverage", "annex_iv", "coverage_of", "dossier_of"]

_FILLED = {
    "1": development.description,
    "2a": development.methods,
    "2b": development.design,
    "2c": development.architecture,
    "2d": development.data,
    "2e": assurance.oversight,
    "2f": assurance.foreseen,
    "2g": assurance.tests,
    "2h": assurance.security,
    "3": assurance.limits,
    "4": assurance.metric_choice,
    "5": assurance.risks,
    "6": afterwards.changes,
    "7": lambda _: Section("7", ""),
    "8": lambda _: Section("8", ""),
    "9": afterwards.plan,
}
_REGIMES = "regimes"
_OPENING = (
    "Technical documentation by the points of Annex IV of Regulation (EU) 2024/1689. What stands under a point is "
    "evidence for it. Each point says how it is covered: filled from records, filled by a person on a day, or empty. "
    "Whether the evidence is enough is for people to decide; this document states facts with their source."
)
_CLOSING = "Every line comes from a record of the store or bears the name of a person and a day."


class PointCoverage(msgspec.Struct, frozen=True):
    """A point, how it is covered, who said something of it on which day, and what no record knows."""

    point: str
    title: str
    coverage: Coverage
    words: str
    by: str | None
    on: str | None
    lacking: list[str]


class Dossier(msgspec.Struct, frozen=True):
    """The coverage of a dossier, its counts, and the files that were written."""

    model: str
    version: int
    as_of: str
    hash: str
    counts: dict[str, int]
    points: list[PointCoverage]
    files: list[str]


@operation("dossier annex-iv", local=True)
def annex_iv(
    store: Store,
    model: str,
    version: str | None = None,
    *,
    output: Annotated[str | None, "Write it to this file: .md, .html, .csv or .json"] = None,
    pdf: Annotated[str | None, "Print it to this PDF file, by a browser that is installed"] = None,
    url: Annotated[str | None, "Address of the control plane, to which the files then link"] = None,
    regimes: Annotated[str | None, "A TOML file of your own, whose regimes go before those of the same id"] = None,
) -> Dossier:
    """Write the technical documentation of a version by the points of Annex IV, each with how it is covered.

    VERSION is a number or an alias; without it the champion, or else the newest version.
    """
    if output is not None:
        check_target(output)
    if pdf is not None:
        check_target(pdf, (".pdf",))
    found = the_version(store, model, version)
    document = dossier_of(store, found, overlay=regimes)
    at = store.clock.latest()
    files = write_files(document, at, root=(url or "").rstrip("/"), output=output, pdf=pdf)
    points = coverage_of(document, store)
    counts = {state: sum(one.coverage == state for one in points) for state in ("records", "person", "empty")}
    return Dossier(found.model, found.version, iso(at), document.hash, counts, points, files)


def dossier_of(store: Store, version: ModelVersion, *, overlay: str | None = None) -> Document:
    """The dossier as the records are now."""
    of = subject_of(store, version)
    said = texts_of(store, {f"{DOSSIER}": ""}, of.at) | texts_of(store, {DOSSIER: of.model}, of.at)
    sections = []
    for key, point in POINTS.items():
        filled = _FILLED[key](of)
        sections.append(
            msgspec.structs.replace(
                filled,
                key=key,
                title=f"{_number(key)} {point.title}",
                about=f"Asked for: {point.asks}. What stands here is evidence for it.",
                asked=[Asked(key, point.question, said.get(key))],
            )
        )
    return Document(
        kind="dossier",
        title=f"Annex IV: {of.name}",
        about=_about(of),
        sections=[*sections, _regimes(known_regimes(of.at, overlay))],
        opening=_OPENING,
        closing=_CLOSING,
    )


def coverage_of(document: Document, store: Store) -> list[PointCoverage]:
    """How each point of a dossier is covered now."""
    at = store.clock.latest()
    points = []
    for section in document.sections:
        if section.key == _REGIMES:
            continue
        counts = last_said(section, at)
        points.append(
            PointCoverage(
                point=section.key,
                title=POINTS[section.key].title,
                coverage=section.coverage(at),
                words=coverage_words(section, at),
                by=counts.owner if counts else None,
                on=counts.ts if counts else None,
                lacking=section.lacking,
            )
        )
    return points


def _about(of: Subject) -> list[Fact]:
    facts = [Fact("As of", f"{iso(of.at)[:19].replace('T', ' ')} UTC"), Fact("Content", f"SHA-256 {of.version.hash}")]
    tier = tier_of(of.store, of.model)
    facts.append(Fact("Risk tier", tier or "nobody has said one"))
    if of.card:
        state = card_state(of.store, of.card, at=of.at)
        complete = "complete" if state.complete else f"lacks {', '.join(state.missing)}"
        facts.append(Fact("Model card", f"{state.state}: {state.why}; {complete}; SHA-256 {state.hash}"))
    heads = of.store.query("ledger_head", {"id": 1})
    facts += [Fact("Ledger", f"{row['seq']} entries, head {row['hash']}") for row in heads]
    return facts


def _regimes(rows: list[KnownRegime]) -> Section:
    """What is known of the regimes, with its age."""
    tables: dict[str, list[list[str]]] = {}
    for one in rows:
        days = one.applies_in_days
        when = day(one.applies_from) or "no single day known"
        when += "" if days is None or days <= 0 else f" (in {days:,} days)"
        looked = f"{day(one.verified_on)}, {one.age_days} days ago" + (": STALE" if one.stale else "")
        source = one.source + (f". Not verified: {one.not_verified}" if one.not_verified else "")
        tables.setdefault(one.regime, []).append([one.provision, when, one.status, looked, source])
    headings = ["provision", "applies from", "status", "looked up", "source"]
    about = "Dated facts with their source. Nothing here is legal advice."
    shown = [Table(regime, headings, lines) for regime, lines in tables.items()]
    return Section(_REGIMES, "Regimes as they were known", tables=shown, about=about)


def _number(key: str) -> str:
    return f"{key[0]}({key[1]})" if len(key) > 1 else key
