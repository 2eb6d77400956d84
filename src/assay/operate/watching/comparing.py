"""Was the version before better? Both on the same rows that were served, with the labels that came in since.

The rows are those that the new version answered; the version before answers the same inputs now. What counts is the
difference of their losses: a squared error of probabilities (of two classes the Brier score), or an absolute error. Its
error comes from parts in time, days or eighths, whose rows are right or wrong together. Where the world changed both
lose alike, and nothing is proven.
"""

import math
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.models.packaging import LoadedModel, load_model, opened_model
from assay.build.models.table_model import kind_of_answers
from assay.errors import InvalidInput
from assay.operate.labels.recording import labels_known
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Window
from assay.operate.monitors.kinds.answers import answers_of, hold_out_of
from assay.operate.monitors.reading import LogWindows
from assay.operate.monitors.spans import Span
from assay.operate.predictions.columns import FEATURES
from assay.record.clock import iso, to_us
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.stats import holm
from assay.stats.clustered import MeanEstimate, clustered_ratio

__all__ = ["Compared", "compare_served"]

_CONFIDENCE = 0.95
_FEWEST = 30  # rows of a segment, below which nothing is said
_MOST, _SHORTEST = 200_000, timedelta(minutes=10)  # of the rows that are read
_EIGHTHS = 8
_FEWEST_PARTS = 4
_DAY_US = 86_400_000_000

