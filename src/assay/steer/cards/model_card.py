"""The card of a version: the sections of Mitchell et al. (2019), filled from the records, and what people are asked.

It says nothing of approvals, deployments or monitors: it is part of what is approved, and what follows from an
approval must not change it.
"""

import json
import re
from typing import Any

import msgspec

from assay.record.models.registry import ModelVersion
from assay.record.models.version_lineage import VersionLineage, version_lineage
from assay.record.people import people_with
from assay.record.store import Row, Store
from assay.steer.cards import evaluations
from assay.steer.cards.document import Document, Fact, Said, Section, Table
from assay.steer.cards.hub_names import hub_licence, hub_name, page_path
from assay.steer.cards.texts import MODEL_PARTS, asked, texts_of
from assay.steer.cards.words import day, short

__all__ = ["columns_of", "model_card"]

_TITLES = {
    "details": "Model details",
    "use": "Intended use",
    "factors": "Factors",
    "metrics": "Metrics",
    "evaluation": "Evaluation data",
    "training": "Training data",
    "quantities": "Quantitative analyses",
    "ethics": "Ethical considerations",
    "caveats": "Caveats and recommendations",
}
_OPENING = (
    "Written from the records of the store. What only people can say is dated and bears a name; what nobody has said "
    "is shown as missing."
)


def model_card(store: Store, version: ModelVersion) -> Document:
    """The card of a version as the records are now."""
    row = store.get("model_version", {"mv_id": version.mv_id})
    known = version_lineage(store, version.mv_id)
    found = evaluations.judged(store, version.mv_id)
    now = store.clock.latest()
    said = texts_of(store, {"model": version.model, "version": version.mv_id}, now)
    filled = {
        "details": _details(store, row, known),
        "use": Section("use", _TITLES["use"]),
        "factors": evaluations.factor_section(found),
        "metrics": evaluations.metric_section(found),
        "evaluation": evaluations.data_section(found),
        "training": _training(store, known, found),
        "quantities": evaluations.quantity_section(found),
        "ethics": Section("ethics", _TITLES["ethics"]),
        "caveats": _caveats(known, found),
    }
    sections = [msgspec.structs.replace(one, asked=asked(MODEL_PARTS, said, key)) for key, one in filled.items()]
    return Document(
        kind="model",
        title=f"{version.model} {version.version}",
        about=[Fact("Content", f"SHA-256 {version.hash}" if version.hash else "not sealed")],
        sections=sections,
        front=_front(store, version, row, said, known, found),
        opening=_OPENING,
    )


def _details(store: Store, row: Row, known: VersionLineage) -> Section:
    model, number = row["model"], row["version"]
    facts = [
        Fact("Model", model, page_path("models", model)),
        Fact("Version", str(number), page_path("models", model, number)),
        Fact("Made", f"{day(known.created)} by {known.actor}"),
        Fact("Files", known.sealed),
    ]
    facts += [Fact("Description", known.description)] if known.description else []
    facts += [Fact("Made of", row["base_model"])] if row["base_model"] else []
    answers = people_with(store, ["owner"], model)["owner"]
    facts += [Fact("Answers for it", ", ".join(answers))] if answers else []
    lacking = [] if answers else ["who answers for it (assay role grant)"]
    tables = []
    if known.run_id:
        facts += _made_by(store, known)
        params = store.query("run_param", {"run_id": known.run_id, "layer": 0}, order_by=["key"])
        tables.append(Table("Params of its run", ["param", "value"], [[one["key"], one["value"]] for one in params]))
    else:
        lacking.append("the run that made it")
    columns = columns_of(row)
    tables.append(Table("Columns it reads", ["column", "type"], columns))
    lacking += [] if columns else ["the columns it reads"]
    return Section(
        "details", _TITLES["details"], facts=facts, tables=[one for one in tables if one.rows], lacking=lacking
    )


