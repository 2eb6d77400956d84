"""`assay approve request`: with the plan that the project goes by, where none is named."""

from typing import Annotated

from assay.errors import InvalidInput, NotFound
from assay.operate.project.settings import load_project
from assay.operate.releases.approved import plan_of
from assay.operate.releases.rules import Rules, read_rules
from assay.operation import operation
from assay.prove.approvals.plan import Plan
from assay.prove.approvals.requesting import ask_for_approval
from assay.prove.approvals.standing import ApprovalState
from assay.record.models.registry import find_version
from assay.record.store import Store

__all__ = ["request_approval"]


@operation("approve request", local=True)
def request_approval(
    store: Store,
    model: str,
    version: int,
    *,
    plan: Annotated[
        str | None, "How it goes live: direct, steps as `assay release` takes them, or test; else the project's"
    ] = None,
    rules: Annotated[str | None, "The TOML file of rules that the release goes by, as `assay release --rules`"] = None,
    comment: Annotated[str | None, "What approvers should know"] = None,
) -> ApprovalState:
    """Ask for a version to be approved as it is now: model, evaluation, policy, card, objective and rollout plan.

    Who can answer is told. Any later change of a part voids what was asked for. Without a plan it is that of the
    project here, where it trains this model, else direct.
    """
    target = find_version(store, model, version)
    return ask_for_approval(store, target, plan=_plan(model, plan, rules), comment=comment)


def _plan(model: str, plan: str | None, rules: str | None) -> Plan:
    if plan is None:
        if rules is not None:
            raise InvalidInput("rules without a plan", expected="--plan with the steps that they are for")
        try:
            project = load_project(None)
        except NotFound:
            project = None
        if project is None or project.model_name != model:
            return plan_of("direct", Rules())
        return plan_of(project.release.strategy, project.rules())
    return plan_of(plan, read_rules(rules) if rules else Rules())
