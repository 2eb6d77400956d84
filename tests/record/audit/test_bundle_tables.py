from collections.abc import Mapping
from typing import Any

import pytest

from assay.record.audit.bundle_tables import RULES, Period, chosen
from assay.record.contract import version_row
from assay.record.models.registered_models import create_registered_model
from assay.record.schema import TABLES
from assay.record.sqlstore import SqlStore

LEFT_OUT = {
    *("ledger", "ledger_head", "ledger_checkpoint", "ledger_anchor", "signature", "signing_key"),  # files of their own
    *("personal_data", "store_meta", "counter", "writer", "outbox", "delivery", "webhook", "watcher", "lease"),
    *("project", "time_entry", "experiment", "experiment_tag", "step", "step_code", "environment"),  # how people work
    *("dataset_ref", "run_tag", "run_model", "metric_chunk", "artifact_file", "feature_view", "feature_log"),
    *("logged_model", "logged_model_metric", "logged_model_param", "logged_model_tag"),
    *("registered_model_tag", "model_version_tag", "notice_rule"),
    *("label", "unit_label", "prediction_part"),  # rows of people
    *("route", "route_ack", "serving_worker", "serving_window"),  # of endpoints
    *("window_profile", "monitor_check", "monitor_finding"),
}


def _row(kind: str, text: str, **given: object) -> dict[str, Any]:
    """A row of that kind, with something in every column that needs it."""
    plain: Mapping[type[Any], object] = {str: text, int: 1, float: 0.5, bytes: b"x"}
    needed = [c for c in TABLES[kind].c if not c.nullable and c.server_default is None]
    evidence = ("actor", "actor_kind", "source", "ts")
    return {c.name: plain[c.type.python_type] for c in needed if c.name not in evidence} | given


def _of_a_model(store: SqlStore, model: str) -> None:
    """A row in each table, which leads to the model by the rule."""
    create_registered_model(store, model)
    version, run, artifact = (f"{model}-{kind}" for kind in ("version", "run", "artifact"))
    store.append("run", _row("run", run, experiment_id="0"))
    store.append("artifact", _row("artifact", artifact))
    store.append("model_version", {**version_row(version, 1), "model": model, "run_id": run})
    of = {"registered_model": model, "model_version": version, "about": version, "run": run}
    for rule in RULES:
        kind, text = rule.table, f"{model}-{rule.table}"
        if kind in ("registered_model", "model_version", "run", "artifact"):
            continue
        named = {c.name: version for c in TABLES[kind].c if c.name in ("mv_id", "baseline_mv_id")}
        named |= {"artifact_id": artifact} if kind == "run_io" else {}
        store.append(kind, _row(kind, text, **{**named, rule.column: of.get(rule.of[0], f"{model}-{rule.of[0]}")}))


def test_the_rows_of_one_model_are_chosen_in_every_table_and_no_others(store: SqlStore) -> None:
    _of_a_model(store, "ours")
    _of_a_model(store, "theirs")
    found = chosen(store, "ours", Period()).tables
    assert found.keys() == {rule.table for rule in RULES}
    for kind, rows in found.items():
        assert len(rows) == 1, kind
        assert "theirs" not in str(rows), kind
    whole = chosen(store, None, Period()).tables
    assert {len(rows) for rows in whole.values()} == {2}


def test_events_are_those_of_the_period(store: SqlStore) -> None:
    _of_a_model(store, "ours")
    early = chosen(store, "ours", Period(until="2001")).tables
    assert early.keys() == {rule.table for rule in RULES if not rule.event}
    assert chosen(store, "ours", Period(since="2001")).tables.keys() == {rule.table for rule in RULES}


def test_of_every_table_it_was_thought_whether_it_belongs_into_a_bundle() -> None:
    assert {rule.table for rule in RULES} | LEFT_OUT == TABLES.keys()
    assert not {rule.table for rule in RULES} & LEFT_OUT


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.table)
def test_a_rule_names_columns_that_are_there_and_tables_before_it(rule: Any) -> None:
    assert rule.column in TABLES[rule.table].c
    table, column = rule.of
    before = [one.table for one in RULES[: RULES.index(rule)]]
    assert table == "about" or (table in before and column in TABLES[table].c)
