"""Points 6 and 9: what changed through the life cycle, and how it is watched after it went to market."""

import json

import sqlalchemy as sa

from assay.record.alerts.rules import rules_of
from assay.record.schema import TABLES
from assay.record.store import Row
from assay.steer.cards.document import Fact, Section, Table
from assay.steer.cards.hub_names import page_path
from assay.steer.cards.words import day
from assay.steer.dossier.subject import MOST_ROWS, Subject, filled, flat, read

__all__ = ["CATEGORIES", "changes", "plan"]

CATEGORIES = {  # of NIST AI 800-4, with the kinds of monitors that belong to them; other kinds are of the first
    "functionality": ("quality", "drift", "prediction_drift", "skew", "label_drift", "performance", "estimate"),
    "operational": ("freshness", "latency", "errors", "volume"),
    "human factors": (),
    "security": (),
    "compliance": (),
    "large-scale impacts": (),
}


def changes(of: Subject) -> Section:
    """Deployments, decisions of the ledger and incidents, newest first."""
    deployments = of.store.query("deployment", {"model": of.model}, order_by=["-started", "dep_id"], limit=MOST_ROWS)
    numbers = _numbers(of)
    lives = [
        [
            numbers.get(row["mv_id"], "?"),
            row["endpoint"],
            day(row["started"]),
            day(row["ended"]) or "goes on",
            row["cause"],
            row["strategy"],
            row["outcome"] or "",
            row["actor"],
        ]
        for row in deployments
    ]
    subjects = {f"{of.model}/{number}" for number in numbers.values()} | {of.model}
    decided: list[list[str]] = []
    for row in _entries(of):
        body = json.loads(row["body"])
        if body["subject"] in subjects and len(decided) < MOST_ROWS:
            detail = body["detail"]
            why = str(detail.get("reason") or detail.get("verdict") or "")
            decided.append(
                [str(row["seq"]), row["kind"], body["subject"], why, body["actor"], day(body["event_ts"] or body["ts"])]
            )
    incidents = of.store.query("incident", {"model": of.model}, order_by=["-detected", "incident_id"], limit=MOST_ROWS)
    went_wrong = [
        [
            row["title"],
            row["severity"],
            day(row["started"]),
            day(row["detected"]),
            day(row["restored"]) or "goes on",
            row["cause"] or "not known yet",
        ]
        for row in incidents
    ]
    tables = [
        Table("Deployments", ["version", "endpoint", "from", "to", "cause", "how", "outcome", "by"], lives, keys=3),
        Table("Decisions in the ledger", ["entry", "kind", "of", "why", "by", "when"], decided),
        Table("Incidents", ["incident", "severity", "harm began", "detected", "restored", "cause"], went_wrong,
              links=[page_path("incidents", row["incident_id"]) for row in incidents]),
    ]  # fmt: skip
    lacking = ["deployments"] * (not lives) + ["decisions"] * (not decided)
    return filled("6", [], tables, lacking)


