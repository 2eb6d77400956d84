"""Floor 5: steer. What the records say to people: the story of a model, and its report."""

from assay.steer.feature_store_ladder import Worth, feature_store_worth
from assay.steer.loop import LoopSummary, summarise
from assay.steer.report import ReportFile, report, write_report

__all__ = ["LoopSummary", "ReportFile", "Worth", "feature_store_worth", "report", "summarise", "write_report"]
