"""Features that are there twice: by their definition, by their values, or by the order that their values give.

Values are compared for a sample of keys and times, as a training set would have them.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import is_number
from assay.build.views.declared.history import TS
from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.matching import matched
from assay.build.views.matching.wanted import Wanted
from assay.build.views.registry.declaration import Declaration
from assay.build.views.registry.registered import ViewVersion, find_view, view_of, view_versions
from assay.build.views.registry.source_rows import SourceRows
from assay.build.views.registry.types import feature_types
from assay.errors import AssayError, InvalidInput
from assay.operation import operation
from assay.progress import tell
from assay.record.store import Store

__all__ = ["Duplicates", "Known", "Likeness", "alike", "duplicate_features"]

_SAMPLE = 2_000
_LEAST = 20  # values that both have: fewer agree by chance
_RARE = 5  # values other than the most frequent: what is nearly constant agrees with anything nearly constant
_NEAR = 0.99
_MISSING = 0.01  # of the rows that only one of them has, at most
_SECONDS = 20.0
How = Literal["same definition", "same values", "same order"]


class Likeness(msgspec.Struct, frozen=True):
    """A feature that is like another one: `same definition`, `same values`, or `same order` of them.

    Two of the same definition or values are copies. `rows` were compared, `correlation` is that of the ranks.
    """

    feature: str
    other: str
    how: How
    rows: int
    correlation: float | None

    @property
    def is_copy(self) -> bool:
        """Whether one of them is enough."""
        return self.how != "same order"


class Duplicates(msgspec.Struct, frozen=True):
    """Pairs of features `VIEW@VERSION:FEATURE`. `not_compared` says of which views the values were not looked at."""

    pairs: list[Likeness]
    views: int
    features: int
    not_compared: list[str]


class Known(NamedTuple):
    """A view with its rows in the one form, in batches that can be asked for again."""

    reference: str
    declared: Declaration
    view: FeatureView
    rows: Iterable[pa.Table]


@operation("features duplicates", local=True)  # it reads sources and calls functions of views
def duplicate_features(
    store: Store,
    view: str | None = None,
    *,
    seconds: Annotated[float, "How long values are compared at most; definitions always are"] = _SECONDS,
) -> Duplicates:
    """Say which features are there twice, by definition, by values, or by the order of their values.

    With VIEW, which is NAME or NAME@VERSION, its features are compared with those of the other views; without one all
    are, in their newest versions. Views of keys of the same types are compared.

    Raises NotFound with the nearest name.
    """
    if not seconds >= 0:
        raise InvalidInput(f"--seconds is {seconds}", expected="0 or more")
    newest = _newest(store)
    if view is not None:
        asked = find_view(store, view)
        others = [one for one in newest if one.name != asked.name and _same_keys(one.declared, asked.declared)]
        pairs = [(_known(store, asked), _known(store, one)) for one in others]
    else:
        known = [_known(store, one) for one in newest]
        pairs = [(one, other) for one, other in combinations(known, 2) if _same_keys(one.declared, other.declared)]
    found, missing = _compared(pairs, time.perf_counter() + seconds)
    count = sum(len(feature_types(one.declared)) for one in newest)
    return Duplicates(found, len(newest), count, missing)


def alike(store: Store, new: Known, *, seconds: float) -> tuple[list[Likeness], list[str]]:
    """What of a view that is to be registered is like features of other views, and which of these were not compared."""
    others = [one for one in _newest(store) if one.name != new.view.name and _same_keys(one.declared, new.declared)]
    return _compared([(new, _known(store, one)) for one in others], time.perf_counter() + seconds)


def _newest(store: Store) -> list[ViewVersion]:
    found: dict[str, ViewVersion] = {}
    for one in view_versions(store):
        found.setdefault(one.name, one)
    return list(found.values())


def _same_keys(one: Declaration, other: Declaration) -> bool:
    mine, theirs = one.rows_schema, other.rows_schema
    return [mine.field(name).type for name in one.entity] == [theirs.field(name).type for name in other.entity]


def _known(store: Store, version: ViewVersion) -> Known:
    view = view_of(version)
    return Known(version.reference, version.declared, view, SourceRows(view, store))


def _compared(pairs: Sequence[tuple[Known, Known]], until: float) -> tuple[list[Likeness], list[str]]:
    """How features of each pair are alike, for two features by the strongest sign; and whose values were not seen."""
    found: dict[tuple[str, str], Likeness] = {}
    for one, other in pairs:
        for name, recipe in _recipes(one.declared).items():
            for twin, also in _recipes(other.declared).items():
                if recipe == also:
                    said = _likeness(one, name, other, twin, "same definition", 0, None)
                    found[said.feature, said.other] = said
    values, missing = _values(pairs, until)
    for one, other in pairs:
        mine, theirs = values.get((one.reference, one.reference)), values.get((one.reference, other.reference))
        for said in _by_values(one, mine, other, theirs) if mine and theirs else ():
            found.setdefault((said.feature, said.other), said)
    return _strongest_first(list(found.values())), missing


def _likeness(
    one: Known, name: str, other: Known, twin: str, how: How, rows: int, correlation: float | None
) -> Likeness:
    return Likeness(f"{one.reference}:{name}", f"{other.reference}:{twin}", how, rows, correlation)


def _recipes(declared: Declaration) -> dict[str, list[object]]:
    """Of each feature what it is made of; what it is called counts only where it is a column of something."""
    base = [declared.source, declared.time, declared.code.shape if declared.code else None]
    made = {**declared.expressions, **{name: one.text for name, one in declared.aggregates.items()}}
    return {
        name: [*base, " ".join(made[name].split()) if name in made else ["column", name]]
        for name in feature_types(declared)
    }


def _by_values(
    one: Known, mine: Mapping[str, "_Values"], other: Known, theirs: Mapping[str, "_Values"]
) -> Iterator[Likeness]:
    for name, values in mine.items():
        for twin, others in theirs.items():
            both = values.known & others.known
            count = int(np.count_nonzero(both))
            apart = int(np.count_nonzero(values.known != others.known))
            if count < _LEAST or apart > _MISSING * len(both) or values.numeric != others.numeric:
                continue
            if apart == 0 and np.array_equal(values.array[both], others.array[both]):
                if _varies(values.array[both]):
                    exact = 1.0 if values.numeric else None
                    yield _likeness(one, name, other, twin, "same values", count, exact)
            elif values.numeric:
                correlation = _of_ranks(values.array[both], others.array[both])
                if correlation is not None and abs(correlation) >= _NEAR:
                    yield _likeness(one, name, other, twin, "same order", count, correlation)


class _Values(NamedTuple):
    array: NDArray[Any]
    known: NDArray[np.bool_]
    numeric: bool


class _Sample(NamedTuple):
    """Keys and times of some rows of a view."""

    keys: list[pa.ChunkedArray]
    ts: NDArray[np.int64]


def _values(
    pairs: Sequence[tuple[Known, Known]], until: float
) -> tuple[dict[tuple[str, str], dict[str, _Values]], list[str]]:
    """By (whose sample, whose values) what a view gives to the sample of another. Each view's rows are read twice."""
    samples: dict[str, _Sample] = {}
    asked: dict[str, list[Known]] = {}  # of each view the views whose samples it is asked for
    views: dict[str, Known] = {}
    for one, other in pairs:
        views.update({one.reference: one, other.reference: other})
        for answering in (one, other):
            known = asked.setdefault(answering.reference, [])
            known += [one] if one not in known else []
    latest = max((one.view.delay_us for one in views.values()), default=0) + 1  # a row counts for itself, also strictly
    found: dict[tuple[str, str], dict[str, _Values]] = {}
    missing = []
    for done, (reference, sampled) in enumerate(asked.items()):
        tell("comparing features", done / len(asked), reference)
        one = views[reference]
        try:
            for each in sampled:
                if each.reference not in samples and time.perf_counter() <= until:
                    samples[each.reference] = _sample(each)
            there = [each for each in sampled if each.reference in samples]
            if time.perf_counter() > until or not there:
                missing.append(f"{reference}: the time was over")
                continue
            found.update(_at([(each.reference, samples[each.reference]) for each in there], latest, one))
        except (AssayError, OSError) as error:
            missing.append(f"{reference}: {getattr(error, 'what', error)}")
    tell("comparing features", 1)
    return found, missing


