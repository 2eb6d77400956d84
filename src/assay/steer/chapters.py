"""The parts of a model's story, as plain values: what `assay demo --json` prints and what the report shows.

Differences are improvements: above 0 the candidate is better, whatever the metric.
"""

import msgspec

from assay.prove.checks import Check

__all__ = [
    "Beside",
    "Champion",
    "DailyAuc",
    "Dataset",
    "Decay",
    "Decision",
    "Deployment",
    "Moved",
    "Promoted",
    "Refusal",
    "Retraining",
    "Rules",
    "Watch",
]


class Dataset(msgspec.Struct, frozen=True):
    """The largest table the first run read, and how many expectations passed, warned and failed on its inputs."""

    name: str
    hash: str
    rows: int
    origin: str
    licence: str
    passed: int
    warned: int
    failed: int


class Rules(msgspec.Struct, frozen=True):
    """The policy of the last verdict. Intervals of its checks are two-sided at `confidence` = 1 - 2 alpha."""

    name: str
    version: str
    alpha: float
    confidence: float


class Champion(msgspec.Struct, frozen=True):
    """The first champion, and how it compared with the baseline; `checks` are all comparisons of its verdict."""

    version: int
    verdict: str
    metric: str
    value: float
    baseline: float
    delta: float
    interval: list[float]
    segments: int
    description: str
    checks: list[Check]


class Decay(msgspec.Struct, frozen=True):
    """What the monitor saw. AUC is the mean of the daily values; 2/alpha of `e_value`, the evidence, alarms."""

    alarm_day: str | None
    days: int
    promised_auc: float
    limit_auc: float
    observed_auc: float
    e_value: float


class Moved(msgspec.Struct, frozen=True):
    """What monitors of drift found to have moved: `columns`, the most harmful first; `words` say it, and the harm."""

    window: str
    columns: list[str]
    answers_moved: bool
    words: str


class DailyAuc(msgspec.Struct, frozen=True):
    """AUC of one day's predictions, and the mean of the last seven watched days; None before the seventh."""

    day: str
    auc: float
    week_mean: float | None


class Watch(msgspec.Struct, frozen=True):
    """A monitor of one version, day by day; days too small for an AUC are left out."""

    version: int
    promised_auc: float
    limit_auc: float
    alarm_day: str | None
    days: list[DailyAuc]


class Retraining(msgspec.Struct, frozen=True):
    """The runs a trigger started."""

    trigger_type: str
    reason: str
    run_id: str
    candidates: list[int]
    seconds: float


class Refusal(msgspec.Struct, frozen=True):
    """A candidate the gate refused: where, by how much, and what had been changed in its training.

    `segment` and the numbers are those of the worst proven loss, or of all rows where none is proven; `checks` are
    all comparisons of the verdict.
    """

    version: int
    segment: str
    metric: str
    value: float
    baseline: float
    delta: float
    interval: list[float]
    rows: int
    p_holm: float
    verdict: str
    overall_delta: float
    failed_segments: int
    change: str
    reasons: list[str]
    baseline_version: int
    segments: int
    checks: list[Check]


class Beside(msgspec.Struct, frozen=True):
    """A release: the steps by which a version came to answer beside the champion, and how it ended."""

    version: int
    steps: list[str]
    status: str
    reason: str


class Promoted(msgspec.Struct, frozen=True):
    """The candidate that went live, and what the gate had seen of it."""

    version: int
    verdict: str
    metric: str
    delta: float
    interval: list[float]
    answered_during: int
    failed_requests: int
    observed_auc: float | None
    days: int
    baseline_version: int
    segments: int
    reasons: list[str]
    checks: list[Check]


class Deployment(msgspec.Struct, frozen=True):
    """A version that was put in place. `started` is the moment in the replay where there is one, else the wall clock.

    `cause` is change | incident | drill.
    """

    version: int
    started: str
    cause: str
    outcome: str | None
    decision: int


class Decision(msgspec.Struct, frozen=True):
    """An entry of the ledger about the model; `at` is the moment in the replay where there is one, else `ts`."""

    seq: int
    kind: str
    subject: str
    at: str
    ts: str
    actor: str
    hash: str
