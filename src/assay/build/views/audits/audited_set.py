"""What is audited: the rows of a training set, the features in them, and under which names they stand there."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa

from assay.build.data.columns import column
from assay.build.data.sources import is_place, rows_named
from assay.build.views.audits.audit_cells import Recomputed, recomputed
from assay.build.views.declared.view import FeatureView
from assay.build.views.joining.reading import Rows, history, narrowed, rows_of
from assay.build.views.joining.recorded_sets import recorded_set
from assay.build.views.joining.references import Asked, Chosen, FeatureUse, looked_up
from assay.build.views.joining.training_set import TrainingSet
from assay.build.views.log.log import log_parts
from assay.build.views.matching.matching import PRESENT
from assay.build.views.matching.wanted import wanted
from assay.errors import InvalidInput, NotFound, nearest
from assay.record.store import Store

__all__ = ["AuditedSet", "Knowledge", "audited_set", "known_then"]

Knowledge: TypeAlias = Literal["created", "log", "none"]
_BACKFILL = 0.01  # of the rows that have a value, in which it was known: below, the history was loaded at once


@dataclass(frozen=True)
class AuditedSet:
    """A training set and what is in it. `named` are its columns by keys, and by features with their view."""

    table: pa.Table
    called: str
    views: list[Chosen]
    named: Mapping[str, str]
    time: str
    store: Store | None

    @property
    def keys(self) -> list[str]:
        """Its columns that are keys of a view."""
        return list(dict.fromkeys(self.named[name] for one in self.views for name in one.view.entity))

    def column_of(self, one: Chosen, feature: str) -> str:
        """The column that a feature of a view is."""
        return self.named[f"{one.reference}:{feature}"]

    def known_then(self) -> pa.Table:
        """The rows with the values that were known at the time of each."""
        table = self.table
        for one in self.views:
            values, _ = self.recomputed(one, [])
            for feature in one.features:
                name = self.column_of(one, feature)
                table = table.set_column(table.column_names.index(name), name, values.known.values.column(feature))
        return table

    def recomputed(self, one: Chosen, remarks: list[str]) -> tuple[Recomputed, Knowledge]:
        """What the view gives to the rows, and how it is known when its rows became known; `remarks` get what to know.

        Where nothing says that, or only a log that begins after nearly all rows, what was true then counts as known.
        """
        view = narrowed(one.view, one.features)
        source_rows = one.history or history(view, self.store)

        def rows(of: FeatureView) -> Rows:
            return rows_of(of, one.version, self.store, read=replace(source_rows, view=of))

        entity = view.entity
        labels = pa.table(
            [*(column(self.table, self.named[name]) for name in entity), column(self.table, self.time)],
            [*entity, self.time],
        )
        asked = wanted(labels, entity, source_rows.key_types, self.time)
        dated = view.created is not None
        logged = (
            not dated
            and self.store is not None
            and one.version is not None
            and bool(log_parts(self.store, one.version))
        )
        known = rows(view) if dated else rows_of(view, one.version, self.store, known=True) if logged else None
        values = recomputed(asked, view, rows, known)
        there, then = (int(np.count_nonzero(part.status == PRESENT)) for part in (values.true, values.known))
        if known is not None and then >= _BACKFILL * there:
            return values, "created" if dated else "log"
        if dated:
            remarks.append(
                f"{then:,} of {there:,} values of {one.reference} were known at the time of their row by"
                f" {view.created!r}: the history looks as if it was loaded at once, and {view.created!r} as if it said"
                " when that was"
            )
            return values, "created"
        before = " before they were logged" if logged else ""
        remarks.append(
            f"nothing says when rows of {one.reference} became known{before}: what was true then counts as known, and"
            " later corrections cannot be seen"
        )
        return replace(values, known=values.true), "none"


def audited_set(
    training_set: object,
    features: Sequence[Asked] | None,
    time: str | None,
    columns: Mapping[str, str] | None,
    store: Store | None,
    *,
    prefix: bool = False,
) -> AuditedSet:
    """The rows with what is in them. InvalidInput for columns that are missing, and what nobody said; NotFound."""
    table, called, asked, known, moment = _given(training_set, features, time, store)
    found = looked_up(asked, store, prefix=prefix or features is None)
    named = _named(table, found, {**known, **(columns or {})})
    column(table, moment)
    if not table.num_rows:
        raise InvalidInput("the training set has no rows", expected="at least one row")
    return AuditedSet(table, called, found, named, moment, store)


def known_then(
    training_set: object,
    features: Sequence[Asked] | None = None,
    *,
    time: str | None = None,
    columns: Mapping[str, str] | None = None,
    prefix: bool = False,
    store: Store | None = None,
) -> pa.Table:
    """The training set with the values that were known at the time of each row in the place of those that it has.

    Takes what `assay.features.audit` takes, and raises the same. A view that nothing is known of but event time gives
    what was true then.
    """
    return audited_set(training_set, features, time, columns, store, prefix=prefix).known_then()


def _given(
    training_set: object, features: Sequence[Asked] | None, time: str | None, store: Store | None
) -> tuple[pa.Table, str, Sequence[Asked], dict[str, str], str]:
    """The rows, and what is in them: as it was said, or as the training set itself knows."""
    named = isinstance(training_set, str | Path)
    called = str(training_set) if named else "the training set"
    used: list[FeatureUse] = []
    if isinstance(training_set, TrainingSet):
        table, used = training_set.table, training_set.used
        time = time or (training_set.report.time if training_set.report is not None else None)
    else:
        table = rows_named(training_set, store)
    if features is None and named and store is not None and not is_place(called):
        with suppress(NotFound):  # of one that was not joined here it has to be said
            kept = recorded_set(store, called)
            used, time = kept.used, time or kept.report.time
    if time is None or (features is None and not used):
        raise InvalidInput(
            f"which features of which time are in {called} is not said",
            expected="its features and its time",
            hint="--features VIEW:FEATURE,... --time COLUMN",
        )
    if features is not None:
        return table, called, features, {}, time
    columns = {f"{_reference(one)}:{one.feature}": one.column for one in used}
    return table, called, list(columns), columns, time


def _reference(used: FeatureUse) -> str:
    return used.view if used.version is None else f"{used.view}@{used.version}"


def _named(table: pa.Table, found: Sequence[Chosen], columns: Mapping[str, str]) -> dict[str, str]:
    """The columns by the names of keys, and of features with their view."""
    named: dict[str, str] = {}
    used: set[str] = set()
    for one in found:
        for name in one.view.entity:
            used |= {name} & columns.keys()
            named[name] = columns.get(name, name)
        for feature, output in one.features.items():
            ways = (f"{one.reference}:{feature}", f"{one.view.name}:{feature}", output, feature)
            used |= set(ways) & columns.keys()
            named[ways[0]] = next((columns[way] for way in ways if way in columns), output)
    unknown = next((name for name in columns if name not in used), None)
    if unknown is not None:
        close = nearest(unknown, sorted(named))
        raise InvalidInput(
            f"there is no key or feature {unknown!r} to find a column for",
            expected=", ".join(named),
            hint=f"did you mean {close!r}?" if close else None,
        )
    for name in named.values():
        column(table, name)
    return named
