"""The gate on data whose truth is known: verdicts, reasons, what is recorded, and how often it errs."""

import json
import re
from collections.abc import Callable

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.prove.worlds import ACCURACY, Part, evaluated, pair, world

from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.gate import GateResult, gate, judge
from assay.prove.policy import DatasetRules, Guard, Policy
from assay.record import ledger
from assay.record.sqlstore import SqlStore


def changed(**changes: object) -> Policy:
    """The policy on accuracy with some of it changed."""
    return msgspec.structs.replace(ACCURACY, **changes)


def in_memory(table: pa.Table, segments: tuple[str, ...] = ("segment",)) -> Evaluation:
    """An evaluation that is not in a store: what `judge` needs."""
    return evaluate("new", table, baseline="old", label="late", unit="unit", segments=segments)


def names(result: GateResult, verdict: str) -> set[str]:
    return {check.segment for check in result.checks if check.verdict == verdict}


def test_models_that_are_equally_good_pass(store: SqlStore) -> None:
    result = gate(evaluated(store, world({"a": Part(4000), "b": Part(3000)})), ACCURACY, store=store)
    assert result.verdict == "pass"
    assert names(result, "pass") == {"overall", "segment=a", "segment=b"}
    (reason,) = result.reasons
    assert reason.startswith("overall: ")
    assert reason.endswith("not worse by more than 0.02.")
    overall = result.checks[0]
    assert (overall.kind, overall.segment, overall.n) == ("champion_compare", "overall", 7000)
    assert {check.kind for check in result.checks[1:]} == {"slice"}
    assert overall.low is not None
    assert overall.high is not None
    assert overall.delta is not None
    assert overall.value is not None
    assert overall.baseline_value is not None
    assert -0.02 < overall.low <= overall.delta <= overall.high
    assert overall.delta == pytest.approx(overall.value - overall.baseline_value)
    assert overall.rows_needed is None


def test_identical_answers_pass(store: SqlStore) -> None:
    table = world({"a": Part(2000, disagreement=0.0)})
    assert table["old"].equals(table["new"])
    result = gate(evaluated(store, table), ACCURACY, store=store)
    assert (result.verdict, result.checks[0].delta) == ("pass", 0.0)


@pytest.mark.parametrize("rows_per_unit", [1, 10])
def test_harm_to_one_segment_fails_and_names_it(store: SqlStore, rows_per_unit: int) -> None:
    parts = {"a": Part(6000, 0.03), "b": Part(1500, -0.08), "c": Part(4000)}
    result = gate(evaluated(store, world(parts, rows_per_unit=rows_per_unit)), ACCURACY, store=store)
    assert result.verdict == "fail"
    (told,) = store.query("outbox", {"event": "gate.failed"})
    assert json.loads(told["payload"])["message"].startswith("the gate says no to ")
    assert names(result, "fail") == {"segment=b"}
    assert result.reasons[0].startswith("segment=b: ")
    assert "is proven worse by 0.0" in result.reasons[0]
    assert "1,500 rows" in result.reasons[0]
    overall = result.checks[0]
    assert overall.verdict == "pass", "all rows together would have hidden it"


def test_harm_overall_fails(store: SqlStore) -> None:
    result = gate(evaluated(store, world({"a": Part(3000, -0.05), "b": Part(3000, -0.05)})), ACCURACY, store=store)
    assert result.verdict == "fail"
    assert "overall" in names(result, "fail")
    assert result.reasons[0].startswith("overall: "), "the smallest P-value comes first"


def test_a_real_loss_inside_the_margin_is_harm_unless_a_tolerance_was_agreed(store: SqlStore) -> None:
    """The ruling on `harm: any`, which is the default."""
    evaluation = evaluated(store, world({"a": Part(40_000, -0.01)}))
    strict = gate(evaluation, ACCURACY, store=store)
    assert strict.checks[0].p_not_worse is not None
    assert strict.checks[0].p_not_worse < 0.05
    assert strict.verdict == "fail"
    agreed = changed(metrics={"accuracy": Guard(margin=0.02, harm_at=0.02)})
    assert gate(evaluation, agreed, store=store).verdict == "pass"


