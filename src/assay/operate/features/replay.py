"""Were the features that were served the ones that training would have computed? Logged rows, computed once more."""

import math
import time
from collections.abc import Sequence
from typing import Annotated

import msgspec

from assay.build.views.declared.spans import microseconds
from assay.errors import InvalidInput
from assay.operate.features.skew import FeatureSkew, Verdict, overall, record_skew
from assay.operate.features.tally import ServedOtherwise, Tally
from assay.operate.moments import moment_given
from assay.operate.predictions.tail import Tail
from assay.operation import operation
from assay.progress import announce
from assay.record.clock import iso
from assay.record.models.registry import version_by_id
from assay.record.models.routes import current_route
from assay.record.store import Store

__all__ = ["Replayed", "replay"]


class Replayed(msgspec.Struct, frozen=True):
    """What a replay found: of so many `predictions` with features that the server looked up, `sampled` were compared.

    `rows_from` says for each view where its rows are from: its log, or where it has none, its source. `differences` are
    the first ones, with those that came late. `left_out` lookups cannot be computed any more: the entity was erased, or
    the log of the view rebuilt, since.
    """

    endpoint: str
    model: str
    since: str | None
    share: float
    tolerated: float
    predictions: int
    sampled: int
    rows_from: dict[str, str]
    features: list[FeatureSkew]
    differences: list[ServedOtherwise]
    late: int
    left_out: int
    alert_id: str | None
    verdict: Verdict
    reason: str


@operation("features replay", local=True)
def replay(
    store: Store,
    endpoint: str,
    *,
    share: Annotated[float, "The share of requests that is compared, chosen by the hash of the request's id"] = 1.0,
    since: Annotated[str | None, "Only predictions from then on: a time with its zone, or how long ago, as 7d"] = None,
    tolerated: Annotated[float, "The highest share of wrong values that is no skew"] = 0.001,
    settle: Annotated[str, "How long a row may take from the log into the online store"] = "60s",
    late_counts: Annotated[bool, "Count rows that arrived after serving as wrong values, too"] = False,
    every: Annotated[float | None, "Go on until interrupted, and look again after so many seconds"] = None,
) -> Replayed:
    """Compare the features that an endpoint served with what training computes for the same keys and moments.

    Every value that the server looked up is computed once more from the log of its view, as a training set of what was
    known at that moment has it, and compared exactly. A feature passes where the 95% interval of its rate of wrong
    values lies below `tolerated`, fails where it lies above; rows are treated as independent. The verdict is the exit
    code: 0 pass, 1 fail, 3 inconclusive. A failure opens an alert; all is recorded about the versions that answered.
    Who looks `every` so often sees each time all rows since the start; the level holds for each look by itself.

    Raises NotFound for an unknown endpoint, InvalidInput for a share, a rate or a time that makes no sense.
    """
    route = current_route(store, endpoint)
    _check(share, tolerated, every)
    begun = moment_given(store, since, "since")
    begin = None if begun is None else iso(begun)
    settle_us = microseconds(settle, "settle")
    model = version_by_id(store, route.variants[0].mv_id).model
    tally = Tally(store, share, begin, settle_us, tolerated, late_counts=late_counts)
    tail = Tail(store, endpoint)
    detail = {"share": share, "tolerated": tolerated, "since": begin, "late_counts": late_counts}
    found: Replayed | None = None
    try:
        while True:
            new = tally.take(tail.predictions())
            if new or found is None:
                features = tally.features()
                alert_id = record_skew(store, endpoint, model, features, detail, math.ceil(every or 0))
                found = _replayed(endpoint, model, begin, tally, features, alert_id)
                if every is not None:
                    announce(found)
            if every is None:
                return found
            time.sleep(every)
    except KeyboardInterrupt:
        if found is None:
            raise
        return found


def _replayed(
    endpoint: str, model: str, begin: str | None, tally: Tally, features: list[FeatureSkew], alert_id: str | None
) -> Replayed:
    return Replayed(
        endpoint=endpoint,
        model=model,
        since=begin,
        share=tally.share,
        tolerated=tally.tolerated,
        predictions=tally.predictions,
        sampled=tally.sampled,
        rows_from=dict(tally.rows_from),
        features=features,
        differences=list(tally.differences),
        late=tally.late,
        left_out=tally.left_out,
        alert_id=alert_id,
        verdict=overall(features),
        reason=_reason(features, tally),
    )


def _reason(features: Sequence[FeatureSkew], tally: Tally) -> str:
    compared = [one for one in features if one.compared]
    if not compared:
        return "no prediction was logged with features that the server looked up"
    verdict = overall(features)
    if verdict == "pass":
        return f"no feature is served wrongly in more than {100 * tally.tolerated:.3g}% of {tally.sampled:,} rows"
    if verdict == "fail":
        worst = features[0]
        return (
            f"{worst.feature} was served otherwise than training computes it in {worst.mismatches:,} of "
            f"{worst.compared:,} rows, more than {100 * tally.tolerated:.3g}%"
        )
    needed = [one.rows_needed for one in compared if one.verdict == "inconclusive"]
    more = [one for one in needed if one is not None]
    said = f"about {max(more):,} more rows would decide" if len(more) == len(needed) else "no number of rows decides it"
    return f"{tally.sampled:,} rows do not decide about {100 * tally.tolerated:.3g}%; {said}"


def _check(share: float, tolerated: float, every: float | None) -> None:
    if not 0 < share <= 1:
        raise InvalidInput(f"share is {share}", expected="above 0, at most 1")
    if not 0 < tolerated < 1:
        raise InvalidInput(f"tolerated is {tolerated}", expected="inside (0, 1), such as 0.001")
    if every is not None and not every > 0:
        raise InvalidInput(f"every is {every}", expected="more than 0 seconds")
