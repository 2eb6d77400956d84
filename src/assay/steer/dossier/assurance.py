"""Points 2(e) to 5: who oversees it, what may change, what was tested and signed, its limits, metrics and risks."""

import json

from assay.record.people import people_with
from assay.record.store import Row
from assay.steer.cards import evaluations
from assay.steer.cards.document import Fact, Section, Table
from assay.steer.cards.keeping import tier_of
from assay.steer.cards.words import day, short
from assay.steer.dossier.development import decision_table
from assay.steer.dossier.subject import MOST_ROWS, Subject, filled, flat, read

__all__ = ["foreseen", "limits", "metric_choice", "oversight", "risks", "security", "tests"]

_OVERSEEING = ("owner", "business-owner", "operations", "validator", "compliance")


def oversight(of: Subject) -> Section:
    """Who has which role, who has to agree, who agreed, and what people stopped."""
    tier = tier_of(of.store, of.model)
    facts = [Fact("Risk tier", tier)] if tier else []
    people = people_with(of.store, _OVERSEEING, of.model)
    roles = [[role, ", ".join(names)] for role, names in people.items() if names]
    approvals = of.store.query("approval", {"mv_id": of.version.mv_id}, order_by=["ts", "approval_id"])
    given = [
        [
            row["outcome"],
            row["approver"],
            row["role"],
            row["requester"],
            short(row["subject_hash"]),
            day(row["ts"]),
            row["comment"] or "",
        ]
        for row in approvals
    ]
    exceptions = of.store.query("approval_exception", {"mv_id": of.version.mv_id}, order_by=["ts", "exception_id"])
    without = [
        [row["kind"], row["reason"], day(row["ts"]), day(row["reviewed"]) or "not reviewed"] for row in exceptions
    ]
    taken_back = [
        [row["endpoint"], day(row["started"]), row["actor"], row["actor_kind"]]
        for row in of.store.query(
            "deployment", {"model": of.model, "cause": "incident"}, order_by=["-started"], limit=MOST_ROWS
        )
    ]
    drills = [
        [row["kind"], row["result"], f"{row['seconds']:.1f} s", day(row["event_ts"] or row["ts"])]
        for row in of.store.query("drill", {"model": of.model}, order_by=["-ts"], limit=MOST_ROWS)
    ]
    tables = [
        Table("Roles", ["role", "people"], roles),
        Table("Approvals", ["outcome", "by", "as", "asked by", "of", "when", "words"], given, keys=2),
        Table("Live without an approval", ["how", "reason", "when", "reviewed"], without, keys=2),
        Table("Taken back", ["endpoint", "when", "by", "kind"], taken_back, keys=2),
        Table("Drills", ["drill", "result", "took", "when"], drills),
    ]
    lacking = ["a risk tier"] * (tier is None) + ["people with a role"] * (not roles)
    lacking += ["approvals"] * (not given) + ["drills"] * (not drills)
    return filled("2e", facts, tables, lacking)


def foreseen(of: Subject) -> Section:
    """What starts a training by itself, and what a candidate has to show."""
    triggers = of.store.query("trigger_def", {"model": of.model, "enabled": 1}, order_by=["name", "trigger_id"])
    rows = [[row["name"] or row["type"], row["type"], flat(read(row["detail"]))] for row in triggers]
    gates = of.store.query("gate", {"mv_id": of.version.mv_id, "mode": "auto"}, order_by=["-decision"], limit=1)
    policy = read(gates[0]["detail"]).get("policy") if gates else None
    facts = [Fact("Gate policy", f"{flat(policy)} (SHA-256 {gates[0]['policy_version']})")] if policy else []
    releases = of.store.query("rollout", {"model": of.model}, order_by=["-started"], limit=1)
    facts += [
        Fact("How a version goes live", flat(read(one["strategy"])) or one["strategy"])
        for one in releases
        if one["strategy"][:1] == "{"
    ]
    facts += [Fact("How a version goes live", one["strategy"]) for one in releases if one["strategy"][:1] != "{"]
    lacking = (
        ["triggers"] * (not rows) + ["a gate's policy"] * (not policy) + ["a release step by step"] * (not releases)
    )
    return filled("2f", facts, [Table("Triggers", ["trigger", "kind", "condition"], rows)], lacking)


