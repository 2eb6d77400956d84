"""What a monitor is: as `[monitors.NAME]` in `assay.toml` says it, or as one is made by default at promotion."""

from typing import Literal, get_args

import msgspec

from assay.errors import InvalidInput
from assay.record.lengths import checked_length

__all__ = ["KINDS", "Definition", "Monitor", "MonitorKind", "Season", "check_definition"]

MonitorKind = Literal[
    "quality",  # data: types, missing values, ranges, unseen categories
    "drift",  # features against reference windows
    "prediction_drift",
    "skew",  # serving against what training had
    "label_drift",
    "performance",  # on labels that are mature
    "estimate",  # of performance, without labels
    "calibration",
    "fairness",
    "freshness",  # of features and of the model
    "latency",
    "errors",
    "volume",
]
KINDS: tuple[MonitorKind, ...] = get_args(MonitorKind)
Season = Literal["none", "hour", "weekday"]


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One monitor. Lengths of time as `1d` or `2h`; a window is `window` long or, where `rows` is given, so many rows.

    `columns` are inputs (all where none is named), `segments` the inputs by whose values each check is also made.
    `season` compares windows only with those of the same hour or weekday. Labels count once they are `maturity` old.
    `alpha`, `floor` and `tolerance` are the kind's own where they are None. An alarm needs
    `persistence`: 2 of 3 windows. Drift also looks for many windows each a little further where `slow`, and for inputs
    that no longer go together where `together`.
    """

    kind: MonitorKind
    columns: list[str] = []
    segments: list[str] = []
    metric: str | None = None
    window: str = "1d"
    rows: int | None = None
    season: Season = "none"
    maturity: str = "1d"
    alpha: float | None = None
    floor: float | None = None
    tolerance: float | None = None
    persistence: tuple[int, int] = (2, 3)
    slow: bool = False
    together: bool = False
    severity: Literal["info", "warning", "critical"] = "warning"
    owner: str | None = None
    runbook: str | None = None


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor as it is on record. `mv_id` is the version watched; None for whichever answers.

    Times are UTC text. Windows until `looked` were looked at; None where none was yet. What is usual is learned from
    windows that began at `since` or later, when the version `version` became the champion.
    """

    monitor_id: str
    name: str
    model: str
    endpoint: str
    mv_id: str | None
    owner: str
    enabled: bool
    definition: Definition
    looked: str | None = None
    since: str | None = None
    version: str | None = None


def check_definition(definition: Definition, where: str) -> None:
    """InvalidInput, with the place, for what types alone do not say."""
    checked_length(definition.window, "window", where=where, zero=False)
    checked_length(definition.maturity, "maturity", where=where)
    if definition.rows is not None and definition.rows < 1:
        raise InvalidInput(f"rows is {definition.rows}", where=where, expected="1 or more")
    if definition.alpha is not None and not 0 < definition.alpha < 0.5:
        raise InvalidInput(f"alpha is {definition.alpha}", where=where, expected="inside (0, 0.5), such as 0.01")
    for name in ("floor", "tolerance"):
        value = getattr(definition, name)
        if value is not None and not value >= 0:
            raise InvalidInput(f"{name} is {value}", where=where, expected="0 or more")
    needed, of_windows = definition.persistence
    if not 1 <= needed <= of_windows:
        raise InvalidInput(
            f"persistence is {list(definition.persistence)}", where=where, expected="[2, 3]: in 2 of 3 windows"
        )
    if definition.season != "none" and definition.rows is not None:
        raise InvalidInput("windows by count have no season", where=where, expected="a window of time")
    if definition.slow and definition.kind not in ("drift", "prediction_drift"):
        raise InvalidInput(f"slow of the kind {definition.kind}", where=where, expected="drift or prediction_drift")
    if definition.together and definition.kind != "drift":
        raise InvalidInput(f"together of the kind {definition.kind}", where=where, expected="drift")
    if len(set(definition.segments)) < len(definition.segments):
        raise InvalidInput("segments name a column twice", where=where, expected="different columns")
