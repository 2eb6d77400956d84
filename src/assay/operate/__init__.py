"""Floor 4: operate. Serving with a log of every prediction, late labels, monitors, triggers and drills."""

from assay.operate.doctor import Examination, examine
from assay.operate.features.getting import get_features
from assay.operate.features.replay import Replayed, replay
from assay.operate.labels.recording import Label, record_labels
from assay.operate.project.running import CandidateRun, run_project
from assay.operate.project.scaffold import NewProject, init
from assay.operate.project.tuning import ProjectSearch, search_project
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.operate.serving.serve import Served, serve

__all__ = [
    "CandidateRun",
    "Examination",
    "Label",
    "NewProject",
    "PredictionClient",
    "ProjectSearch",
    "Replayed",
    "Served",
    "ServerProcess",
    "examine",
    "get_features",
    "init",
    "record_labels",
    "replay",
    "run_project",
    "search_project",
    "serve",
]
