"""Points 1 to 2(d): what it is, how it was made, of which data."""

import json

from assay.record.store import Row
from assay.steer.cards.document import Fact, Section, Table
from assay.steer.cards.hub_names import page_path
from assay.steer.cards.model_card import columns_of
from assay.steer.cards.texts import texts_of
from assay.steer.cards.words import day, said_by, short
from assay.steer.dossier.subject import MOST_ROWS, Subject, filled, flat, read

__all__ = ["architecture", "data", "decision_table", "description", "design", "methods"]


def description(of: Subject) -> Section:
    """What it is for, which versions there are, what it reads and where it answers."""
    facts = [
        Fact("Model", of.model, page_path("models", of.model)),
        Fact("Version", str(of.version.version), page_path("models", of.model, of.version.version)),
        Fact("Content", f"{of.known.sealed}, SHA-256 {of.version.hash}"),
    ]
    if of.objective:
        facts.append(Fact("Objective", of.objective["statement"]))
        decision = read(of.objective["detail"]).get("decision")
        if isinstance(decision, dict) and decision.get("drives"):
            facts.append(Fact("Decision it drives", str(decision["drives"])))
        facts.append(Fact("Owner of the objective", of.objective["owner"]))
    said = texts_of(of.store, {"model": of.model, "version": of.version.mv_id}, of.at)
    for part, name in (("intended-use", "Intended use"), ("users", "Users"), ("out-of-scope", "Not meant for")):
        if part in said:
            facts.append(Fact(name, f"{said[part].text} ({said_by(said[part])})"))
    if of.card:
        facts.append(
            Fact("Model card", f"SHA-256 {of.card['hash']}, written {day(of.card['event_ts'] or of.card['ts'])}")
        )
    rows = of.store.query("model_version", {"model": of.model, "deleted": None}, order_by=["-version"], limit=MOST_ROWS)
    versions = [[str(row["version"]), day(row["created"]), short(row["hash"]), row["actor"]] for row in rows]
    columns = columns_of(of.store.get("model_version", {"mv_id": of.version.mv_id}))
    endpoints = sorted({row["endpoint"] for row in of.store.query("deployment", {"model": of.model})})
    tables = [
        Table("Versions", ["version", "made", "hash", "by"], versions),
        Table("Contract: columns that an endpoint takes", ["column", "type"], columns),
        Table(
            "Endpoints",
            ["endpoint"],
            [[name] for name in endpoints],
            links=[page_path("endpoints", name) for name in endpoints],
        ),
    ]
    lacking = ["objective"] * (of.objective is None) + ["model card"] * (of.card is None)
    lacking += ["endpoint"] * (not endpoints) + ["contract"] * (not columns)
    return filled("1", facts, tables, lacking)


def methods(of: Subject) -> Section:
    """The run that made it, with which code and packages, and what it was made of."""
    facts, lacking = [], []
    base = of.store.get("model_version", {"mv_id": of.version.mv_id})["base_model"]
    facts += [Fact("Made of the model", base)] if base else []
    tables = []
    if of.known.run_id:
        run = of.store.get("run", {"run_id": of.known.run_id})
        facts.append(
            Fact(
                "Run",
                f"{run['name']} {run['run_id'][:8]}, {run['kind']}, {run['status']}",
                page_path("runs", run["run_id"]),
            )
        )
        facts.append(Fact("Begun by", f"{run['actor']} ({run['trigger_type']}) on {day(run['started'])}"))
        changed = ", with changes that were not committed" if run["dirty"] else ""
        facts += [Fact("Code", f"{run['code_sha']}{changed}")] if run["code_sha"] else []
        kept = of.store.query("environment", {"env_hash": run["env_hash"] or ""})
        if kept:
            there = json.loads(kept[0]["detail"])
            packages = there.get("packages", {})
            facts.append(
                Fact(
                    "Environment", f"Python {there.get('python')}, {len(packages)} packages, SHA-256 {run['env_hash']}"
                )
            )
        params = of.store.query("run_param", {"run_id": run["run_id"], "layer": 0}, order_by=["key"])
        tables.append(Table("Params", ["param", "value"], [[row["key"], row["value"]] for row in params]))
    else:
        lacking.append("the run that made it")
    lacking += [] if base else ["a model that it was made of"]
    return filled("2a", facts, tables, lacking)


