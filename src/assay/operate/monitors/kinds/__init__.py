"""The kinds of monitors, a module each."""

from collections.abc import Mapping

from assay.operate.monitors.definition import MonitorKind
from assay.operate.monitors.kind import Kind
from assay.operate.monitors.kinds.calibration import Calibration
from assay.operate.monitors.kinds.drift import Drift
from assay.operate.monitors.kinds.errors import Errors
from assay.operate.monitors.kinds.estimate import Estimate
from assay.operate.monitors.kinds.fairness import Fairness
from assay.operate.monitors.kinds.freshness import Freshness
from assay.operate.monitors.kinds.label_drift import LabelDrift
from assay.operate.monitors.kinds.latency import Latency
from assay.operate.monitors.kinds.performance import Performance
from assay.operate.monitors.kinds.quality import Quality
from assay.operate.monitors.kinds.skew import Skew
from assay.operate.monitors.kinds.volume import Volume

__all__ = ["KIND_OF"]

KIND_OF: Mapping[MonitorKind, Kind] = {
    "quality": Quality(),
    "drift": Drift(),
    "prediction_drift": Drift(answers=True),
    "skew": Skew(),
    "freshness": Freshness(),
    "latency": Latency(),
    "errors": Errors(),
    "estimate": Estimate(),
    "calibration": Calibration(),
    "fairness": Fairness(),
    "label_drift": LabelDrift(),
    "performance": Performance(),
    "volume": Volume(),
}
