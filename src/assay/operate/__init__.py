"""Floor 4: operate. Serving with a log of every prediction, late labels, monitors, triggers and drills."""

from assay.operate.client import PredictionClient, ServerProcess
from assay.operate.doctor import Examination, examine
from assay.operate.labels import Label, record_labels
from assay.operate.project.running import CandidateRun, run_project
from assay.operate.project.scaffold import NewProject, init
from assay.operate.project.tuning import ProjectSearch, search_project
from assay.operate.serve import Served, serve

__all__ = [
    "CandidateRun",
    "Examination",
    "Label",
    "NewProject",
    "PredictionClient",
    "ProjectSearch",
    "Served",
    "ServerProcess",
    "examine",
    "init",
    "record_labels",
    "run_project",
    "search_project",
    "serve",
]
