"""A model with a champion and a candidate that the gate let pass, and a team whose roles are known."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.prove.worlds import add_version

from assay.prove.approvals.policy import declare_policy
from assay.prove.promotion import promote
from assay.record.canonical import canonical_json
from assay.record.identity import Actor, new_id
from assay.record.ledger import decide
from assay.record.models.registry import ModelVersion
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore
from assay.record.store import Store

MODEL = "late"
TEAM = {"peter": "data-scientist", "vera": "validator", "carl": "compliance", "olga": "owner", "uma": "ux"}
TRAINER, ASKER = "tina", "ben"


@contextmanager
def acting(store: Store, name: str, kind: str = "human") -> Iterator[None]:
    """Within the block somebody else uses the store."""
    before = store.actor
    store.actor = Actor(name, "human" if kind == "human" else "service")
    try:
        yield
    finally:
        store.actor = before


def let_pass(store: Store, version: ModelVersion, champion: ModelVersion) -> None:
    """The verdict of the gate on a version, as the gate keeps it: to judge takes longer than what is looked at here."""
    subject = f"{version.model}/{version.version}"
    decision = decide(store, "gate", subject, {"hash": version.hash, "outcome": "pass"})
    scored = {"evaluation_id": new_id(), "mv_id": version.mv_id, "baseline_mv_id": champion.mv_id}
    scored["detail"] = canonical_json({"dataset": "hold-out", "names": {}, "rows": 3000})
    store.append("evaluation", {**scored, "dataset_hash": "d" * 64, "profile_blob": "f" * 64})
    row = {"id": new_id(), "mv_id": version.mv_id, "subject_hash": version.hash, "baseline_mv_id": champion.mv_id}
    more = {
        "evaluation_id": scored["evaluation_id"],
        "policy_version": "p" * 64,
        "checks": "[]",
        "outcome": "pass",
        "mode": "auto",
    }
    store.append("gate", {**row, **more, "detail": '{"reasons": []}', "decision": decision})


def candidate(store: SqlStore, tier: str = "medium", *, team: bool = True) -> ModelVersion:
    """Version 2 of `late`, trained by tina: the gate let it pass beside version 1, which is the champion."""
    with acting(store, TRAINER):
        first, second = add_version(store, "old"), add_version(store, "new")
        promote(store, MODEL, 1, override="the first one")
        let_pass(store, second, first)
        if team:
            for person, role in TEAM.items():
                grant_role(store, person, role)
            grant_role(store, TRAINER, "ml-engineer")
            grant_role(store, ASKER, "ml-engineer")
        declare_policy(store, MODEL, tier=tier)
    return second