Floats = NDArray[np.float64]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What a version loses more than the one before it on the same rows, with an interval of 95 %, by segment.

    The verdict is `worse` where that is proven at `alpha` of all rows, or of a segment while all rows are not proven to
    be better; `not worse` where it is proven to be better, else `not proven`.
    """

    verdict: Literal["worse", "not worse", "not proven"]
    words: str
    alpha: float
    gaps: dict[str, tuple[float, float | None, float | None]] = {}
    p_values: dict[str, float] = {}
    rows: int = 0


def compare_served(
    store: Store,
    monitor: Monitor,
    version: ModelVersion,
    before: ModelVersion,
    span: Span,
    now: datetime,
    *,
    segments: Collection[str] = (),
    alpha: float = 0.05,
) -> Compared:
    """Compare a version with the one before it on the labelled rows that it answered at the monitor's endpoint.

    `segments` are looked at beside all rows, named as the monitor's findings name them. InvalidInput where the version
    before asks for inputs that were not served, or answers another question.
    """
    window = _served(store, monitor.endpoint, version, span, now)
    answers = answers_of(monitor, window, hold_out_of(store, monitor, window))
    known = answers.known
    if int(known.sum()) < _FEWEST:
        words = f"only {int(known.sum())} rows of version {version.version} have a label"
        return Compared(verdict="not proven", words=words, alpha=alpha, rows=int(known.sum()))
    rows = window.rows.filter(pa.array(known))
    labels = answers.labels[known]
    model = load_model(store, before)
    _check_alike(opened_model(store, version), model)
    gaps = _losses_of_answers(rows, labels, model) - _losses_of_model(rows, labels, model)
    masks = {name: mask[known] for name, mask in answers.masks().items() if name in {OVERALL_SEGMENT, *segments}}
    places = _places(rows, Span(window.started, window.ended))
    found = {name: _mean(gaps[mask], places[mask]) for name, mask in masks.items() if mask.sum() >= _FEWEST}
    return _judged(version, before, found, int(known.sum()), alpha)


def _check_alike(one: LoadedModel, other: LoadedModel) -> None:
    if one.classes and other.classes and one.classes != other.classes:
        said = [kind_of_answers(True, each.classes) for each in (one, other)]
        raise InvalidInput(f"one version {said[0]}, the other {said[1]}", expected="versions that answer alike")


def _served(store: Store, endpoint: str, version: ModelVersion, span: Span, now: datetime) -> Window:
    """What the version answered in the span, with the labels that are known now; of very many rows the last ones."""
    log = LogWindows(store, endpoint)
    log.refresh()
    while log.rows_since(iso(span.started)) > _MOST and span.ended - span.started > _SHORTEST:
        span = Span(span.started + (span.ended - span.started) / 2, span.ended)
    every = log.read(span)
    rows = every.filter(pc.and_(pc.equal(every["mv_id"], version.mv_id), every["output"].is_valid()))
    ids = rows["id"].to_pylist()
    known = labels_known(store, ids, as_of=now)
    labels = pa.array([known.get(id) for id in ids], pa.float64())
    return Window(span.name, span.started, span.ended, now, rows, labels)


def _losses_of_answers(rows: pa.Table, labels: Floats, model: LoadedModel) -> Floats:
    """[rows] what was lost by the answers that were given; `model` says what kind of answers both give."""
    if len(model.classes) > 2:
        scores = rows["scores"].to_pylist()
        if any(one is None or len(one) != len(model.classes) for one in scores):
            raise InvalidInput("the answers have no probabilities of each class", expected="scores in the log")
        return _of_classes(np.array(scores, dtype=np.float64), labels)
    return _of_numbers(rows["output"].to_numpy().astype(np.float64), labels, squared=model.gives_probabilities)


def _losses_of_model(rows: pa.Table, labels: Floats, model: LoadedModel) -> Floats:
    """[rows] what the version before loses on the same inputs."""
    answers = model.answer_table(_inputs(rows, model))
    if answers.ndim == 2 and answers.shape[1] > 2:
        return _of_classes(answers, labels)
    numbers = answers[:, 1] if answers.ndim == 2 else answers
    return _of_numbers(numbers.astype(np.float64), labels, squared=model.gives_probabilities)


def _inputs(rows: pa.Table, model: LoadedModel) -> pa.Table:
    kept = rows[FEATURES].combine_chunks() if FEATURES in rows.column_names else None
    if isinstance(kept, pa.ChunkedArray):
        kept = pa.concat_arrays(kept.chunks)
    there = {} if kept is None else {field.name: pc.struct_field(kept, field.name) for field in kept.type}
    missing = [one.name for one in model.columns if one.name not in there or there[one.name].null_count == len(rows)]
    if missing:
        raise InvalidInput(
            f"version {model.version.version} asks for {', '.join(missing)}, which was not served",
            expected="the inputs of both versions in the log",
        )
    return pa.table({one.name: there[one.name] for one in model.columns})


def _of_classes(likely: Floats, labels: Floats) -> Floats:
    scaled = likely / likely.sum(axis=1, keepdims=True)
    right = scaled[np.arange(len(labels)), labels.astype(np.int64)]
    lost: Floats = (np.square(scaled).sum(axis=1) - 2.0 * right + 1.0) / 2.0
    return lost


def _of_numbers(answers: Floats, labels: Floats, *, squared: bool) -> Floats:
    lost: Floats = np.square(answers - labels) if squared else np.abs(answers - labels)
    return lost


def _places(rows: pa.Table, span: Span) -> NDArray[np.int64]:
    """[rows] the part in time of each: a day, or an eighth of a span that has fewer days."""
    begin, end = to_us(span.started), to_us(span.ended)
    length = min(_DAY_US, max(1, math.ceil((end - begin) / _EIGHTHS)))
    places: NDArray[np.int64] = (rows["moment"].cast(pa.int64()).to_numpy() - begin) // length
    return places


def _mean(gaps: Floats, places: NDArray[np.int64]) -> MeanEstimate:
    """The mean of the differences; its error is that of so few parts (a factor of √(G/(G − 1)) more)."""
    _, codes = np.unique(places, return_inverse=True)
    counts = np.bincount(codes)
    found = clustered_ratio(np.bincount(codes, weights=gaps), counts)
    parts = len(counts)
    if parts < _FEWEST_PARTS:
        return MeanEstimate(found.value, math.nan, found.df)
    return MeanEstimate(found.value, found.standard_error * math.sqrt(parts / (parts - 1)), parts - 1)


def _judged(
    version: ModelVersion, before: ModelVersion, found: Mapping[str, MeanEstimate], rows: int, alpha: float
) -> Compared:
    """Segments and all rows are accused together, so that the chance of any wrong word is at most `alpha`."""
    whole = found[OVERALL_SEGMENT]
    adjusted = dict(zip(found, holm([one.p_not_worse() for one in found.values()]), strict=True))
    better = whole.p_worse() <= alpha
    proven = [name for name, p in adjusted.items() if p <= alpha and not (better and name != OVERALL_SEGMENT)]
    verdict: Literal["worse", "not worse", "not proven"] = (
        "worse" if proven else "not worse" if better else "not proven"
    )
    shown = OVERALL_SEGMENT if not proven or OVERALL_SEGMENT in proven else min(proven, key=adjusted.__getitem__)
    one = found[shown]
    more, side = ("more", 1) if one.value >= 0 else ("less", -1)
    low, high = sorted(side * end for end in _ends(one)[1:] if end is not None) or (None, None)
    where = f"the same {rows:,} rows" if shown == OVERALL_SEGMENT else f"the same rows of {shown}"
    words = f"version {version.version} loses {abs(one.value):.4g} {more} than version {before.version} on {where}"
    words += "" if low is None else f" ({low:.4g} to {high:.4g})"
    words += {"worse": "", "not worse": ": the world has changed, not the model", "not proven": ": nothing is proven"}[
        verdict
    ]
    return Compared(
        verdict=verdict,
        words=words,
        alpha=alpha,
        gaps={name: _ends(estimate) for name, estimate in found.items()},
        p_values=adjusted,
        rows=rows,
    )


def _ends(one: MeanEstimate) -> tuple[float, float | None, float | None]:
    interval = one.interval(_CONFIDENCE)
    if math.isnan(interval.low):
        return one.value, None, None
    return one.value, interval.low, interval.high
