"""Floor 4: operate. Serving with a log of every prediction, late labels, monitors, triggers and drills."""

from typing import TYPE_CHECKING

from assay.on_demand import on_demand

if TYPE_CHECKING:
    from assay.operate.doctor import Examination, examine
    from assay.operate.features.getting import get_features
    from assay.operate.features.replay import Replayed, replay
    from assay.operate.labels.covering import Coverage, label_coverage
    from assay.operate.labels.loading import LoadedLabels, load_labels
    from assay.operate.labels.recording import Label, UnitLabel, record_labels
    from assay.operate.monitors.checking import Checked, check_due
    from assay.operate.monitors.commands import (
        MonitorState,
        ToldMonitor,
        list_monitors,
        monitor_status,
        run_monitors,
        show_monitor,
    )
    from assay.operate.monitors.definition import Definition as MonitorDefinition
    from assay.operate.monitors.records import declare_monitors, default_monitors, reset_baseline
    from assay.operate.online_tests.metric import Metric as OnlineMetric
    from assay.operate.online_tests.planning import plan_test
    from assay.operate.online_tests.reallocating import reallocate
    from assay.operate.online_tests.self_checking import self_check
    from assay.operate.online_tests.starting import new_test, start_test
    from assay.operate.online_tests.status import list_tests, look_at_test, show_test
    from assay.operate.online_tests.stopping import end_test, ramp_test
    from assay.operate.predictions.compacting import Compacted, compact_predictions
    from assay.operate.predictions.removing import ErasedUnit, PrunedPredictions, erase_predictions, prune_predictions
    from assay.operate.project.aging import Staleness
    from assay.operate.project.asking import request_approval
    from assay.operate.project.running import CandidateRun, run_project
    from assay.operate.project.scaffold import NewProject, init
    from assay.operate.project.tuning import ProjectSearch, search_project
    from assay.operate.querying import PredictionAnswer, query_predictions
    from assay.operate.releases.releasing import (
        ReleaseSummary,
        abort_release,
        list_releases,
        pause_release,
        release,
        release_status,
        resume_release,
    )
    from assay.operate.releases.replaying import ReleaseReplay, replay_release
    from assay.operate.releases.reporting import ReleaseReport
    from assay.operate.routing.column_policies import EndpointPolicies, set_column_policy
    from assay.operate.routing.endpoint_commands import reset_endpoint, shadow_endpoint, split_endpoint
    from assay.operate.routing.endpoints import (
        EndpointDetail,
        EndpointSummary,
        UnitVariant,
        list_endpoints,
        show_endpoint,
        variant_of_unit,
    )
    from assay.operate.serve_endpoint import serve
    from assay.operate.serving.client import PredictionClient, ServerProcess
    from assay.operate.serving.process import Served
    from assay.operate.triggers.calling import fire_trigger
    from assay.operate.triggers.commands import TriggerDrill, list_triggers, rehearse_trigger, trigger_history
    from assay.operate.triggers.definition import TriggerDefinition
    from assay.operate.watching.commands import (
        ToldStory,
        approve_story,
        list_stories,
        retrain,
        show_story,
        staleness,
        stop_story,
        watch,
    )
    from assay.operate.watching.ticking import Tick

__all__ = [
    "CandidateRun",
    "Checked",
    "Compacted",
    "Coverage",
    "EndpointDetail",
    "EndpointPolicies",
    "EndpointSummary",
    "ErasedUnit",
    "Examination",
    "Label",
    "LoadedLabels",
    "MonitorDefinition",
    "MonitorState",
    "NewProject",
    "OnlineMetric",
    "PredictionAnswer",
    "PredictionClient",
    "ProjectSearch",
    "PrunedPredictions",
    "ReleaseReplay",
    "ReleaseReport",
    "ReleaseSummary",
    "Replayed",
    "Served",
    "ServerProcess",
    "Staleness",
    "Tick",
    "ToldMonitor",
    "ToldStory",
    "TriggerDefinition",
    "TriggerDrill",
    "UnitLabel",
    "UnitVariant",
    "abort_release",
    "approve_story",
    "check_due",
    "compact_predictions",
    "declare_monitors",
    "default_monitors",
    "end_test",
    "erase_predictions",
    "examine",
    "fire_trigger",
    "get_features",
    "init",
    "label_coverage",
    "list_endpoints",
    "list_monitors",
    "list_releases",
    "list_stories",
    "list_tests",
    "list_triggers",
    "load_labels",
    "look_at_test",
    "monitor_status",
    "new_test",
    "pause_release",
    "plan_test",
    "prune_predictions",
    "query_predictions",
    "ramp_test",
    "reallocate",
    "record_labels",
    "rehearse_trigger",
    "release",
    "release_status",
    "replay",
    "replay_release",
    "request_approval",
    "reset_baseline",
    "reset_endpoint",
    "resume_release",
    "retrain",
    "run_monitors",
    "run_project",
    "search_project",
    "self_check",
    "serve",
    "set_column_policy",
    "shadow_endpoint",
    "show_endpoint",
    "show_monitor",
    "show_story",
    "show_test",
    "split_endpoint",
    "staleness",
    "start_test",
    "stop_story",
    "trigger_history",
    "variant_of_unit",
    "watch",
]

__getattr__ = on_demand(__name__, __file__)