def design(of: Subject) -> Section:
    """Decisions on its design, and what was tried."""
    rows = [row for row in of.decisions if row["kind"] not in ("risk", "metric_choice")]
    tried = []
    for idea in of.store.query("idea", {"model": of.model}, order_by=["ts", "idea_id"], limit=MOST_ROWS):
        for one in of.store.query("idea_try", {"idea_id": idea["idea_id"]}, order_by=["ts", "try_id"]):
            gain = f"{one['gain']:+.4f}" if one["gain"] is not None else "–"
            interval = f" ({one['low']:+.4f} to {one['high']:+.4f})" if one["low"] is not None else ""
            tried.append([idea["text"], one["metric"], f"{gain}{interval}", one["outcome"], day(one["ts"])])
    tables = [
        decision_table(rows),
        Table("What was tried", ["idea", "metric", "gain", "outcome", "when"], tried, keys=2),
    ]
    return filled("2b", [], tables, ["decisions on its design"] * (not rows) + ["ideas that were tried"] * (not tried))


def architecture(of: Subject) -> Section:
    """The steps of its pipeline, what they took, and the machine."""
    if not of.known.run_id:
        return filled("2c", [], [], ["the run that made it"])
    run = of.store.get("run", {"run_id": of.known.run_id})
    facts = []
    if run["pipeline"]:
        facts.append(Fact("Pipeline", f"{run['pipeline']} ({short(run['pipeline_hash'] or '')})"))
    if run["cpu_s"] is not None:
        facts.append(Fact("Processor time", f"{run['cpu_s']:.1f} s"))
    machine = read(run["detail"])
    shown = {name: machine[name] for name in ("cpus", "memory_bytes") if machine.get(name)}
    facts += [Fact("Machine", flat(shown))] if shown else []
    kept = of.store.query("environment", {"env_hash": run["env_hash"] or ""})
    if kept:
        there = json.loads(kept[0]["detail"])
        facts.append(Fact("Platform", f"{there.get('platform')} {there.get('machine', '')}".strip()))
    steps = of.store.query("step", {"run_id": run["run_id"]}, order_by=["started", "step_id"], limit=MOST_ROWS)
    rows = [
        [
            row["name"],
            row["state"],
            f"{row['seconds']:.2f} s",
            f"{row['cpu_s']:.2f} s" if row["cpu_s"] is not None else "–",
        ]
        for row in steps
    ]
    table = Table("Steps of its pipeline", ["step", "state", "took", "processor"], rows)
    return filled("2c", facts, [table], ["steps of a pipeline"] * (not rows) + ["what it cost"])


def data(of: Subject) -> Section:
    """Datasets with their provenance, what was checked of them, and their cards."""
    digests = {use.digest: use.name for use in of.known.datasets}
    judged = {row["dataset_hash"] for row in of.judged.rows} if of.judged else set()
    kept = {
        row["hash"]: row
        for row in of.store.query(
            "artifact", {"type": "dataset", "hash in": sorted(digests.keys() | judged)}, order_by=["-created"]
        )
    }
    rows, checks, lacking = [], [], []
    for digest in sorted(digests.keys() | judged, key=lambda one: (digests.get(one, ""), one)):
        row: Row = kept.get(digest, {})
        used = " and ".join(
            word for word, there in (("training", digest in digests), ("judging", digest in judged)) if there
        )
        cards = of.store.query("card", {"kind": "dataset", "content_hash": digest}, limit=1)
        count = f"{row['rows']:,}" if row.get("rows") is not None else "–"
        rows.append([
            row.get("name") or digests.get(digest, ""), short(digest), count,
            used, row.get("source_system") or "not known", row.get("licence") or "not known", "yes" if cards else "no",
        ])  # fmt: skip
        results: dict[str, int] = {}
        for found in of.store.query("test_result", {"subject_kind": "dataset", "subject_id": digest}):
            results[found["result"]] = results.get(found["result"], 0) + 1
        checks += (
            [[rows[-1][0], short(digest), ", ".join(f"{count} {word}" for word, count in sorted(results.items()))]]
            if results
            else []
        )
    lacking += ["datasets"] * (not rows) + ["checks of the rows"] * (not checks) + ["how labels were made"]
    tables = [
        Table("Datasets", ["dataset", "hash", "rows", "used for", "from", "licence", "card"], rows, keys=2),
        Table("Checks", ["dataset", "hash", "results"], checks, keys=2),
    ]
    return filled("2d", [], tables, lacking)


def decision_table(rows: list[Row]) -> Table:
    """Decision records, newest first."""
    lines = []
    for row in rows[:MOST_ROWS]:
        detail = read(row["detail"])
        why = str(detail.get("context") or detail.get("outcome") or "")
        due = day(row["review_due"]) or "none"
        lines.append(
            [row["title"], row["kind"], row["status"], why, row["actor"], day(row["event_ts"] or row["ts"]), due]
        )
    return Table("Decision records", ["decision", "kind", "status", "why", "by", "when", "review due"], lines)
