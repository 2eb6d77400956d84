"""Which rows a clearing takes, and which deleted things stay because something that stays names them.

What was deleted within the period stays in any case, and then nothing it names goes either.
"""

import json
from dataclasses import dataclass, field

import sqlalchemy as sa

from assay.record.artifacts import model_root, run_root
from assay.record.schema import TABLES
from assay.record.store import Row, Store
from assay.record.tracking.experiments import DEFAULT_EXPERIMENT

__all__ = ["Leaving", "leaving"]

_NAMES_VERSION = (  # history: a version that stands here is kept for ever
    ("gate", "mv_id", "a verdict names it"),
    ("gate", "baseline_mv_id", "a verdict names it"),
    ("evaluation", "mv_id", "an evaluation names it"),
    ("evaluation", "baseline_mv_id", "an evaluation names it"),
    ("deployment", "mv_id", "a deployment names it"),
    ("serving_window", "mv_id", "it was served"),
    ("alias_move", "mv_id", "the history of an alias names it"),
    ("alias_move", "previous_mv_id", "the history of an alias names it"),
    ("test_result", "subject_id", "a test names it"),
    ("monitor", "mv_id", "a monitor watches it"),
    ("window_profile", "mv_id", "a monitor compares with what it was trained on"),
    ("retraining", "mv_id", "a retraining made it"),
)
_NAMES_RUN = (
    ("evaluation", "run_id", "an evaluation names it"),
    ("trigger_fire", "linked_run", "the firing of a trigger names it"),
    ("alert", "linked_run", "an alert names it"),
    ("retraining", "run_id", "a retraining started it"),
    ("test_result", "subject_id", "a test names it"),
)


@dataclass(slots=True)
class Leaving:
    """Rows that go, by their keys, and sentences about what stays. `roots` are the folders of artifacts that go."""

    runs: dict[str, Row] = field(default_factory=dict)
    logged_models: dict[str, Row] = field(default_factory=dict)
    versions: dict[str, Row] = field(default_factory=dict)
    registered_models: dict[str, Row] = field(default_factory=dict)
    experiments: dict[str, Row] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)

    @property
    def roots(self) -> set[str]:
        """The folders of artifacts whose files go."""
        runs = {run_root(row) for row in self.runs.values()}
        models = {model_root(row["experiment_id"], key) for key, row in self.logged_models.items()}
        return runs | models | set(self.experiments)

    @property
    def takes(self) -> list[tuple[str, str, set[str]]]:
        """Table, column and the values whose rows go, in an order in which no row names one that is gone."""
        runs, models, versions = set(self.runs), set(self.logged_models), set(self.versions)
        of_runs = ("run_param", "run_tag", "run_metric", "metric_chunk", "run_dataset", "run_model", "run_io", "step")
        of_models = ("logged_model_param", "logged_model_tag", "logged_model_metric")
        keys = set(self.registered_models)
        experiments = set(self.experiments)
        return [
            *[(kind, "run_id", runs) for kind in of_runs],
            *[(kind, "model_id", models) for kind in of_models],
            ("run_io", "artifact_id", versions),  # a version is also an artifact, under its id
            ("artifact", "artifact_id", versions),
            ("model_version_tag", "mv_id", versions),
            ("feature_use", "mv_id", versions),
            ("compiled_form", "mv_id", versions),
            ("model_version", "mv_id", versions),
            ("registered_model_tag", "model_key", keys),
            ("registered_model", "model_key", keys),
            ("logged_model", "model_id", models),
            ("run", "run_id", runs),
            *[(kind, "experiment_id", experiments) for kind in ("dataset_ref", "experiment_tag", "experiment")],
        ]


def leaving(store: Store, before: str) -> Leaving:
    """What was deleted before that moment and can go. Changes nothing."""
    found = Leaving()
    _choose_versions(store, before, found)
    _choose_runs(store, before, found)
    _choose_parents(store, before, found)
    return found


def _choose_versions(store: Store, before: str, found: Leaving) -> None:
    hidden = {row["name"]: row["deleted"] for row in store.query("registered_model", {"deleted <": before})}
    candidates = {row["mv_id"]: row for row in store.query("model_version", {"deleted <": before})}
    for name in hidden:  # its versions were hidden with it
        candidates |= {row["mv_id"]: row for row in store.query("model_version", {"model": name})}
    reasons = _reasons(store, _NAMES_VERSION, set(candidates)) if candidates else {}
    for row in store.query("route") if candidates else []:
        for variant in json.loads(row["detail"]).get("variants", []):
            reasons.setdefault(str(variant.get("mv_id")), "a routing table names it")
    for key, row in candidates.items():
        if key in reasons:
            found.kept.append(f"version {row['model']}/{row['version']} is kept for ever: {reasons[key]}")
        else:
            found.versions[key] = row


