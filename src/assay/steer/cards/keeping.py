"""Cards on record: written under the hash of what they say, complete for a risk tier or not, and still true or not."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from assay.record.clock import happened
from assay.record.identity import ordered_id
from assay.record.models.routes import newest_route
from assay.record.store import Row, Store
from assay.steer.cards.document import Document, has_expired
from assay.steer.cards.texts import DATASET_PARTS, MODEL_PARTS, TIERS

__all__ = ["CardState", "State", "card_rows", "card_state", "keep_card", "kept_document", "missing_of", "tier_of"]

State = Literal["current", "out of date", "not serving"]
_NEEDED = {"model": ("details", "evaluation", "training", "quantities"), "dataset": ("details", "columns")}


class CardState(msgspec.Struct, frozen=True):
    """How a card on record stands. `tier` is None where nobody has said how much is at risk: then all is asked for.

    `state` is "out of date" where the model answers with other content than the card describes, or the version has
    other content than it had when the card was written; "not serving" where nothing of the model answers; `why` says
    it in words. `missing` is what the card lacks for the tier, so that it is complete where that is empty.
    """

    card_id: str
    kind: str
    name: str
    subject: str
    hash: str
    content_hash: str
    written: str
    by: str
    tier: str | None
    complete: bool
    missing: list[str]
    state: State
    why: str


def keep_card(
    store: Store, document: Document, *, subject: str, content_hash: str, model: str | None, name: str
) -> Row:
    """Keep a card; one that says the same as the newest of its subject is that one."""
    now = store.clock.latest()
    with store.transaction():
        known = card_rows(store, document.kind, subject)
        if known and known[0]["hash"] == document.hash and known[0]["content_hash"] == content_hash:
            return known[0]
        row: Row = {
            "card_id": ordered_id(),
            "kind": document.kind,
            "subject": subject,
            "hash": document.hash,
            "content_hash": content_hash,
            "blob": store.blobs.put(document.content),
            "sections": json.dumps({one.key: one.coverage(now) for one in document.sections}),
            "model": model,
            "name": name,
        }
        store.append("card", row)
    return store.get("card", {"card_id": row["card_id"]})


def card_rows(store: Store, kind: str, subject: str) -> list[Row]:
    """The cards of a version (its id) or of a version of a dataset, newest first."""
    return store.query("card", {"kind": kind, "subject": subject}, order_by=["-ts", "-card_id"])


def kept_document(store: Store, row: Row) -> Document:
    """The card as it was written; Tampered where it is not what its hash says."""
    return msgspec.json.decode(store.blobs.get(row["blob"]), type=Document)


def card_state(store: Store, row: Row, *, at: datetime | None = None) -> CardState:
    """How a row of `card` stands now, or stood at a moment as far as words of people go."""
    moment = at or store.clock.latest()
    document = kept_document(store, row)
    tier = tier_of(store, row["model"]) if row["model"] else None
    missing = missing_of(document, tier, moment)
    state, why = _standing(store, row) if row["kind"] == "model" else ("current", "content of a dataset never changes")
    return CardState(
        **{name: row[name] for name in ("card_id", "kind", "name", "subject", "hash", "content_hash")},
        written=happened(row),
        by=row["actor"],
        tier=tier,
        complete=not missing,
        missing=missing,
        state=state,
        why=why,
    )


def tier_of(store: Store, model: str) -> str | None:
    """The risk tier of a model, or of all models where it has none of its own; None where nobody has said one."""
    rows = {row["model"]: row["tier"] for row in store.query("approval_rule", {"model in": [model, ""]})}
    return rows.get(model) or rows.get("")


def missing_of(document: Document, tier: str | None, at: datetime) -> list[str]:
    """What a card lacks for a risk tier: sections without records, and parts that nobody said or that expired."""
    needed = _NEEDED[document.kind]
    lacking = [
        f"records of {one.title.lower()}" for one in document.sections if one.key in needed and not one.has_records
    ]
    parts = MODEL_PARTS if document.kind == "model" else DATASET_PARTS
    tiers: Sequence[str] = TIERS
    most = tiers.index(tier) if tier in tiers else len(tiers) - 1
    for section in document.sections:
        for one in section.asked:
            if tiers.index(parts[one.part].least) <= most and (one.said is None or has_expired(one.said, at)):
                lacking.append(one.part)
    return lacking


def _standing(store: Store, row: Row) -> tuple[State, str]:
    version = store.get("model_version", {"mv_id": row["subject"]})
    if version["hash"] != row["content_hash"]:
        return "out of date", f"{row['name']} has other content than when the card was written"
    serving = _serving(store, row["model"])
    if not serving:
        return "not serving", f"nothing of {row['model']} answers"
    if row["content_hash"] in serving:
        return "current", f"it describes {serving[row['content_hash']]}, which answers"
    answering = ", ".join(sorted(set(serving.values())))
    return "out of date", f"{answering} answers, and this card describes {row['name']}"


def _serving(store: Store, model: str) -> dict[str, str]:
    """Hashes of the content with which a model answers at its endpoints now, with the versions they are."""
    endpoints = {row["endpoint"] for row in store.query("deployment", {"model": model})}
    found = {}
    for endpoint in sorted(endpoints):
        route = newest_route(store, endpoint)
        for variant in route.variants if route else ():
            for row in store.query("model_version", {"mv_id": variant.mv_id, "model": model}):
                found[variant.hash] = f"{row['model']}/{row['version']}"
    return found
