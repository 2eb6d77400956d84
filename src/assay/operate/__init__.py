"""Floor 4: operate. Serving with a log of every prediction, late labels, monitors, triggers and drills."""

from assay.operate.client import PredictionClient, ServerProcess
from assay.operate.doctor import Examination, examine
from assay.operate.labels import Label, record_labels
from assay.operate.serve import Served, serve

__all__ = [
    "Examination",
    "Label",
    "PredictionClient",
    "Served",
    "ServerProcess",
    "examine",
    "record_labels",
    "serve",
]