def _choose_runs(store: Store, before: str, found: Leaving) -> None:
    """Runs, logged models and versions name each other: what stays keeps what it names, until nothing more stays."""
    hidden = {row["experiment_id"] for row in store.query("experiment", {"deleted <": before})}
    columns = ("run_id", "experiment_id", "name", "deleted", "parent_run_id")
    everyone = {row["run_id"]: row for row in _columns(store, "run", *columns)}
    runs = {key: row for key, row in everyone.items() if row["deleted"] and row["deleted"] < before}
    models = {
        row["model_id"]: row
        for row in store.query("logged_model")
        if (row["deleted"] and row["deleted"] < before) or row["experiment_id"] in hidden
    }
    going: dict[str, dict[str, Row]] = {"run": runs, "logged model": models, "version": found.versions}
    names = {
        "run": {key: f"{row['name']} ({key[:12]})" for key, row in runs.items()},
        "logged model": {key: f"{row['name']} ({key[:12]})" for key, row in models.items()},
        "version": {key: f"{row['model']}/{row['version']}" for key, row in found.versions.items()},
    }
    for key, why in _reasons(store, _NAMES_RUN, set(runs)).items():
        del runs[key]
        found.kept.append(f"run {names['run'][key]} stays: {why}")
    links = _links(store, everyone)
    changed = True
    while changed:
        changed = False
        for whose, who, what, key, why in links:
            if key in going[what] and who not in going[whose]:
                del going[what][key]
                found.kept.append(f"{what} {names[what][key]} stays: {why}")
                changed = True
    found.runs, found.logged_models = runs, models


def _links(store: Store, runs: dict[str, Row]) -> list[tuple[str, str, str, str, str]]:
    """Who names whom: kind and key of the one that names, kind and key of the named, and why that keeps it."""
    links: list[tuple[str, str, str, str, str]] = []
    for row in _columns(store, "model_version", "mv_id", "run_id", "logged_model_id", "model", "version"):
        why = f"version {row['model']}/{row['version']} names it"
        links.append(("version", row["mv_id"], "run", row["run_id"], why))
        links.append(("version", row["mv_id"], "logged model", row["logged_model_id"], why))
    for row in _columns(store, "logged_model", "model_id", "source_run_id"):
        links.append(("logged model", row["model_id"], "run", row["source_run_id"], "a logged model came from it"))
    for row in _columns(store, "logged_model_metric", "model_id", "run_id"):
        links.append(("logged model", row["model_id"], "run", row["run_id"], "metrics of a logged model name it"))
    for row in _columns(store, "run_model", "run_id", "model_id"):
        links.append(("run", row["run_id"], "logged model", row["model_id"], "a run that stays names it"))
    io = TABLES["run_io"].c
    for row in store.select(sa.select(io.run_id, io.artifact_id).where(io.role == "input")):
        links.append(("run", row["run_id"], "version", row["artifact_id"], "a run that stays read it"))
    for key, row in runs.items():
        if row["parent_run_id"]:
            links.append(("run", key, "run", row["parent_run_id"], "a child of it stays"))
            if row["parent_run_id"] in runs:
                links.append(("run", row["parent_run_id"], "run", key, "its parent stays"))
    return [link for link in links if link[3]]


def _choose_parents(store: Store, before: str, found: Leaving) -> None:
    """Experiments and registered models go when nothing that belongs to them stays."""
    used = {
        row["experiment_id"]
        for row in _columns(store, "run", "experiment_id", "run_id")
        if row["run_id"] not in found.runs
    } | {
        row["experiment_id"]
        for row in _columns(store, "logged_model", "experiment_id", "model_id")
        if row["model_id"] not in found.logged_models
    }
    for row in store.query("experiment", {"deleted <": before}):
        key = row["experiment_id"]
        if key == DEFAULT_EXPERIMENT:
            found.kept.append("experiment Default stays: every store has it")
        elif key in used:
            found.kept.append(f"experiment {row['name']} stays: runs or models of it stay")
        else:
            found.experiments[key] = row
    named = {
        row["model"] for row in _columns(store, "model_version", "model", "mv_id") if row["mv_id"] not in found.versions
    }
    for row in store.query("registered_model", {"deleted <": before}):
        if row["name"] in named:
            found.kept.append(f"model {row['deleted_name'] or row['name']} stays: versions of it stay")
        else:
            found.registered_models[row["model_key"]] = row


def _reasons(store: Store, names: tuple[tuple[str, str, str], ...], keys: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, column, why in names:
        for row in _columns(store, kind, column):
            if row[column] in keys:
                found.setdefault(row[column], why)
    return found


def _columns(store: Store, kind: str, *columns: str) -> list[Row]:
    table = TABLES[kind]
    return store.select(sa.select(*[table.c[column] for column in columns]).distinct())