def test_a_policy_may_call_only_losses_beyond_the_margin_harm_and_then_says_those_inside(store: SqlStore) -> None:
    evaluation = evaluated(store, world({"a": Part(40_000, -0.01)}))
    result = gate(evaluation, changed(harm="beyond margin"), store=store)
    assert result.verdict == "pass"
    loss = next(reason for reason in result.reasons if "does lose" in reason)
    assert loss.startswith("overall: Accuracy does lose, by 0.01")
    assert loss.endswith("inside what the policy tolerates.")
    assert "not worse by more than 0.02" in result.reasons[0], "the evidence first, the remark after it"


def test_many_tolerated_losses_are_counted_and_the_largest_named() -> None:
    parts = {f"s{i}": Part(20_000, -0.014 if i == 5 else -0.008) for i in range(6)}
    verdict, reasons, _ = judge(in_memory(world(parts)), changed(harm="beyond margin"))
    assert verdict == "pass"
    losses = [reason for reason in reasons if "does lose" in reason]
    assert len(losses) == 4, "all rows, and the three segments that lose most"
    assert losses[1].startswith("segment=s5: ")
    assert reasons[-1] == "3 more segments lose inside what the policy tolerates."


def test_further_datasets_of_the_policy_must_hold_too() -> None:
    rows, july = world({"a": Part(6000)}), world({"a": Part(4000, -0.08)}, seed=3)
    found = evaluate("new", rows, baseline="old", label="late", unit="unit", datasets={"july": july})
    assert judge(found, changed(segments=[]))[0] == "pass", "a dataset decides only where the policy names it"
    policy = changed(segments=[], datasets={"july": DatasetRules()})
    verdict, reasons, checks = judge(found, policy)
    assert verdict == "fail"
    assert reasons[0].startswith("overall of july: Accuracy is proven worse by 0.0")
    (check,) = (check for check in checks if check.kind == "dataset")
    assert (check.dataset, check.segment, check.n, check.required) == ("july", "overall", 4000, False)
    assert check.p_holm == 2 * check.p_worse, "harm anywhere is one accusation among two"


def test_bounds_hold_on_further_datasets_and_only_the_metrics_that_count_there() -> None:
    rows, july = world({"a": Part(6000)}), world({"a": Part(4000, right=0.7)}, seed=3)
    found = evaluate("new", rows, label="late", unit="unit", datasets={"july": july})
    guards = {"accuracy": Guard(at_least=0.8), "auc": Guard(at_least=0.5)}
    policy = Policy(name="bounds", metrics=guards, datasets={"july": DatasetRules()})
    verdict, reasons, _ = judge(found, policy)
    assert verdict == "fail"
    assert reasons[0].startswith("overall of july: Accuracy 0.7")
    only_auc = msgspec.structs.replace(policy, datasets={"july": DatasetRules(metrics=["auc"])})
    assert judge(found, only_auc)[0] == "pass"


def test_a_dataset_that_was_not_evaluated_is_inconclusive() -> None:
    policy = changed(segments=[], datasets={"july": DatasetRules()})
    found = evaluate("new", world({"a": Part(6000)}), baseline="old", label="late", unit="unit")
    assert judge(found, policy)[:2] == (
        "inconclusive",
        ["july: the policy wants this dataset too, and the evaluation was made without it."],
    )


def test_labels_that_are_missing_unevenly_are_said_and_decide_nothing() -> None:
    table = world({"a": Part(4000), "b": Part(3000)})
    label = table["late"].to_pylist()
    uneven = table.set_column(0, "late", pa.array([*label[:-300], *[None] * 300]))
    verdict, reasons, _ = judge(in_memory(uneven), ACCURACY)
    assert verdict == "pass"
    assert reasons[-1].startswith("Labels are missing unevenly over segment (p ")
    assert "segment=b 10.0%; least in segment=a 0.0%" in reasons[-1]
    even = table.set_column(0, "late", pa.array([None if i % 20 == 0 else one for i, one in enumerate(label)]))
    assert not [reason for reason in judge(in_memory(even), ACCURACY)[1] if "unevenly" in reason]


def test_a_required_cross_is_the_same_in_either_order() -> None:
    table = world({"a": Part(4000)})
    table = table.append_column("day", pa.array(["x"] * 4000))
    policy = changed(required=["day=x & segment=a"])
    verdict, _, checks = judge(in_memory(table, ("segment", "day")), policy)
    assert verdict == "pass"
    assert {check.segment for check in checks if check.required} == {"segment=a & day=x"}


