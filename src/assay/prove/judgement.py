"""Judging from the command line: an evaluation by a policy file, or a verdict of the past once more.

A verdict is a function of the stored profile and the policy, so it can be computed again, to the last bit, by anyone
who has the store.
"""

import json
from collections.abc import Sequence
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operation import operation
from assay.prove.evaluation import load_evaluation
from assay.prove.gate import GateResult, computed_with, gate, judge, result_of
from assay.prove.policy import Policy, load_policy
from assay.record.canonical import canonical_json
from assay.record.models.registry import ModelVersion
from assay.record.store import Row, Store

__all__ = ["Judgement", "find_row", "judge_evaluation", "judgement_of", "recorded_verdict"]


class Judgement(GateResult, frozen=True, kw_only=True):
    """A verdict. `reproduced` is None for a new one; of a replay it says whether all is the same as recorded.

    `versions` are those a replay differs in, as "numpy 2.1.0, now 2.2.0": where a figure differs, this may be why.
    """

    reproduced: bool | None = None
    differences: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


@operation("gate", local=True)
def judge_evaluation(
    store: Store,
    evaluation: str | None = None,
    *,
    policy: Annotated[str | None, "The TOML file that says what a candidate must show"] = None,
    replay: Annotated[str | None, "Compute the recorded verdict with this id once more, and record nothing"] = None,
) -> Judgement:
    """Judge an evaluation by a policy, or compute a recorded verdict once more.

    The first characters of an id are enough. The verdict is the exit code: 0 pass, 1 fail, 3 inconclusive; 1 also for a
    replay that gives something else than was recorded.

    Raises InvalidInput unless either an evaluation with a policy or a replay is asked for, NotFound for unknown ids.
    """
    if replay is not None:
        if evaluation is not None or policy is not None:
            raise InvalidInput("a replay takes neither an evaluation nor a policy", hint="assay gate --replay ID")
        return _again(store, find_row(store, "gate", "id", replay, {"mode": "auto"}))
    if evaluation is None or policy is None:
        raise InvalidInput("what is to be judged?", expected="an evaluation and --policy FILE, or --replay ID")
    row = find_row(store, "evaluation", "evaluation_id", evaluation, {})
    found = gate(load_evaluation(store, row["evaluation_id"]), load_policy(policy), store=store)
    return judgement_of(found)


def judgement_of(found: GateResult) -> Judgement:
    """A new verdict as the command line prints it."""
    return Judgement(**{name: getattr(found, name) for name in GateResult.__struct_fields__})


def recorded_verdict(
    store: Store,
    candidate: ModelVersion,
    baseline: ModelVersion,
    *,
    dataset_hash: str,
    policy: Policy,
    unit: Sequence[str],
    segments: Sequence[str],
) -> Judgement | None:
    """The latest verdict on a candidate beside a baseline on those rows by that policy, computed once more.

    None where there is none of an evaluation with these units and segments.
    """
    asked = {
        "mv_id": candidate.mv_id,
        "baseline_mv_id": baseline.mv_id,
        "policy_version": policy.version,
        "mode": "auto",
    }
    for row in store.query("gate", asked, order_by=["-decision"]):
        evaluation = store.get("evaluation", {"evaluation_id": row["evaluation_id"]})
        detail = json.loads(evaluation["detail"])
        if (evaluation["dataset_hash"], detail["unit"], detail["segments"]) == (
            dataset_hash,
            list(unit),
            list(segments),
        ):
            return _again(store, row)
    return None


def _again(store: Store, row: Row) -> Judgement:
    evaluation = load_evaluation(store, row["evaluation_id"])
    detail = json.loads(row["detail"])
    policy = msgspec.convert(detail["policy"], Policy)
    entry = json.loads(store.get("ledger", {"seq": row["decision"]})["body"])["detail"]
    use = entry["validation_uses"]
    verdict, reasons, checks = judged = judge(evaluation, policy.at_use(use))
    recorded = {
        "verdict": (row["outcome"], verdict),
        "policy": (row["policy_version"], policy.version),
        "model": (row["subject_hash"], evaluation.candidate.hash if evaluation.candidate else None),
        "reasons": (detail["reasons"], reasons),
        "checks": (row["checks"], canonical_json(msgspec.to_builtins(checks))),
    }
    differences = [name for name, (then, again) in recorded.items() if then != again]
    differences += [name for name in ("verdict", "reasons") if entry[name] != recorded[name][0]]
    for name, now in (("rows", evaluation.dataset_hash), ("seed", evaluation.profile.seed)):
        differences += [name] if detail.get(name, now) != now else []
    before, today = detail.get("versions", {}), computed_with()
    found = result_of(row["id"], evaluation, policy, judged, use=use, decision=row["decision"])
    return msgspec.structs.replace(
        judgement_of(found),
        reproduced=not differences,
        differences=tuple(sorted(set(differences))),
        versions=tuple(
            f"{name} {was}, now {today.get(name)}" for name, was in before.items() if was != today.get(name)
        ),
    )


def find_row(store: Store, kind: str, column: str, prefix: str, where: dict[str, object]) -> Row:
    """The one row whose id begins like that; NotFound for none, InvalidInput for several."""
    name = "verdict" if kind == "gate" else kind
    rows = store.query(kind, {f"{column} prefix": prefix, **where}, limit=2) if prefix else []
    if not rows:
        listed = "`assay idea list`" if kind == "idea" else "`assay ledger list`"
        raise NotFound(f"no {name} whose id begins with {prefix!r}", where=store.location, hint=listed)
    if len(rows) > 1:
        raise InvalidInput(f"more than one {name} begins with {prefix!r}", hint="give more characters of the id")
    return rows[0]
