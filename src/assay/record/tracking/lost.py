"""Runs that died without a word: going on as far as the record knows, and nothing comes from them any more."""

from datetime import datetime, timedelta

from assay.record.clock import moment
from assay.record.store import Row

__all__ = ["LOST_AFTER", "LOST_WITH_HEARTBEAT", "state_of"]

LOST_AFTER = timedelta(hours=1)  # clients of the wire give no sign of life
LOST_WITH_HEARTBEAT = timedelta(minutes=3)  # runs of `assay.run` (what they captured tells them) and pipelines do


def state_of(run: Row, now: datetime) -> str:
    """The status of a row of `run`, or `lost`."""
    if run["status"] != "running":
        return str(run["status"])
    patience = LOST_WITH_HEARTBEAT if run["detail"] or run.get("kind") == "pipeline" else LOST_AFTER
    return "lost" if now - moment(run["seen"] or run["started"]) > patience else "running"
