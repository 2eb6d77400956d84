"""Which features help: automatic candidates, each measured beside the columns that are there, with what it costs."""

import time as clock
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import column
from assay.build.data.leakage import check_leakage
from assay.build.data.split_hashes import names_of
from assay.build.data.split_slices import slice_of
from assay.build.data.split_times import is_time
from assay.build.features.candidates import KINDS, Candidate, Kind, candidates_of, definition_of
from assay.build.features.declared import Features
from assay.build.features.honest import (
    Folds,
    Outcome,
    base_columns,
    codes_matrix,
    fit_scorer,
    losses_of,
    make_folds,
    mean_gain,
)
from assay.errors import InvalidInput, nearest
from assay.progress import tell
from assay.record import tables

__all__ = ["Suggestion", "Suggestions", "suggest_features"]

Floats = NDArray[np.float64]
Verdict = Literal["helps", "unclear", "hurts"]

_ALPHA = 0.05
_BINS = 20
_TOO_GOOD = 0.5  # of the loss, for one feature
_SERVED = 1000  # rows for which the cost is told


class Suggestion(msgspec.Struct, frozen=True):
    """A candidate. `gain` is how much less is lost with it on rows the model was not fitted on, above 0 is better.

    [`low`, `high`] is the interval that holds for all candidates together with 95 % (Bonferroni over all of them, those
    that were not measured included): "helps" lies above 0, "hurts" below. `p` is the P-value of "no gain", corrected
    alike. `fit_s` are seconds to fit it on the rows, `ms_per_1000` milliseconds to compute it for 1,000 more.
    """

    name: str
    kind: Kind
    definition: str
    gain: float
    low: float
    high: float
    p: float
    verdict: Verdict
    fit_s: float
    ms_per_1000: float


class Suggestions(msgspec.Struct, frozen=True):
    """Candidates by gain, the largest first. `loss` is what is lost on a row, `base_loss` how much without any of them.

    `base` are the columns the model reads anyway; `tried` counts all candidates, of which the most promising were
    measured; `tested_on` says on which rows. `remarks` are sentences about what was left out, and why.
    """

    label: str
    rows: int
    loss: str
    base_loss: float
    base: list[str]
    tested_on: str
    tried: int
    suggestions: list[Suggestion]
    remarks: list[str]

    def features(self, *names: str) -> Features:
        """Those candidates, by default all that help, as `Features` to fit on training rows."""
        known = {one.name: one for one in self.suggestions}
        chosen = names or tuple(one.name for one in self.suggestions if one.verdict == "helps")
        for name in chosen:
            if name not in known:
                close = nearest(name, list(known))
                raise InvalidInput(
                    f"there is no candidate {name!r}", hint=f"did you mean {close!r}?" if close else None
                )
        return Features(
            {name: definition_of(Candidate(name, known[name].kind, known[name].definition)) for name in chosen}
        )

    def __str__(self) -> str:
        said = [
            f"{self.loss} of {self.label} without any: {self.base_loss:.5g}, on {self.tested_on} ({self.rows:,} rows)"
        ]
        said += [
            f"{one.verdict:7} {one.name}: {one.gain:+.3g} [{one.low:+.3g}, {one.high:+.3g}],"
            f" {one.ms_per_1000:.3g} ms for 1,000 rows"
            for one in self.suggestions
        ]
        return "\n".join([*said, *self.remarks])

    __repr__ = __str__