def test_a_column_that_is_misspelt_is_told_with_the_one_that_is_there() -> None:
    verdict, reasons, _ = judge(in_memory(world({"a": Part(4000)})), changed(segments=["segmnet"]))
    assert verdict == "inconclusive"
    assert reasons[0].endswith("the evaluation was made without it. Is 'segment' meant?")


def test_too_few_rows_are_inconclusive_with_the_rows_it_takes(store: SqlStore) -> None:
    result = gate(evaluated(store, world({"a": Part(300)})), ACCURACY, store=store)
    assert result.verdict == "inconclusive"
    overall = result.checks[0]
    assert overall.rows_needed is not None
    assert 600 < overall.rows_needed < 3000, "1,237 for a disagreement of 0.08, which is estimated"
    assert f"about {overall.rows_needed:,} rows would decide (power 80%" in result.reasons[0]
    assert re.search("improves by|hardly changes|is worse by", result.reasons[0])


def test_next_to_no_rows_cannot_be_compared(store: SqlStore) -> None:
    table = world({"a": Part(2000), "b": Part(4)}, seed=1)
    result = gate(evaluated(store, table), changed(required=["segment=b"]), store=store)
    tiny = next(check for check in result.checks if check.segment == "segment=b")
    assert (tiny.verdict, tiny.method, tiny.low, tiny.high) == ("inconclusive", "too small", None, None)
    assert result.verdict == "inconclusive"
    assert result.reasons[0].startswith("segment=b: Accuracy ")


def test_no_labels_at_all_are_inconclusive(store: SqlStore) -> None:
    table = world({"a": Part(200)})
    unlabelled = table.set_column(0, "late", pa.nulls(200, pa.int8()))
    result = gate(evaluated(store, unlabelled), ACCURACY, store=store)
    assert result.verdict == "inconclusive"
    assert result.reasons[0] == "overall: Accuracy rests on 0 of the 10 rows it takes; collect more."
    assert (result.checks[0].value, result.checks[0].delta, result.checks[0].rows_needed) == (None, None, None)


def test_too_few_units_do_not_become_evidence_by_many_rows(store: SqlStore) -> None:
    result = gate(evaluated(store, world({"a": Part(4000)}, rows_per_unit=800)), ACCURACY, store=store)
    assert result.checks[0].method == "too small"
    assert result.verdict == "inconclusive"
    assert "the rows belong to too few units" in result.reasons[0]


def test_enough_rows_that_do_not_decide_say_so(store: SqlStore) -> None:
    table = world({"a": Part(2500, -0.014)}, seed=3)
    result = gate(evaluated(store, table), changed(metrics={"accuracy": Guard(margin=0.02, harm_at=0.02)}), store=store)
    overall = result.checks[0]
    assert (overall.verdict, overall.rows_needed is not None and overall.rows_needed < overall.n) == (
        "inconclusive",
        True,
    )
    assert "rows should have decided (power 80%" in result.reasons[0]
    assert result.reasons[0].endswith("so the candidate may be somewhat worse.")


def test_a_required_segment_without_rows_is_inconclusive(store: SqlStore) -> None:
    result = gate(
        evaluated(store, world({"abc": Part(4000)})), changed(required=["segment=abd", "zzzzzzzzzzz"]), store=store
    )
    assert result.verdict == "inconclusive"
    assert result.reasons == [
        "segment=abd: required, and no row of it occurs in the evaluation. Is 'segment=abc' meant?",
        "zzzzzzzzzzz: required, and no row of it occurs in the evaluation.",
    ]


def test_segments_of_the_policy_that_were_not_evaluated_are_inconclusive(store: SqlStore) -> None:
    """Missing evidence is never a pass."""
    evaluation = evaluated(store, world({"a": Part(4000)}), segments=[])
    result = gate(evaluation, ACCURACY, store=store)
    assert result.verdict == "inconclusive"
    assert result.reasons == ["segment: the policy wants segments by it, and the evaluation was made without it."]
    assert gate(evaluation, changed(segments=[]), store=store).verdict == "pass"


