from types import SimpleNamespace
from typing import Any, cast

from assay.operate.predictions.prediction import Prediction
from assay.operate.routing.assignment import Assigned
from assay.operate.serving.predicting import Outputs
from assay.operate.serving.recording import Part, Work

VERSION = SimpleNamespace(model="flights", version=7, mv_id="mv")
SPLIT = SimpleNamespace(experiment="test", phase=2, salt="salt", hash_version="murmur3")
TABLE = SimpleNamespace(endpoint="late", revision=5, split=SPLIT)


def part_of(**changed: object) -> Part:
    part = Part(cast("Any", SimpleNamespace(name="b", version=VERSION)), [1], [("EWR", 2.0)])
    part.outputs = Outputs([0.25], [(0.25, 0.75)])
    part.looked_up = cast("Any", ["looked up"])
    for name, value in changed.items():
        setattr(part, name, value)
    return part


WORK = Work(
    cast("Any", TABLE),
    [Assigned(0, "outside", 1, 0.9), Assigned(1, "hash", 77, 0.4)],
    ["x", "y"],
    [None, "unit"],
    "event",
    "request",
    "now",
    [None, {"dest": "unseen"}],
)


def test_each_field_of_a_record_has_its_own_value() -> None:
    assert WORK.records(part_of(), "live", 120) == [
        Prediction(
            id="y",
            ts="now",
            event_ts="event",
            request_id="request",
            row=1,
            endpoint="late",
            model="flights",
            version=7,
            mv_id="mv",
            role="live",
            unit="unit",
            propensity=0.4,
            features=("EWR", 2.0),
            output=0.25,
            status="ok",
            error=None,
            latency_us=120,
            looked_up=cast("Any", "looked up"),
            variant="b",
            revision=5,
            reason="hash",
            experiment="test",
            phase=2,
            salt="salt",
            hash_version="murmur3",
            bucket=77,
            scores=(0.25, 0.75),
            flags={"dest": "unseen"},
        )
    ]


def test_a_shadow_sees_every_request_and_a_failure_has_no_output() -> None:
    (record,) = WORK.records(part_of(failure="ValueError: no", outputs=Outputs([], None)), "shadow", 120)
    assert (record.role, record.propensity, record.reason) == ("shadow", 1.0, "only")
    assert (record.status, record.error, record.output, record.scores) == ("error", "ValueError: no", None, None)