def suggest_features(
    data: object,
    label: str,
    *,
    features: Sequence[str] | None = None,
    group: str | Sequence[str] = (),
    time: str | None = None,
    kinds: Sequence[Kind] = KINDS,
    rows: int = 10_000,
    folds: int = 5,
    most: int = 20,
    seed: int = 0,
) -> Suggestions:
    """Try features that people try first, and say which help: measured honestly, and with what they cost.

    Candidates are parts of dates, ratios and differences of numbers, how often a value occurs, the mean label of a
    value's rows (fitted inside the folds), parts of texts. Each is added to the columns a small boosted tree reads as
    they are, and the losses with and without it are compared row by row on rows the tree was not fitted on: rows of
    other groups with `group`, later rows with `time`, else other rows. Intervals treat rows of a group, or of a day, as
    hanging together. Of many candidates the `most` promising are measured, those that explain most of what the base
    model gets wrong; all of them count for the correction.

    `features` are the columns that may be used, by default all but label, group and time, without those that
    `check_leakage` stops. Of a larger table `rows` are drawn by hash. InvalidInput for a label that is constant or of
    more than 20 classes, a table without columns to start from, and as for folds.
    """
    table = tables.as_table(data)
    labels = column(table, label)
    table = table.filter(pc.is_valid(labels))
    if table.num_rows > rows:
        table = slice_of(table, rows=rows, seed=seed)
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidInput(f"there is no kind {kind!r}", expected=", ".join(KINDS))
    outcome = Outcome(table, label)
    groups = names_of(group)
    read, remarks = _read(table, label, features, groups, time)
    split = make_folds(table, folds, group=groups, time=time, seed=seed)
    names = base_columns(table, read)
    may_use = [*read, *([time] if time is not None and is_time(column(table, time).type) else [])]
    candidates = candidates_of(table, may_use, kinds)
    if not names and not candidates:
        raise InvalidInput("there are no columns to start from", expected="numbers, texts or times besides the label")
    scorer = _Scorer(table, outcome, split, names, seed)
    tell("features", 0.0, f"{len(candidates)} candidates")
    chosen = _promising(scorer, candidates, most)
    if len(chosen) < len(candidates):
        remarks.append(f"{len(candidates) - len(chosen)} candidates that promised less were not measured")
    if split.units is None and time is None and any(is_time(column(table, one).type) for one in read):
        remarks.append("folds are drawn at random although rows have times; name the time they are known at")
    measured = []
    for place, one in enumerate(chosen):
        measured.append((one, *scorer.measure(one)))
        tell("features", (place + 1) / len(chosen), one.name)
    found = _judged(measured, len(candidates), scorer)
    base_loss = float(scorer.base[scorer.tested].mean())
    remarks += [
        f"{one.name} takes {one.gain / base_loss:.0%} of the loss away: is all that it reads known beforehand?"
        for one in found
        if one.verdict == "helps" and one.gain > _TOO_GOOD * base_loss
    ]
    return Suggestions(
        label=label,
        rows=table.num_rows,
        loss=outcome.loss,
        base_loss=base_loss,
        base=names,
        tested_on=split.kind,
        tried=len(candidates),
        suggestions=sorted(found, key=lambda one: -one.gain),
        remarks=remarks,
    )


class _Scorer:
    """Losses of the base columns, and of a candidate beside them, on the same folds."""

    def __init__(self, table: pa.Table, outcome: Outcome, split: Folds, names: list[str], seed: int) -> None:
        self.table = (
            table.append_column("the label", outcome.column) if "the label" not in table.column_names else table
        )
        self.outcome = outcome
        self.split = split
        self.seed = seed
        self.X, self.categories = codes_matrix(table, names)
        if not names:  # a constant: the model is the mean
            self.X, self.categories = np.zeros((table.num_rows, 1)), [False]
        self.tested = np.sort(np.concatenate([test for _, test in split.pairs]))
        self.base = np.full(table.num_rows, np.nan)
        self.residual = np.full(table.num_rows, np.nan)
        for train, test in split.pairs:
            model = self._fit(self.X[train], outcome.values[train], self.categories)
            self.base[test] = losses_of(model, self.X[test], outcome.values[test], outcome.task)
            self.residual[test] = self._residual(model, test)

    def measure(self, candidate: Candidate) -> tuple[Floats, float, float]:
        """[tested rows] how much less is lost with the candidate, seconds to fit it, ms for 1,000 rows."""
        losses = np.full(self.table.num_rows, np.nan)
        fixed = self._fixed(candidate)
        for train, test in self.split.pairs:
            if fixed is None:
                features = Features({candidate.name: definition_of(candidate)})
                inside = features.fit_apply(self.table.take(pa.array(train)), "the label", seed=self.seed)
                outside = features.apply(self.table.take(pa.array(test)))
                more = [_numbers(part, features.columns) for part in (inside, outside)]
            else:
                more = [fixed[train], fixed[test]]
            categories = [*self.categories, *[False] * more[0].shape[1]]
            X = [np.hstack([self.X[places], values]) for places, values in zip((train, test), more, strict=True)]
            model = self._fit(X[0], self.outcome.values[train], categories)
            losses[test] = losses_of(model, X[1], self.outcome.values[test], self.outcome.task)
        return (self.base - losses)[self.tested], *self._cost(candidate)

    def promise(self, candidate: Candidate) -> float:
        """How much 20 bins of the candidate explain of what the base model gets wrong; infinite for a fitted one."""
        fixed = self._fixed(candidate)
        if fixed is None:
            return float("inf")
        values, wrong = fixed[self.tested, 0], self.residual[self.tested]
        known = ~np.isnan(values)
        if known.sum() < 2 or np.ptp(values[known]) == 0:
            return -1.0
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, _BINS + 1)[1:-1]))
        bins = np.where(known, np.searchsorted(edges, values, side="right"), len(edges) + 1)
        counts = np.bincount(bins)
        sums = np.bincount(bins, wrong - wrong.mean())
        return float((sums**2 / np.maximum(counts, 1)).sum())

    def _fixed(self, candidate: Candidate) -> Floats | None:
        """[rows, 1] the values of a candidate that needs no fitting."""
        definition = definition_of(candidate)
        if not isinstance(definition, str):
            return None
        features = Features({candidate.name: definition})
        return _numbers(features.apply(self.table), features.columns)

    def _cost(self, candidate: Candidate) -> tuple[float, float]:
        features = Features({candidate.name: definition_of(candidate)})
        start = clock.perf_counter()
        features.fit(self.table, "the label")
        fitted = clock.perf_counter()
        few = self.table.take(pa.array(np.arange(_SERVED) % self.table.num_rows))
        best = float("inf")
        for _ in range(3):
            begun = clock.perf_counter()
            features.apply(few)
            best = min(best, clock.perf_counter() - begun)
        return fitted - start, best * 1000.0

    def _fit(self, X: Floats, y: Floats, categories: Sequence[bool]) -> Any:
        if self.outcome.task != "regression" and len(np.unique(y)) < 2:
            raise InvalidInput("the training rows of a fold have one label only", hint="fewer folds, or more rows")
        return fit_scorer(X, y, self.outcome.task, categories, self.seed)

    def _residual(self, model: Any, test: NDArray[np.int64]) -> Floats:
        """What came less what was expected; of several classes, how improbable what came was."""
        values = self.outcome.values[test]
        if self.outcome.task == "regression":
            found: Floats = values - model.predict(self.X[test])
        elif self.outcome.task == "binary":
            found = values - model.predict_proba(self.X[test])[:, -1]
        else:
            found = self.base[test]
        return found


