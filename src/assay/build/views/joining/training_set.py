"""Training sets: label rows with the features that each row may know, rows out as rows in.

rows = assay.features.training_set(labels, ["flights:delay_7d", weather], as_of="known")
rows.data       # the labels with their features, in the kind in which they came
print(rows.report)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from assay.build.data.columns import column
from assay.build.views.declared.spark_frames import is_spark_frame
from assay.build.views.joining.engines import spark
from assay.build.views.joining.join_report import JoinReport, ViewMatch, check_rules, view_match
from assay.build.views.joining.label_rows import label_rows, time_of, with_columns
from assay.build.views.joining.reading import ENGINES, Engine, narrowed, rows_of
from assay.build.views.joining.recorded_sets import keep_set, rate_before
from assay.build.views.joining.references import Asked, Chosen, FeatureUse, looked_up, registered, transforms, uses
from assay.build.views.matching.matching import PRESENT, Matched, Mode, matched
from assay.build.views.matching.wanted import Wanted, wanted
from assay.errors import InvalidInput, nearest
from assay.record.datasets import DatasetVersion, snapshot
from assay.record.store import Store

__all__ = ["TrainingSet", "training_set"]

_ALMOST_NONE = 0.01


@dataclass(frozen=True)
class TrainingSet:
    """Label rows with their features, row by row as they came in.

    `data` is of the kind in which the labels came. `used` says which feature of which version of a view is which
    column. `report` counts what each view gave; None on Spark, where nothing was computed yet. `dataset` is the version
    that was kept, where a name was given.
    """

    data: Any
    used: list[FeatureUse]
    report: JoinReport | None
    dataset: DatasetVersion | None = None
    arrow: pa.Table | None = None

    @property
    def table(self) -> pa.Table:
        """The rows as an Arrow table; a frame of Spark is computed for it."""
        return self.arrow if self.arrow is not None else self.data.toArrow()

    def __str__(self) -> str:
        return str(self.report) if self.report is not None else "a frame of Spark, not computed yet"


def training_set(
    labels: Any,
    features: Sequence[Asked],
    *,
    as_of: Literal["event", "known"] = "event",
    time: str | None = None,
    store: Store | None = None,
    engine: Engine | Literal["spark"] | None = None,
    prefix: bool = False,
    status: bool = False,
    name: str | None = None,
) -> TrainingSet:
    """The label rows, each with the features as they were at its time: as many rows, in the same order.

    `labels` are pandas, Polars, Arrow, a DuckDB relation, a frame of Spark, or a place that `assay.source` reads. They
    have the keys of each view under the names that the view gives them, and a column of times: the only one, or `time`.
    `features` are "view:feature", "view@3:feature", "view:*", views, and on-request `Features`, which are computed last
    from all other columns. Views with different keys do not restrict each other.

    Of the rows of a view with the same key whose `ts` plus the view's delay is not after the label time, the one that
    is greatest in (`ts`, `created`, order of writing) is taken as a whole, its nulls with it; where it is older than
    the ttl, nothing. With `as_of="known"` a row counts from when it was written, so that no correction of later is
    used; a view without a created column then needs a log (`assay features materialize`), and the time of arrival
    counts. Of a registered view also rows that were pushed count.

    `engine` says who reads Parquet files and datasets: "arrow", "duckdb" or "polars"; the result is the same. A table
    that a function makes is held whole. `prefix` calls features `view__feature`, `status` adds `view__status` and
    `view__ts`. With a store, views are registered as versions, and `name` keeps the result as a dataset together with
    how it was made.

    NotFound for a view that there is not; InvalidInput for what cannot be joined. AssayError where the result breaks a
    rule of the join, which would be a fault in here.
    """
    _check_options(as_of, engine, name, store)
    if is_spark_frame(labels) or engine == "spark":
        return _on_spark(labels, features, as_of, time, store, prefix=prefix, status=status, name=name)
    table, widen = label_rows(labels)
    found = looked_up(features, store, prefix=prefix)
    moment = time_of(table, time, _keys(found))
    _check_columns(table, moment, found, status=status)
    found = registered(found, store)
    added = pa.table({})
    matches = []
    seen: dict[tuple[object, ...], Wanted] = {}
    for one in found:
        given, match = _joined(table, moment, one, as_of, store, engine or "arrow", seen)
        matches.append(match)
        for feature, output in one.features.items():
            added = _with(added, output, column(given.values, feature))
        if status:
            added = _with(added, f"{one.view.name}__status", given.words())
            added = _with(added, f"{one.view.name}__ts", given.times())
    whole = with_columns(table, added)
    for transform in transforms(features):
        whole = transform.apply(whole)
    report = JoinReport(as_of, moment, table.num_rows, matches)
    used = uses(found)
    kept = None
    if name is not None and store is not None:
        kept = snapshot(store, name, whole, source_system="assay features")
        keep_set(store, kept, used, report)
    return TrainingSet(widen(whole.select(whole.column_names[table.num_columns :])), used, report, kept, whole)


def _joined(
    table: pa.Table,
    time: str,
    one: Chosen,
    mode: Mode,
    store: Store | None,
    engine: Engine,
    seen: dict[tuple[object, ...], Wanted],
) -> tuple[Matched, ViewMatch]:
    view = narrowed(one.view, one.features)
    read = replace(one.history, view=view) if one.history is not None else None
    rows = rows_of(view, one.version, store, engine, known=mode == "known", read=read)
    keys = (*view.entity, *rows.key_types)
    if keys not in seen:  # views of the same entity share it
        seen[keys] = wanted(table, view.entity, rows.key_types, time)
    asked = seen[keys]
    found = matched(asked, rows.batches(asked), view, mode)
    check_rules(asked, found, view, mode)
    in_event_time = None
    might = np.count_nonzero(asked.known)
    if mode == "known" and view.created and np.count_nonzero(found.status == PRESENT) < _ALMOST_NONE * might:
        again = matched(asked, rows.batches(asked), view, "event")
        in_event_time = int(np.count_nonzero(again.status == PRESENT))
    before = rate_before(store, view.name, mode)
    return found, view_match(one.reference, view, mode, found, rate_before=before, in_event_time=in_event_time)


def _on_spark(
    labels: Any,
    features: Sequence[Asked],
    mode: Mode,
    time: str | None,
    store: Store | None,
    *,
    prefix: bool,
    status: bool,
    name: str | None,
) -> TrainingSet:
    if not is_spark_frame(labels):
        raise InvalidInput(
            f"the labels are a {type(labels).__name__}, and the engine is Spark",
            expected="a frame of Spark",
            hint="spark.createDataFrame(labels)",
        )
    if name is not None:
        raise InvalidInput(
            f"on Spark nothing is computed yet, so nothing can be kept as {name!r}",
            hint="write the frame to a place, and add it with `assay data add`",
        )
    empty = labels.limit(0).toArrow()
    found = looked_up(features, store, prefix=prefix)
    moment = time_of(empty, time, _keys(found))
    _check_columns(empty, moment, found, status=status)
    frame = spark.joined(labels, registered(found, store), mode, moment, store=store, status=status)
    for transform in transforms(features):
        frame = spark.applied(frame, transform)
    return TrainingSet(frame, uses(found), None)


def _check_options(as_of: str, engine: str | None, name: str | None, store: Store | None) -> None:
    if as_of not in ("event", "known"):
        raise InvalidInput(f"as_of is {as_of!r}", expected='"event" or "known"')
    engines = [*ENGINES, "spark"]
    if engine is not None and engine not in engines:
        close = nearest(str(engine), engines)
        raise InvalidInput(
            f"there is no engine {engine!r}",
            expected=", ".join(engines),
            hint=f"did you mean {close!r}?" if close else None,
        )
    if name is not None and store is None:
        raise InvalidInput(f"{name!r} is to be kept, and there is no store", hint="pass store=assay.open_store()")
    if name is not None and (not name.strip() or "@" in name):
        raise InvalidInput(f"{name!r} is no name for a dataset", expected="a word without @, which a hash comes after")


def _check_columns(table: pa.Table, time: str, found: Sequence[Chosen], *, status: bool) -> None:
    """InvalidInput for keys or times that the labels lack, and for names that they have already."""
    column(table, time)
    for one in found:
        for key in one.view.entity:
            column(table, key)
        new = [*one.features.values()]
        new += [f"{one.view.name}__{word}" for word in ("status", "ts")] if status else []
        taken = next((output for output in new if output in table.column_names), None)
        if taken is not None:
            raise InvalidInput(
                f"the labels have a column {taken!r}, as {one.reference} would give",
                hint=f"prefix=True calls it '{one.view.name}__{taken}'" if taken in one.features else "rename it",
            )


def _keys(found: Sequence[Chosen]) -> set[str]:
    return {key for one in found for key in one.view.entity}


def _with(table: pa.Table, name: str, values: pa.ChunkedArray | pa.Array) -> pa.Table:
    return table.append_column(name, values) if table.num_columns else pa.table({name: values})
