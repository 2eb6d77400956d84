"""Floor 3: prove. Evaluation by segment, the gate with three verdicts, promotion and rollback."""

from assay.prove.alias_commands import delete_alias, point_alias, set_alias_command
from assay.prove.approvals.answering import give_approval, reject_request, withdraw_approval
from assay.prove.approvals.exceptions import Overrides, list_exceptions, review_exception
from assay.prove.approvals.policy import ApprovalPolicy, approval_policy
from assay.prove.approvals.showing import (
    ApprovalCheck,
    ApprovalDetail,
    ApprovalLine,
    list_approvals,
    show_approval,
    verify_approval,
)
from assay.prove.approvals.standing import ApprovalState
from assay.prove.contribution import contribution
from assay.prove.costs import ModelCosts
from assay.prove.drawing import Drawing, draw_gaps
from assay.prove.evaluation import Evaluation, evaluate, load_evaluation
from assay.prove.gate import GateResult, gate
from assay.prove.group_table import FairnessRow, FairnessTable, fairness
from assay.prove.ideas import Idea, IdeaTry, add_idea, list_ideas, try_idea
from assay.prove.judgement import Judgement, judge_evaluation
from assay.prove.measurement import Measurement, evaluate_version
from assay.prove.policy import Policy, load_policy, parse_policy
from assay.prove.profiles import load_profile, profile, save_profile
from assay.prove.promotion import Promotion, promote, rollback
from assay.prove.remedy import Remedy, repair_evaluation
from assay.prove.repair import Repair, RepairOption, repair
from assay.prove.segments import Segments
from assay.prove.thresholds import ThresholdRow, ThresholdTable, thresholds

__all__ = [
    "ApprovalCheck",
    "ApprovalDetail",
    "ApprovalLine",
    "ApprovalPolicy",
    "ApprovalState",
    "Drawing",
    "Evaluation",
    "FairnessRow",
    "FairnessTable",
    "GateResult",
    "Idea",
    "IdeaTry",
    "Judgement",
    "Measurement",
    "ModelCosts",
    "Overrides",
    "Policy",
    "Promotion",
    "Remedy",
    "Repair",
    "RepairOption",
    "Segments",
    "ThresholdRow",
    "ThresholdTable",
    "add_idea",
    "approval_policy",
    "contribution",
    "delete_alias",
    "draw_gaps",
    "evaluate",
    "evaluate_version",
    "fairness",
    "gate",
    "give_approval",
    "judge_evaluation",
    "list_approvals",
    "list_exceptions",
    "list_ideas",
    "load_evaluation",
    "load_policy",
    "load_profile",
    "parse_policy",
    "point_alias",
    "profile",
    "promote",
    "reject_request",
    "repair",
    "repair_evaluation",
    "review_exception",
    "rollback",
    "save_profile",
    "set_alias_command",
    "show_approval",
    "thresholds",
    "try_idea",
    "verify_approval",
    "withdraw_approval",
]