def _read(
    table: pa.Table, label: str, features: Sequence[str] | None, groups: list[str], time: str | None
) -> tuple[list[str], list[str]]:
    """The columns that may be used, and why others may not."""
    if features is not None:
        for name in features:
            column(table, name)
        if label in features:
            raise InvalidInput(f"the label {label!r} is among the features", expected="features without it")
        return list(features), []
    others = [name for name in table.column_names if name not in (label, time, *groups)]
    stopped = [one for one in check_leakage(table, label=label, features=others) if one.severity == "stop"]
    leaking = {name for one in stopped for name in one.columns}
    remarks = [f"left out as leakage: {one.sentence}" for one in stopped]
    return [name for name in others if name not in leaking], remarks


def _promising(scorer: _Scorer, candidates: Sequence[Candidate], most: int) -> list[Candidate]:
    if len(candidates) <= most:
        return list(candidates)
    promise = {one.name: scorer.promise(one) for one in candidates}
    ranked = sorted(candidates, key=lambda one: -promise[one.name])[:most]
    return [one for one in candidates if one in ranked]


def _judged(
    measured: Sequence[tuple[Candidate, Floats, float, float]], tried: int, scorer: _Scorer
) -> list[Suggestion]:
    if not measured:
        return []
    units = None if scorer.split.units is None else scorer.split.units[scorer.tested]
    gains = [mean_gain(differences, units) for _, differences, _, _ in measured]
    found = []
    for (one, _, fit_s, ms), gain in zip(measured, gains, strict=True):
        interval = gain.interval(1.0 - _ALPHA / tried)
        p = min(1.0, 2.0 * tried * gain.p_not_worse())
        verdict: Verdict = "helps" if interval.low > 0 else "hurts" if interval.high < 0 else "unclear"
        found.append(
            Suggestion(
                one.name,
                one.kind,
                one.definition,
                gain.value,
                interval.low,
                interval.high,
                p,
                verdict,
                round(fit_s, 6),
                ms,
            )
        )
    return found


def _numbers(table: pa.Table, names: Sequence[str]) -> Floats:
    found: Floats = np.column_stack([column(table, name).cast(pa.float64()).to_numpy() for name in names])
    found[~np.isfinite(found)] = np.nan
    return found