def tests(of: Subject) -> Section:
    """Reports with their dates and signatures, single tests, and groups beside each other."""
    reports = _reports(of)
    signed = _signatures(of, [row[0] for row in reports])
    lines = [[name[:8], *rest, signed.get(name, "not signed")] for name, *rest in reports]
    subjects = [of.version.mv_id, of.version.hash, *(row[0] for row in reports)]
    found = of.store.query("test_result", {"subject_id in": subjects}, order_by=["ts", "id"], limit=MOST_ROWS)
    single = [
        [_name(row), row["kind"], row["result"], row["mode"], row["actor"], day(row["event_ts"] or row["ts"])]
        for row in found
    ]
    groups = []
    if of.judged:
        groups = [table for table in evaluations.quantity_section(of.judged).tables if table.title.startswith("Groups")]
    headings = ["report", "kind", "on", "rows", "outcome", "by", "dated", "signed by"]
    tables = [
        Table("Test reports", headings, lines, keys=2),
        Table("Tests", ["test", "kind", "result", "how", "by", "dated"], single),
        *groups,
    ]
    lacking = (
        ["test reports"] * (not lines) + ["signatures"] * (not signed) + ["groups beside each other"] * (not groups)
    )
    return filled("2g", [], tables, lacking)


def security(of: Subject) -> Section:
    """Tests of security, and signatures of the model."""
    found = of.store.query("test_result", {"subject_id in": [of.version.mv_id, of.version.hash]}, order_by=["ts", "id"])
    rows = [
        [_name(row), row["result"], row["actor"], day(row["event_ts"] or row["ts"])]
        for row in found
        if "security" in (row["kind"].lower(), row["tag"].lower())
    ]
    signed = _signatures(of, [of.version.mv_id, of.version.hash])
    facts = [Fact("The model is signed by", name) for name in sorted(set(signed.values()))]
    table = Table("Tests of security", ["test", "result", "by", "dated"], rows)
    return filled("2h", facts, [table], ["tests of security"] * (not rows) + ["a signature of the model"] * (not facts))


def limits(of: Subject) -> Section:
    """Accuracy for groups, what the gate said of them, and what is watched."""
    tables, facts = [], []
    if of.judged:
        found = evaluations.quantity_section(of.judged)
        facts = [fact for fact in found.facts if fact.name != "Policy"]
        tables = [table for table in found.tables if table.title in ("All rows", "By segment", "By several at once")]
    monitors = of.store.query("monitor", {"model": of.model, "enabled": 1}, order_by=["endpoint", "name", "monitor_id"])
    rows = [[row["name"] or row["kind"], row["kind"], row["endpoint"], row["owner"]] for row in monitors]
    tables.append(Table("Monitors", ["monitor", "kind", "endpoint", "owner"], rows))
    lacking = ["an evaluation by segment"] * (of.judged is None) + ["monitors"] * (not rows)
    return filled("3", facts, tables, lacking)


def metric_choice(of: Subject) -> Section:
    """Decisions on metrics."""
    rows = [row for row in of.decisions if row["kind"] == "metric_choice"]
    facts = []
    if of.objective:
        of_one = of.objective
        goal = f", target {of_one['target']:g}" if of_one["target"] is not None else ""
        floor = f", floor {of_one['floor']:g}" if of_one["floor"] is not None else ""
        facts.append(
            Fact("The objective is measured by", f"{of_one['kpi']}, {of_one['direction']} is better{goal}{floor}")
        )
    return filled("4", facts, [decision_table(rows)], ["decisions on metrics"] * (not rows))


def risks(of: Subject) -> Section:
    """Decisions on risks."""
    rows = [row for row in of.decisions if row["kind"] == "risk"]
    return filled("5", [], [decision_table(rows)], ["decisions on risks"] * (not rows))


def _reports(of: Subject) -> list[list[str]]:
    """Id, kind, dataset, rows, outcome, who and when of evaluations and verdicts, oldest first."""
    lines = []
    for row in reversed(of.judged.rows if of.judged else []):
        detail = json.loads(row["detail"])
        lines.append(
            [
                row["evaluation_id"],
                "evaluation",
                detail["dataset"],
                f"{detail['rows']:,}",
                "",
                row["actor"],
                _dated(row),
            ]
        )
    for row in of.store.query("gate", {"mv_id": of.version.mv_id}, order_by=["decision"], limit=MOST_ROWS):
        kind = "verdict" if row["mode"] == "auto" else "override"
        by = row["override_by"] or row["actor"]
        lines.append([row["id"], kind, row["evaluation_id"][:8], "", row["outcome"], by, _dated(row)])
    return lines


def _signatures(of: Subject, subjects: list[str]) -> dict[str, str]:
    """Who signed what, with the day; several as a list. A key that was revoked is told."""
    keys = {row["key_id"]: row for row in of.store.query("signing_key")}
    found: dict[str, list[str]] = {}
    for row in of.store.query("signature", {"subject_id in": subjects}, order_by=["ts", "signature_id"]):
        key = keys.get(row["key_id"], {})
        revoked = ", key revoked since" if key.get("revoked") else ""
        found.setdefault(row["subject_id"], []).append(f"{key.get('holder') or row['actor']} on {_dated(row)}{revoked}")
    return {subject: "; ".join(names) for subject, names in found.items()}


def _name(row: Row) -> str:
    return str(read(row["detail"]).get("name") or row["tag"])


def _dated(row: Row) -> str:
    return day(row["event_ts"] or row["ts"])
