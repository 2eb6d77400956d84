"""A store in which every point of Annex IV that records can fill has a record."""

from tests.steer.cards.card_worlds import HOSTILE, CardWorld, fill_cards, say_all

from assay.operate.monitors.definition import Definition
from assay.operate.monitors.records import declare_monitors
from assay.operate.triggers.definition import TriggerDefinition
from assay.operate.triggers.records import declare_triggers
from assay.prove.ideas import add_idea
from assay.prove.promotion import promote
from assay.record.alerts.incident_commands import report_incident
from assay.record.canonical import canonical_json, digest
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.sqlstore import SqlStore
from assay.steer.cards.commands import card


def fill_dossier(store: SqlStore) -> CardWorld:
    """A model with an objective, decisions, approvals, monitors, triggers, tests, signatures and an incident."""
    made = fill_cards(store)
    say_all(store)
    card(store, "late", "2")
    promote(store, "late", 2)
    now = iso(store.clock.now())
    detail: dict[str, object] = {"decision": {"drives": "which passengers are warned"}, "review_every": "12w"}
    detail |= {"guardrails": [{"name": "complaints", "unit": "a month", "limit": 12.5}], "segments": ["origin"]}
    detail |= {"mix_tolerance": 0.1, "stop": {"words": "not worth it twice"}}
    store.append(
        "objective",
        {
            "objective_id": "o1",
            "version": 1,
            "model": "late",
            "statement": f"Fewer missed flights {HOSTILE}",
            "kpi": "missed flights",
            "direction": "lower",
            "owner": "carla",
            "review_due": now,
            "hash": digest(detail),
            "detail": canonical_json(detail),
            "target": 40.0,
            "floor": 60.0,
            "decision": decide(store, "objective", "late", {}),
        },
    )
    for kind in ("model_choice", "metric_choice", "risk"):
        _decision(store, kind)
    store.append("approval_rule", {"model": "late", "tier": "medium", "detail": "{}"})
    _approval(store, made)
    monitors = {"inputs": Definition(kind="drift", owner=HOSTILE), "slow": Definition(kind="latency")}
    declare_monitors(store, "late", "late", monitors)
    declare_triggers(store, "late", "assay.toml", {"weekly": TriggerDefinition(schedule="0 6 * * 1")})
    add_idea(store, "late", "Look at the weather")
    report_incident(store, "Wrong answers", severity="critical", model="late")
    test = {"subject_kind": "model", "subject_id": made.new.mv_id, "mode": "manual", "detail": "{}"}
    store.append("test_result", {**test, "id": "t1", "tag": "pen test", "kind": "security", "result": "pass"})
    _signature(store, made)
    return made


def _decision(store: SqlStore, kind: str) -> None:
    row = {"record_id": f"d-{kind}", "title": f"On {kind}", "kind": kind, "status": "accepted", "model": "late"}
    detail = canonical_json({"context": f"Why {kind}"})
    decision = decide(store, "decision_record", "late", {"title": row["title"]})
    store.append("decision_record", {**row, "detail": detail, "decision": decision, "review_due": None})


def _approval(store: SqlStore, made: CardWorld) -> None:
    decision = decide(store, "approval", "late/2", {})
    row = {"approval_id": "a1", "request_id": "r1", "mv_id": made.new.mv_id, "subject_hash": "f" * 64}
    row |= {"requester": "ana", "approver": "bo", "approver_kind": "human", "role": "validator", "outcome": "approve"}
    store.append("approval", {**row, "decision": decision, "comment": HOSTILE})


def _signature(store: SqlStore, made: CardWorld) -> None:
    store.append("signing_key", {"key_id": "k1", "algorithm": "ed25519", "public_key": "x", "holder": "dora"})
    row = {"signature_id": "s1", "subject_kind": "evaluation", "subject_id": made.evaluation_id, "key_id": "k1"}
    store.append("signature", {**row, "content_hash": "e" * 64, "signature": "x"})