def test_a_required_segment_that_is_inconclusive_blocks(store: SqlStore) -> None:
    table = world({"a": Part(4000), "b": Part(200), "c": Part(200)})
    models = pair(store)
    optional = gate(evaluated(store, table, models), ACCURACY, store=store)
    assert optional.verdict == "pass"
    assert optional.reasons[-1] == "2 smaller segments are inconclusive and do not block by the policy."
    required = gate(evaluated(store, table, models), changed(required=["segment=a", "segment=b"]), store=store)
    assert required.verdict == "inconclusive"
    (reason,) = required.reasons
    assert reason.startswith("segment=b: ")
    assert {check.segment for check in required.checks if check.required} == {"segment=a", "segment=b"}


def test_the_policy_says_whether_what_is_inconclusive_blocks(store: SqlStore) -> None:
    evaluation = evaluated(store, world({"a": Part(4000), "b": Part(200)}))
    warned = gate(evaluation, changed(on_inconclusive="warn"), store=store)
    assert warned.verdict == "pass"
    assert warned.reasons[-1] == "1 smaller segment is inconclusive and does not block by the policy."
    blocked = gate(evaluation, changed(on_inconclusive="block"), store=store)
    assert blocked.verdict == "inconclusive"
    assert [reason.partition(":")[0] for reason in blocked.reasons] == ["segment=b"]


def test_segments_are_counted_once_however_many_metrics_are_guarded(store: SqlStore) -> None:
    guards = {"accuracy": Guard(margin=0.02), "brier": Guard(margin=0.02)}
    result = gate(evaluated(store, world({"a": Part(4000), "b": Part(150)})), changed(metrics=guards), store=store)
    assert len(result.checks) == 6
    assert len([check for check in result.checks if check.verdict == "inconclusive"]) == 2
    assert result.reasons[-1].startswith("1 smaller segment is")


def test_decisive_reasons_come_first(store: SqlStore) -> None:
    parts = {"a": Part(4000), "b": Part(1500, -0.08), "c": Part(1500, -0.16, disagreement=0.2), "d": Part(150)}
    policy = changed(required=["segment=d", "segment=e"])
    result = gate(evaluated(store, world(parts)), policy, store=store)
    heads = [reason.partition(":")[0] for reason in result.reasons]
    failed = [head for head in heads if head in names(result, "fail")]
    assert heads[: len(failed)] == failed
    assert failed.index("segment=c") < failed.index("segment=b"), "the stronger evidence first"
    assert heads[len(failed) :] == ["segment=e", "segment=d"]


def test_crosses_are_judged_as_deep_as_the_policy_says(store: SqlStore) -> None:
    table = world({"a": Part(2000), "b": Part(2000)})
    table = table.append_column("day", pa.array(["x", "y"] * 2000))
    evaluation = evaluated(store, table, segments=["segment", "day"])
    assert len(gate(evaluation, changed(cross=1), store=store).checks) == 5
    crossed = gate(evaluation, changed(cross=2), store=store)
    assert len(crossed.checks) == 9
    assert crossed.checks[-1].segment == "segment=b & day=y"


def test_ledger_and_row_agree_with_the_verdict(either_store: SqlStore) -> None:
    evaluation = evaluated(either_store, world({"a": Part(2000, -0.08)}))
    result = gate(evaluation, ACCURACY, store=either_store)
    (entry,) = ledger.entries(either_store, kind="gate")
    row = either_store.get("gate", {"id": result.gate_id})
    assert evaluation.candidate is not None
    assert evaluation.baseline is not None
    assert (entry.seq, row["decision"]) == (result.decision, result.decision)
    assert entry.subject == "late/2"
    assert entry.detail == {
        "gate": result.gate_id,
        "verdict": "fail",
        "reasons": result.reasons,
        "evaluation": evaluation.evaluation_id,
        "hash": evaluation.candidate.hash,
        "policy": ACCURACY.version,
        "validation_uses": 1,
    }
    assert (row["outcome"], row["mode"], row["policy_version"]) == ("fail", "auto", ACCURACY.version)
    assert (row["mv_id"], row["baseline_mv_id"]) == (evaluation.candidate.mv_id, evaluation.baseline.mv_id)
    assert row["subject_hash"] == evaluation.candidate.hash
    assert json.loads(row["checks"]) == msgspec.to_builtins(result.checks)
    detail = json.loads(row["detail"])
    assert detail["reasons"] == result.reasons
    assert msgspec.convert(detail["policy"], Policy) == ACCURACY
    assert (result.policy, result.policy_version, result.alpha) == ("accuracy", ACCURACY.version, 0.05)
    assert (result.model, result.version, result.baseline_version) == ("late", 2, 1)
    assert ledger.verify(either_store).sound


