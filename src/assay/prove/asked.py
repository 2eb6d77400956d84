"""What an evaluation asks of the rows of every dataset: columns, answers, and the profile of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.prove.contribution import Contribution
from assay.prove.identities import identities
from assay.prove.predictions import Model, Said, check_column, fitted_to, said_of
from assay.prove.segments import Segments
from assay.prove.sources import Source
from assay.record import tables
from assay.stats import Columns, Profile, Task, query_values, row_identities

__all__ = ["BUCKETS", "Asked"]

BUCKETS = 50  # of units


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question to all datasets. `label` is None for scored texts; `query` names the columns of a ranking's query.

    `unit` is empty where every row is a unit of its own.
    """

    models: Mapping[str, Model]
    task: Task
    label: str | None
    unit: Sequence[str] = ()
    query: Sequence[str] = ()
    weight: str | None = None
    segments: Segments = field(default_factory=Segments)
    contributions: Sequence[Contribution] = ()
    top: int | None = None
    threshold: float = 0.5
    seed: int = 0

    def check(self, schema: pa.Schema) -> None:
        """InvalidInput, with the nearest name, for a column that is not there."""
        one = [name for name in (self.label, self.weight) if name is not None]
        for name in (*one, *self.unit, *self.query, *self.segments.by):
            check_column(schema, name)

    def said(self, table: pa.Table, name: str) -> dict[str, Said]:
        """What each model says about the rows, as it says it."""
        return {role: said_of(model, table, f"{role} on {name}") for role, model in self.models.items()}

    def columns(self, table: pa.Table, name: str, said: Mapping[str, Said] | None = None) -> Columns:
        """The rows as a profile takes them; a ranking has a row for each query."""
        segments = self.segments.columns(table, name)  # before the models take their time
        said = self.said(table, name) if said is None else said
        answers = {role: fitted_to(one, self.task, f"{role} on {name}") for role, one in said.items()}
        weights = None if self.weight is None else _numbers(table, self.weight, "weights")
        if self.task.name == "ranking":
            return self._queries(table, answers, segments, weights)
        quantities: dict[str, dict[str, ArrayLike]] = {
            one.quantity.name: {role: one.of_rows(table, values) for role, values in answers.items()}
            for one in self.contributions
        }
        if self.task.name == "scores":
            quantities["score"] = {role: _scores(values, role) for role, values in answers.items()}
            labels: ArrayLike = np.zeros(table.num_rows)
            return Columns(labels, {}, segments, _units(table, self.unit), weights, quantities)
        assert self.label is not None
        labels = _labels(table, self.label, self.task)
        return Columns(labels, answers, segments, _units(table, self.unit), weights, quantities)

    def profile(self, source: Source, name: str, said: Mapping[str, Said] | None = None) -> Profile:
        """The profile of all models on the rows, whole or in batches."""
        thresholds = dict.fromkeys(self.models, self.threshold) if self.task.has_scores else {}
        if isinstance(source, pa.Table):
            given = self.columns(source, name, said)
            return Profile.build(
                given.labels,
                given.scores,
                given.segments,
                given.units,
                thresholds,
                BUCKETS,
                self.seed,
                cross=self.segments.cross,
                task=self.task,
                weights=given.weights,
                quantities=given.quantities,
            )
        if self.task.name == "ranking":
            raise InvalidInput(
                "queries are put together in memory, and these rows are read in parts",
                hint="evaluate a table with a part of the queries",
            )
        prepare = partial(self.columns, name=name)
        return source.profile(
            prepare, thresholds, self.task, buckets=BUCKETS, seed=self.seed, cross=self.segments.cross
        )

    def unweighted(self) -> "Asked":
        """The same with every row counting alike."""
        return replace(self, weight=None, task=msgspec.structs.replace(self.task, weighted=False))

    def _queries(
        self,
        table: pa.Table,
        answers: Mapping[str, NDArray[np.generic]],
        segments: Mapping[str, pa.ChunkedArray],
        weights: NDArray[np.float64] | None,
    ) -> Columns:
        encoded = _joined(table, self.query).dictionary_encode().unify_dictionaries().combine_chunks()
        encoded = pa.concat_arrays(encoded.chunks) if isinstance(encoded, pa.ChunkedArray) else encoded
        query = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        size = len(encoded.dictionary)
        first = np.zeros(size, dtype=np.int64)
        first[query[::-1]] = np.arange(len(query))[::-1]
        for column, values in segments.items():
            _check_constant(values, query, first, column)
        assert self.label is not None
        gains = _numbers(table, self.label, "relevance")
        if np.isnan(gains).any():
            raise InvalidInput(
                f"{int(np.isnan(gains).sum()):,} items have no relevance in {self.label!r}",
                expected="0 for items that are not relevant",
            )
        values = query_values(query, gains, {role: np.asarray(one) for role, one in answers.items()}, self.top)
        units = (
            encoded.dictionary.cast(pa.string()) if not self.unit else _units(table, self.unit).take(pa.array(first))
        )
        return Columns(
            np.zeros(size),
            {},
            {name: column.take(pa.array(first)) for name, column in segments.items()},
            units,
            None if weights is None else weights[first],
            values,
        )


def _labels(table: pa.Table, label: str, task: Task) -> ArrayLike:
    column = table.column(label)
    if task.name == "multiclass":
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return column.to_numpy() if not column.null_count else np.asarray(column.to_pylist(), dtype=object)
    return _numbers(table, label, f"the label column {label!r}", "0, 1 or null" if task.name == "binary" else None)


def _numbers(table: pa.Table, name: str, what: str, expected: str | None = None) -> NDArray[np.float64]:
    column = table.column(name)
    try:
        found: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        what = what if repr(name) in what else f"{what} in {name!r}"
        verb = "is" if what.startswith("the label") else "are"
        raise InvalidInput(f"{what} {verb} of type {column.type}", expected=expected or "numbers") from error
    return found


def _scores(values: NDArray[np.generic], role: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the scores of the {role} are not numbers", expected="numbers, or null") from error


def _units(data: pa.Table, columns: Sequence[str]) -> "pa.ChunkedArray | NDArray[np.uint64]":
    if not columns:
        return row_identities(identities(data))
    return _joined(data, columns)


def _joined(data: pa.Table, columns: Sequence[str]) -> pa.ChunkedArray:
    texts = [tables.category_column(data, name).cast(pa.string()) for name in columns]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "|")


def _check_constant(values: pa.ChunkedArray, query: NDArray[np.int64], first: NDArray[np.int64], column: str) -> None:
    codes = values.combine_chunks()
    codes = pa.concat_arrays(codes.chunks) if isinstance(codes, pa.ChunkedArray) else codes
    places = codes.indices.to_numpy(zero_copy_only=False)
    wrong = int((places != places[first[query]]).sum())
    if wrong:
        raise InvalidInput(
            f"the segment column {column!r} has several values within a query ({wrong:,} items differ)",
            expected="one value for each query",
        )
