"""Floor 5: steer. What the records say to people: the story of a model, its report, and what it is for."""

from assay.steer.cards.commands import card, diff_cards, list_cards, show_card
from assay.steer.cards.texts import write_text
from assay.steer.dossier.dossier import annex_iv
from assay.steer.dossier.regimes import list_regimes, show_regime
from assay.steer.dossier.saying import write_point
from assay.steer.feature_store_ladder import Worth, feature_store_worth
from assay.steer.loop import LoopSummary, summarise
from assay.steer.objectives.declaring import list_objectives, new_objective, show_objective
from assay.steer.objectives.observing import observe
from assay.steer.objectives.reviewing import decide_review, review_objectives
from assay.steer.objectives.thresholds import ThresholdAdvice, advise_threshold
from assay.steer.objectives.valuing import ValueReport, value_of_model
from assay.steer.report import ReportFile, report, write_report

__all__ = [
    "LoopSummary",
    "ReportFile",
    "ThresholdAdvice",
    "ValueReport",
    "Worth",
    "advise_threshold",
    "annex_iv",
    "card",
    "decide_review",
    "diff_cards",
    "feature_store_worth",
    "list_cards",
    "list_objectives",
    "list_regimes",
    "new_objective",
    "observe",
    "report",
    "review_objectives",
    "show_card",
    "show_objective",
    "show_regime",
    "summarise",
    "value_of_model",
    "write_point",
    "write_report",
    "write_text",
]
