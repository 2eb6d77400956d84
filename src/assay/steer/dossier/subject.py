"""The version a dossier is about, with what its points are filled from."""

import json
from datetime import datetime
from typing import NamedTuple

from assay.record.clock import happened, iso
from assay.record.models.registry import ModelVersion
from assay.record.models.version_lineage import VersionLineage, version_lineage
from assay.record.store import Row, Store
from assay.steer.cards import evaluations
from assay.steer.cards.document import Fact, Section, Table
from assay.steer.cards.keeping import card_rows

__all__ = ["MOST_ROWS", "Subject", "filled", "flat", "read", "subject_of"]

MOST_ROWS = 200  # of a table of a dossier: what is older stays on record


class Subject(NamedTuple):
    """A version, read once. `objective` and `card` are the newest ones, None where there are none, or it has ended."""

    store: Store
    at: datetime
    version: ModelVersion
    known: VersionLineage
    judged: evaluations.Judged | None
    objective: Row | None
    card: Row | None
    decisions: list[Row]

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.version.model

    @property
    def name(self) -> str:
        """The version as people write it."""
        return f"{self.version.model}/{self.version.version}"


def subject_of(store: Store, version: ModelVersion) -> Subject:
    """What is on record of a version by now."""
    at = store.clock.latest()
    objectives = store.query("objective", {"model": version.model}, order_by=["-decision", "-version"])
    objectives = [row for row in objectives if happened(row) <= iso(at)]
    cards = card_rows(store, "model", version.mv_id)
    return Subject(
        store=store,
        at=at,
        version=version,
        known=version_lineage(store, version.mv_id),
        judged=evaluations.judged(store, version.mv_id),
        objective=objectives[0] if objectives and not objectives[0]["ended"] else None,
        card=cards[0] if cards else None,
        decisions=_decisions(store, version.model, at),
    )


def filled(key: str, facts: list[Fact], tables: list[Table], lacking: list[str]) -> Section:
    """A point with what records say of it; its words come later."""
    return Section(key, "", facts=facts, tables=[table for table in tables if table.rows], lacking=lacking)


def flat(value: object) -> str:
    """What a definition says, in one line: keys with their values, those that are empty left out."""
    if isinstance(value, dict):
        said = ((key, flat(one)) for key, one in value.items() if one not in (None, "", [], {}))
        return ", ".join(f"{key} {one}" for key, one in said)
    if isinstance(value, list):
        return " and ".join(map(flat, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read(text: str | None) -> dict[str, object]:
    """The mapping of a column of JSON; empty where it holds something else."""
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


def _decisions(store: Store, model: str, at: datetime) -> list[Row]:
    """Decision records of the model that no later one supersedes, newest first."""
    rows = store.query("decision_record", {"model": model}, order_by=["-ts", "record_id"])
    rows = [row for row in rows if happened(row) <= iso(at)]
    gone = {row["supersedes"] for row in rows if row["supersedes"]}
    return [row for row in rows if row["record_id"] not in gone]