def _made_by(store: Store, known: VersionLineage) -> list[Fact]:
    run_id = str(known.run_id)
    facts = [Fact("Run", f"{known.run or ''} {run_id[:8]}".strip(), page_path("runs", run_id))]
    facts += [Fact("Experiment", known.experiment)] if known.experiment else []
    if known.code:
        facts.append(Fact("Code", known.code + (", with changes that were not committed" if known.dirty else "")))
    kept = store.query("environment", {"env_hash": known.environment or ""})
    if kept:
        there = json.loads(kept[0]["detail"])
        facts.append(
            Fact(
                "Environment",
                f"Python {there.get('python', '?')}, {len(there.get('packages', {}))} packages "
                f"({short(str(known.environment))})",
            )
        )
    return facts


def _training(store: Store, known: VersionLineage, found: evaluations.Judged | None) -> Section:
    """What its run read. Rows that it was judged on too are told: they leak unless its run only judged there."""
    judged_on = {row["dataset_hash"] for row in found.rows} if found else set()
    rows = []
    kept = {row["hash"]: row for row in store.query("artifact", {"hash in": [one.digest for one in known.datasets]})}
    for use in known.datasets:
        there = kept.get(use.digest, {})
        count = there.get("rows")
        rows.append(
            [
                use.name,
                short(use.digest),
                f"{count:,}" if count is not None else "–",
                there.get("source_system") or "not known",
                there.get("licence") or "not known",
                (use.context or "read by its run") if use.context != "input" else "read by its run",
                "yes" if use.digest in judged_on else "no",
            ]
        )
    headings = ["dataset", "hash", "rows", "from", "licence", "as", "judged on it too"]
    tables = [Table("Data that its run read", headings, rows, keys=2), _features(store, known.mv_id)]
    return Section(
        "training",
        _TITLES["training"],
        tables=[one for one in tables if one.rows],
        lacking=[] if rows else ["data that its run read"],
    )


def _features(store: Store, mv_id: str) -> Table:
    used = store.query("feature_use", {"mv_id": mv_id}, order_by=["view", "version", "feature"])
    rows = [[f"{one['view']}:{one['feature']}", str(one["version"]), one["input"]] for one in used]
    return Table("Features of views", ["feature", "version of the view", "column"], rows)


def _caveats(known: VersionLineage, found: evaluations.Judged | None) -> Section:
    """What the records themselves warn of."""
    notes = []
    if found is None:
        notes.append("It was never evaluated.")
    elif found.gate is None:
        notes.append("No gate has judged its newest evaluation.")
    elif found.gate["outcome"] != "pass":
        notes.append(f"The gate's verdict on its newest evaluation is {found.gate['outcome']}.")
    if known.dirty:
        notes.append("It was made by code that was not committed.")
    if known.sealed != "sealed":
        notes.append("Its files are not sealed under a hash in this store.")
    if known.run_changed:
        notes.append("Params or metrics of its run are not what they were when it was sealed.")
    return Section("caveats", _TITLES["caveats"], notes=notes)


def _front(
    store: Store,
    version: ModelVersion,
    row: Row,
    said: dict[str, Said],
    known: VersionLineage,
    found: evaluations.Judged | None,
) -> dict[str, Any]:
    tags = store.query("model_version_tag", {"mv_id": version.mv_id}, order_by=["key"])
    named = [f"{one['key']}:{one['value']}" for one in tags if not one["key"].startswith("mlflow.")]
    base = row["base_model"] or ""
    front: dict[str, Any] = {
        **hub_licence(said["licence"].text if "licence" in said else None),
        "base_model": base if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", base) else None,
        "datasets": sorted({hub_name(use.name) for use in known.datasets}) or None,
        "tags": ["assay", *named],
    }
    if found:
        front["metrics"] = evaluations.names_of(found)
        front["model-index"] = evaluations.results_of(found, version.model) or None
    return {key: value for key, value in front.items() if value is not None}


def columns_of(row: Row) -> list[list[str]]:
    """Name and type of each column that a version reads; empty where its signature has another form."""
    signature = json.loads(row["signature"] or "{}")
    columns = signature.get("inputs") if isinstance(signature, dict) else None
    if isinstance(columns, str):  # a client sends JSON inside JSON
        columns = json.loads(columns)
    return [[str(one.get("name") or "–"), str(one.get("type") or "")] for one in columns or [] if isinstance(one, dict)]