def test_each_verdict_on_the_same_rows_is_counted(store: SqlStore) -> None:
    models = pair(store)
    table, other = world({"a": Part(200)}), world({"a": Part(200)}, seed=9)
    first = evaluated(store, table, models)
    assert [gate(first, ACCURACY, store=store).validation_uses for _ in range(2)] == [1, 2]
    assert gate(evaluated(store, table, models), ACCURACY, store=store).validation_uses == 3
    assert gate(evaluated(store, other, models), ACCURACY, store=store).validation_uses == 1
    row = store.query("gate", order_by=["-decision"], limit=1)[0]
    store.append("gate", {**row, "id": "an override", "mode": "manual"})
    assert gate(evaluated(store, other, models), ACCURACY, store=store).validation_uses == 2, (
        "an override is no use of rows"
    )


def test_a_verdict_that_cannot_be_recorded_leaves_no_entry(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = evaluated(store, world({"a": Part(200)}))
    monkeypatch.setattr(store, "append", failing_append(store, "gate"))
    with pytest.raises(RuntimeError):
        gate(evaluation, ACCURACY, store=store)
    assert store.query("ledger") == store.query("gate") == []


def failing_append(store: SqlStore, kind: str) -> Callable[..., None]:
    """An `append` that fails for one kind of record."""
    append = store.append

    def failing(appended: str, row: dict[str, object]) -> None:
        if appended == kind:
            raise RuntimeError("power cut")
        append(appended, row)

    return failing


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_rows_give_the_same_verdict_bit_for_bit(seed: int) -> None:
    guards = {name: Guard(margin=0.02) for name in ("accuracy", "auc", "brier", "precision")}
    table = world({"a": Part(800), "b": Part(300, -0.06)}, rows_per_unit=4)
    shuffled = table.take(np.random.default_rng(seed).permutation(table.num_rows))
    policy = changed(metrics=guards)
    assert msgspec.json.encode(judge(in_memory(table), policy)) == msgspec.json.encode(
        judge(in_memory(shuffled), policy)
    )


REPETITIONS = 60


def share(verdict: str, difference: float, sizes: tuple[int, ...], harmed: int | None = None) -> float:
    """How often the gate gives a verdict on disjoint segments, all or one of them with that true difference."""
    count = 0
    for seed in range(REPETITIONS):
        parts = {
            f"s{position:02}": Part(rows, difference if harmed in (None, position) else 0.0)
            for position, rows in enumerate(sizes)
        }
        count += judge(in_memory(world(parts, seed=seed)), ACCURACY)[0] == verdict
    return count / REPETITIONS


SIZES = tuple(int(rows) for rows in np.geomspace(100, 2000, 30))  # as the table of the specification, in miniature


@pytest.mark.no_cover
def test_equal_models_are_mostly_promoted_and_hardly_ever_accused() -> None:
    allowed = 0.05 + 3 * (0.05 * 0.95 / REPETITIONS) ** 0.5
    assert share("fail", 0.0, SIZES) <= allowed
    assert share("pass", 0.0, SIZES) >= 0.8


@pytest.mark.no_cover
def test_one_harmful_segment_among_thirty_is_found() -> None:
    assert share("fail", -0.06, SIZES, harmed=SIZES.index(max(SIZES))) >= 0.9


@pytest.mark.no_cover
def test_harm_everywhere_is_never_promoted() -> None:
    assert share("pass", -0.03, SIZES) == 0.0


@pytest.mark.no_cover
def test_equal_models_on_few_segments_are_hardly_ever_accused() -> None:
    allowed = 0.05 + 3 * (0.05 * 0.95 / REPETITIONS) ** 0.5
    assert share("fail", 0.0, (800, 600, 200)) <= allowed
    assert share("pass", 0.0, (1500, 900)) >= 0.7
    assert share("fail", -0.08, (1500, 900), harmed=1) >= 0.9