def plan(of: Subject) -> Section:
    """The plan: what is watched by whom, how often, what an alarm leads to, and when people look again."""
    monitors = of.store.query("monitor", {"model": of.model, "enabled": 1}, order_by=["endpoint", "name", "monitor_id"])
    watched, kinds = [], []
    for row in monitors:
        detail = read(row["detail"])
        window = str(detail.get("window") or f"{row['every_s']} s")
        alarm = detail.get("persistence")
        needs = f"{alarm[0]} of {alarm[1]} windows" if isinstance(alarm, list) and len(alarm) == 2 else ""
        metric = str(detail.get("metric") or flat(detail.get("columns") or []) or "all")
        watched.append(
            [
                row["name"] or row["kind"],
                row["kind"],
                metric,
                window,
                needs,
                str(detail.get("severity") or ""),
                row["owner"],
            ]
        )
        kinds.append((row["name"] or row["kind"], row["kind"]))
    listed = {kind for several in CATEGORIES.values() for kind in several}
    by_category = []
    for category, of_it in CATEGORIES.items():
        names = [name for name, kind in kinds if kind in of_it or (category == "functionality" and kind not in listed)]
        by_category.append([category, ", ".join(names) or "nothing is watched"])
    facts = _cadence(of)
    triggers = of.store.query("trigger_def", {"model": of.model, "enabled": 1}, order_by=["name", "trigger_id"])
    leads = [[row["name"] or row["type"], flat(read(row["detail"])), row["pipeline"]] for row in triggers]
    headings = ["monitor", "kind", "of", "window", "an alarm needs", "severity", "owner"]
    tables = [Table("What is watched", headings, watched)] if watched else []
    tables += [Table("By category of NIST AI 800-4", ["category", "monitors"], by_category)] if watched else []
    tables += [_review_table(of), _reviews(of)]
    tables += [Table("What starts a training", ["trigger", "condition", "pipeline"], leads)]
    lacking = ["monitors"] * (not watched) + ["a review cadence"] * (of.objective is None)
    return filled("9", facts if watched or of.objective else [], tables, lacking)


def _cadence(of: Subject) -> list[Fact]:
    rules = rules_of(of.store, of.model)
    facts = [
        Fact("An alert that nobody acknowledged is raised after", rules.escalate_after),
        Fact("A critical one is told again after", rules.critical_after),
    ]
    facts += [Fact("Runbook", rules.runbook)] if rules.runbook else []
    if of.objective:
        facts.append(Fact("Review of the objective is due", day(of.objective["review_due"])))
        every = read(of.objective["detail"]).get("review_every")
        facts += [Fact("Reviewed every", str(every))] if every else []
        facts.append(Fact("Who reviews it", of.objective["owner"]))
    for row in of.decisions:
        if row["review_due"]:
            facts.append(Fact(f"Review of “{row['title']}” is due", day(row["review_due"])))
    return facts


def _review_table(of: Subject) -> Table:
    """What opens a review of the objective, as its terms say."""
    terms = read(of.objective["detail"]) if of.objective else {}
    rows = []
    if of.objective and of.objective["floor"] is not None:
        rows.append([of.objective["kpi"], f"its floor of {of.objective['floor']:g} is passed"])
    guardrails = terms.get("guardrails")
    for one in guardrails if isinstance(guardrails, list) else []:
        if isinstance(one, dict):
            rows.append(
                [str(one.get("name")), f"its limit of {flat(one.get('limit'))} {one.get('unit', '')} is passed".strip()]
            )
    segments = terms.get("segments")
    if isinstance(segments, list) and segments:
        rows.append(["mix of users", f"over {flat(terms.get('mix_tolerance', ''))} of them moved, by {flat(segments)}"])
    stop = terms.get("stop")
    if isinstance(stop, dict):
        rows.append(["stop rule", str(stop.get("words") or flat(stop))])
    return Table("What opens a review of the objective", ["what", "when"], rows)


def _reviews(of: Subject) -> Table:
    """Reviews of the objective, newest first."""
    rows = of.store.query("objective_review", {"model": of.model}, order_by=["-opened", "review_id"], limit=MOST_ROWS)
    lines = [
        [day(row["opened"]), row["cause"], row["reason"], row["outcome"] or "open", row["closed_by"] or ""]
        for row in rows
    ]
    return Table("Reviews of the objective", ["opened", "cause", "why", "outcome", "by"], lines, keys=2)


def _entries(of: Subject) -> list[Row]:
    """Entries of the ledger whose subject begins with the name of the model, newest first."""
    ledger = TABLES["ledger"]
    begins = f'"subject":{json.dumps(of.model, ensure_ascii=False)[:-1]}'
    named = ledger.c.body.contains(begins, autoescape=True)
    return of.store.select(sa.select(ledger).where(named).order_by(ledger.c.seq.desc()))


def _numbers(of: Subject) -> dict[str, str]:
    rows = of.store.query("model_version", {"model": of.model})
    return {row["mv_id"]: str(row["version"]) for row in rows}