def _sample(one: Known) -> _Sample:
    """Rows drawn evenly in one pass: those whose random numbers are the smallest."""
    random = np.random.default_rng(0)
    kept: pa.Table | None = None
    numbers = np.zeros(0)
    for batch in one.rows:
        rows = batch.select([*one.view.entity, TS])
        kept = rows if kept is None else pa.concat_tables([kept, rows])
        numbers = np.concatenate([numbers, random.random(batch.num_rows)])
        if len(numbers) > _SAMPLE:
            places = np.sort(np.argpartition(numbers, _SAMPLE)[:_SAMPLE])
            kept, numbers = kept.take(pa.array(places)), numbers[places]
    if kept is None:
        return _Sample([pa.chunked_array([], pa.null()) for _ in one.view.entity], np.zeros(0, np.int64))
    return _Sample([kept.column(name) for name in one.view.entity], kept.column(TS).to_numpy())


def _at(samples: Sequence[tuple[str, _Sample]], latest: int, one: Known) -> dict[tuple[str, str], dict[str, _Values]]:
    """What a view gives to several samples, its rows read once."""
    names = list(one.view.entity)
    tables = [pa.table(sample.keys, names=names) for _, sample in samples if len(sample.ts)]
    if not tables:
        return {}
    keys = pa.concat_tables(tables)
    known = np.ones(keys.num_rows, bool)
    for column in keys.columns:
        known &= column.is_valid().to_numpy()
    moments = np.concatenate([sample.ts for _, sample in samples if len(sample.ts)]) + latest
    values = matched(Wanted(keys, moments, known), one.rows, one.view, "event").values
    found: dict[tuple[str, str], dict[str, _Values]] = {}
    first = 0
    for reference, sample in samples:
        part = values.slice(first, len(sample.ts))
        first += len(sample.ts)
        if part.num_rows:
            found[reference, one.reference] = {name: _plain(part.column(name)) for name in part.column_names}
    return found


def _plain(values: pa.ChunkedArray) -> _Values:
    known = values.is_valid().to_numpy()
    if is_number(values.type) or pa.types.is_boolean(values.type):
        numbers = values.cast(pa.float64()) if not pa.types.is_boolean(values.type) else values.cast(pa.int8())
        return _Values(pc.fill_null(numbers, 0).to_numpy().astype(np.float64), known, True)
    return _Values(np.array(values.to_pylist(), dtype=object), known, False)


def _varies(values: NDArray[Any]) -> bool:
    _, counts = np.unique(values.astype(str) if values.dtype == object else values, return_counts=True)
    return int(counts.sum() - counts.max()) >= _RARE


def _of_ranks(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    """Spearman's rank correlation, with mean ranks for ties; None where one is nearly constant."""
    if not _varies(one) or not _varies(other):
        return None
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def _strongest_first(found: list[Likeness]) -> list[Likeness]:
    order = ("same definition", "same values", "same order")
    return sorted(found, key=lambda one: (order.index(one.how), -abs(one.correlation or 0), one.feature, one.other))
