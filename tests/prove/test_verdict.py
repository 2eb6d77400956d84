"""A verdict in words: what was tested, on which rows, how, at which error rate, and by which policy."""

import json

import msgspec
import pyarrow as pa
import pytest
from tests.prove.worlds import ACCURACY, Part, evaluated, world

from assay.prove.evaluation import evaluate
from assay.prove.gate import GateResult, gate
from assay.prove.policy import Policy, parse_policy
from assay.prove.verdict import settings_of
from assay.record.sqlstore import SqlStore


def judged(parts: dict[str, Part], policy: Policy = ACCURACY) -> GateResult:
    table = world(parts)
    return gate(evaluate("new", table, baseline="old", label="late", unit="unit", segments=["segment"]), policy)


@pytest.mark.parametrize(
    ("parts", "headline"),
    [
        ({"a": Part(6000)}, "pass: new against old (shown to be good enough)"),
        ({"a": Part(6000, -0.1, 0.12)}, "fail: new against old (proven harm, or a condition that is broken)"),
        ({"a": Part(300)}, "inconclusive: new against old (the rows do not decide; this is no pass)"),
    ],
)
def test_the_first_line_says_what_it_means(parts: dict[str, Part], headline: str) -> None:
    result = judged(parts)
    lines = str(result).splitlines()
    assert lines[0] == result.headline == headline
    assert lines[1 : 1 + len(result.reasons)] == [f"  {reason}" for reason in result.reasons]
    assert lines[1 + len(result.reasons) :] == result.about
    assert f"rows; could have seen {result.checks[0].could_see:.2g}" in lines[1]


def test_it_names_rows_methods_error_rate_and_policy() -> None:
    result = judged({"a": Part(6000), "b": Part(2000)})
    rows, methods, uses, policy, effect = result.about
    expected = f"Rows: 8,000 of data (hash {result.dataset_hash[:12]}); rows of one unit hang together."
    assert rows == expected
    assert "jackknife over buckets of units" in methods
    assert "error rate 0.05 one-sided; harm is proven over 3 tests together (Holm)" in methods
    assert uses == "Uses of these rows: not counted, because the verdict is not recorded."
    assert policy == f"Policy: accuracy (hash {ACCURACY.version[:12]})."
    assert "metrics.accuracy.margin 0.02; segments segment; cross 2 (default)" in effect
    assert "alpha 0.05 (default)" in effect


def test_rows_without_a_label_are_counted_and_independent_rows_are_said_to_be() -> None:
    table = world({"a": Part(3000)})
    some = table.set_column(0, "late", pa.array([None] * 100 + table["late"].to_pylist()[100:]))
    policy = msgspec.structs.replace(ACCURACY, segments=[])
    result = gate(evaluate("new", some, baseline="old", label="late"), policy)
    assert (result.rows, result.labelled, result.unit) == (3000, 2900, [])
    assert "100 of them without a label; rows are taken as independent." in result.about[0]
    assert "Tango's score test" in result.about[1]


def test_each_use_of_the_rows_is_said_and_what_it_costs(store: SqlStore) -> None:
    evaluation = evaluated(store, world({"a": Part(3000)}))
    spending = msgspec.structs.replace(ACCURACY, spend_alpha=True)
    first, second, third = (gate(evaluation, p, store=store) for p in (ACCURACY, ACCURACY, spending))
    assert first.about[2] == "Uses of these rows: this is the first verdict on them."
    assert second.about[2].startswith(
        "Uses of these rows: this is verdict 2 on them; each makes a pass by luck likelier"
    )
    assert third.about[2] == "Uses of these rows: this is verdict 3 on them; the error rate was lowered for it."
    assert third.alpha == pytest.approx(0.05 / 12)
    assert f"error rate {0.05 / 12:g} one-sided" in third.about[1]


def test_every_setting_is_there_and_defaults_are_marked() -> None:
    text = """
    name = "flights"
    version = "2.1"
    owner = "operations"
    description = "Late arrivals."
    required = ["origin=JFK"]
    alpha = 0.01
    [metrics.auc]
    margin = 0.01
    [fairness.origin]
    fpr = { gap = 0.05 }
    [datasets.july]
    [data]
    minimum_rows = 5
    [model]
    maximum_latency_ms = 3
    """
    policy = parse_policy(text, "p")
    found = {one.key: (one.value, one.default) for one in settings_of(policy)}
    assert found["alpha"] == ("0.01", False)
    assert found["power"] == ("0.8", True)
    assert found["harm"] == ("any", True)
    assert found["required"] == ("origin=JFK", False)
    assert found["segments"] == ("none", True)
    assert found["spend_alpha"] == ("no", True)
    assert found["metrics.auc.margin"] == ("0.01", False)
    assert found["fairness.origin.fpr.gap"] == ("0.05", False)
    assert found["data.maximum_unlabelled"] == ("1", True)
    assert found["model.percentile"] == ("95", True)
    assert found["datasets.july.metrics"] == ("none", True)
    assert found["version"] == ("2.1", False)
    plain = {field.encode_name for field in msgspec.structs.fields(Policy)}
    assert {key.partition(".")[0] for key in found} >= plain - {"name", "calibration", "golden"}
    result = judged(
        {"a": Part(3000)}, parse_policy(text.replace("[fairness.origin]\n    fpr = { gap = 0.05 }", ""), "p")
    )
    assert result.about[3].startswith("Policy: flights 2.1 (hash ")
    assert result.about[3].endswith(", kept by operations. Late arrivals.")
    assert "operations" not in result.about[4]


def test_a_notebook_shows_it_and_nothing_breaks_out() -> None:
    table = world({"a": Part(3000)})
    evaluation = evaluate("new", table, baseline="old", label="late", unit="unit", name="<script>")
    html = gate(evaluation, msgspec.structs.replace(ACCURACY, segments=[]))._repr_html_()
    assert "<strong>pass: new against old" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_json_holds_all_of_it() -> None:
    result = judged({"a": Part(3000)})
    content = json.loads(result.to_json())
    assert content == msgspec.to_builtins(result)
    assert content["settings"][0] == {"key": "metrics.accuracy.margin", "value": "0.02", "default": False}
