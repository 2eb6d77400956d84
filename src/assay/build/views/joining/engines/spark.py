"""Label rows and feature rows brought together in Spark by a hash of their key, and matched there by the one fold.

Nothing is translated into Spark's own joins. Every row travels once, within an Arrow message, to the partition of its
key; there `matched` holds the label rows while the feature rows stream by. So the result is that of one table, bit for
bit, and an executor holds the label rows of a partition, and of a view only what counts for them. Label rows go through
whole: nothing has to bring features and labels together again, and the number of a row only says in which order they
come out.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import column
from assay.build.features.declared import Features
from assay.build.views.declared.history import as_rows
from assay.build.views.declared.keys import check_same_keys, normalised_key
from assay.build.views.declared.spark_frames import frame_of
from assay.build.views.declared.view import FeatureView
from assay.build.views.joining.join_report import check_rules
from assay.build.views.joining.reading import History, Rows, columns_read, narrowed, rows_of
from assay.build.views.joining.references import Chosen
from assay.build.views.matching.matching import Matched, Mode, matched
from assay.build.views.matching.wanted import Wanted, wanted, whole
from assay.errors import InvalidInput
from assay.record.store import Store
from assay.record.tables import gathered
from assay.stats.buckets import row_identities, text_hashes

__all__ = ["applied", "joined"]

Batches: TypeAlias = Iterator[pa.RecordBatch]
_EXCHANGED = "bucket int, side int, content binary"
_ROW = "__row"
_BATCH = 1 << 17  # rows that are split by their buckets at once
_EMITTED = 1 << 14  # rows in a batch of the result
_PLACES = 40  # bits of a row's number that say its place in its partition


def joined(
    labels: Any,
    views: Sequence[Chosen],
    mode: Mode,
    time: str,
    *,
    store: Store | None = None,
    status: bool = False,
    buckets: int | None = None,
) -> Any:
    """A frame of the label rows with the features of the views behind, in their order.

    `status` adds `view__status` and `view__ts` behind the features of each view. `buckets` is the number of partitions
    in which rows are matched, by default `spark.sql.shuffle.partitions`. Nothing is computed before the frame is used,
    but shuffles of the labels' own, which say how many partitions they have: cache such labels. What is found wrong in
    rows is raised by Spark then. InvalidInput for columns that are missing or of another kind.
    """
    if _ROW in labels.columns:
        raise InvalidInput(
            f"the labels have a column {_ROW!r}", expected="another name: that is the number of a row here"
        )
    session = labels.sparkSession
    count = buckets or int(session.conf.get("spark.sql.shuffle.partitions"))
    ready = [_rows_of(one, mode, store, status=status) for one in views]
    frame = labels
    for entity in dict.fromkeys(one.view.entity for one in ready):
        frame = _with_features(frame, [one for one in ready if one.view.entity == entity], mode, time, count)
    names = [*labels.columns, *(name for one in ready for name in (*one.outputs.values(), *one.about))]
    return _in_order(frame, labels.rdd.getNumPartitions()).select(*_quoted(names))


@dataclass(frozen=True)
class _Rows:
    """The rows of a view, `packed(session, side, buckets)`: `view` can travel, `empty` has the columns.

    `outputs` are the names of its features in the result, `about` those of status and time, where they are wanted.
    """

    view: FeatureView
    outputs: dict[str, str]
    about: list[str]
    empty: pa.Table
    packed: Callable[[Any, int, int], Any]


class _Fold:
    """What happens in a partition; it travels to the executors."""

    def __init__(self, views: Sequence[_Rows], mode: Mode, time: str) -> None:
        self.views = [(one.view, one.outputs, one.about, one.empty) for one in views]
        self.entity = views[0].view.entity
        self.types = _key_types(views[0].empty, self.entity)
        self.mode, self.time = mode, time
        for one in views:
            check_same_keys(self.entity, self.types, _key_types(one.empty, self.entity), one.view.name)

    def wanted(self, labels: pa.Table) -> Wanted:
        """Keys and times of label rows."""
        return wanted(labels, self.entity, self.types, self.time)

    def features(self, asked: Wanted, parts: Iterable[tuple[int, pa.Table]] = ()) -> pa.Table:
        """The columns of all views; `parts` are their rows, those of the first view first."""
        found: dict[int, Matched] = {}
        for side, rows in groupby(parts, key=lambda part: part[0]):
            found[side] = self._match(side, asked, (table for _, table in rows))
        columns = {}
        for side, (_, outputs, about, _) in enumerate(self.views, 1):
            one = found.get(side) or self._match(side, asked, ())
            columns.update({output: one.values.column(name) for name, output in outputs.items()})
            columns.update(zip(about, (one.words(), one.times()), strict=False))
        return pa.table(columns)

    def _match(self, side: int, asked: Wanted, rows: Iterable[pa.Table]) -> Matched:
        view, _, _, empty = self.views[side - 1]
        found = matched(asked, chain([empty], rows), view, self.mode)
        check_rules(asked, found, view, self.mode)
        return found


def applied(frame: Any, transform: Features) -> Any:
    """On-request features of the rows of a frame; each sees one row at a time, so batches of rows do."""
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    gives = transform.apply(frame.limit(0).toArrow()).schema
    new = from_arrow_schema(pa.schema([_known_to_spark(field) for field in gives if field.name not in frame.columns]))
    types = to_arrow_schema(new, timezone="UTC")
    schema = type(new)([*frame.schema.fields, *new.fields])

    def computed(batches: Batches) -> Batches:
        for batch in batches:
            table = transform.apply(pa.table(batch))
            own = [table.column(name) for name in batch.schema.names]
            yield from pa.table([*own, *table.select(types.names).cast(types).columns], schema.names).to_batches()

    return _mapped(frame, computed, schema)


def _with_features(frame: Any, views: Sequence[_Rows], mode: Mode, time: str, buckets: int) -> Any:
    """The frame with the features of views that have the same keys, and with the numbers of its rows."""
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
    from pyspark.sql.types import LongType, StructField, StructType

    fold = _Fold(views, mode, time)
    empty = frame.limit(0).toArrow()
    typed = [place for place, name in enumerate(fold.entity) if not pa.types.is_null(column(empty, name).type)]
    names, types = [fold.entity[place] for place in typed], [fold.types[place] for place in typed]
    check_same_keys(names, _key_types(empty, names), types, views[0].view.name)
    gives = fold.features(fold.wanted(empty)).schema
    new = from_arrow_schema(pa.schema([_known_to_spark(field) for field in gives]), True)
    kept = [field for field in frame.schema.fields if field.name != _ROW]
    schema = StructType([*kept, *new.fields, StructField(_ROW, LongType())])
    target = to_arrow_schema(new, timezone="UTC")

    def packed(batches: Batches) -> Batches:
        for table in _numbered(gathered(batches, _BATCH)):
            yield from _packed(table, _places_of(fold.wanted(table), buckets), 0)

    def matching(batches: Batches) -> Batches:
        for _, parts in groupby(_unpacked(batches), key=lambda part: part[0]):
            sides = ((side, table) for _, side, table in parts)
            labels, rest = _labels_first(sides)
            if labels is not None:
                found = fold.features(fold.wanted(labels), rest).cast(target)
                columns = {field.name: labels.column(field.name) for field in kept}
                whole = {**columns, **dict(zip(found.column_names, found.columns, strict=True))}
                yield from pa.table({**whole, _ROW: labels.column(_ROW)}).to_batches(max_chunksize=_EMITTED)

    together = _mapped(frame, packed, _EXCHANGED)
    for side, one in enumerate(views, 1):
        together = together.union(one.packed(frame.sparkSession, side, buckets))
    placed = together.repartitionById(buckets, "bucket").sortWithinPartitions("bucket", "side")
    return placed.mapInArrow(matching, schema)


def _in_order(frame: Any, partitions: int) -> Any:
    """Rows by their number, in about as many partitions as they came in.

    A range partition would compute everything twice, once to find the ranges.
    """
    from pyspark.sql import functions as sf

    came = sf.least(sf.shiftright(sf.col(_ROW), _PLACES), sf.lit(max(partitions, 1) - 1))
    return frame.repartitionById(max(partitions, 1), came.cast("int")).sortWithinPartitions(_ROW)


def _rows_of(one: Chosen, mode: Mode, store: Store | None, *, status: bool) -> _Rows:
    wanted_of_it = narrowed(one.view, one.features)
    view = replace(wanted_of_it, source=None, function=None, checks=None)
    about = [f"{view.name}__{word}" for word in ("status", "ts")] if status else []
    frame = frame_of(one.view)
    if frame is not None and (mode == "event" or view.created):
        few = frame.limit(0).toArrow()
        empty = as_rows(view, few, 0)
        read_of_it = frame.select(*_quoted(columns_read(view, few.schema)[0]))
        return _Rows(view, one.features, about, empty, _of_frame(read_of_it, view))
    read = replace(one.history, view=wanted_of_it) if one.history is not None else None
    rows = rows_of(wanted_of_it, one.version, store, known=mode == "known", read=read)
    empty = next(iter(rows.batches(None)))
    by_file = rows.by_file if isinstance(rows, History) else None
    sent = _of_batches(rows, view) if by_file is None else _of_parts(by_file(), view)
    return _Rows(view, one.features, about, empty, sent)


def _of_frame(frame: Any, view: FeatureView) -> Callable[[Any, int, int], Any]:
    """Rows of a frame of Spark; their order among equals is that of the frame."""

    def exchanged(_: Any, side: int, buckets: int) -> Any:
        def packed(batches: Batches) -> Batches:
            first = _first_number()
            for table in gathered(batches, _BATCH):
                yield from _packed_rows(as_rows(view, table, first), view, side, buckets)
                first += table.num_rows

        return _mapped(frame, packed, _EXCHANGED)

    return exchanged


def _of_parts(parts: Sequence[History], view: FeatureView) -> Callable[[Any, int, int], Any]:
    """Rows of files, each read where it is worked at."""

    def exchanged(session: Any, side: int, buckets: int) -> Any:
        def packed(batches: Batches) -> Batches:
            for batch in batches:
                for place in batch.column(0).to_pylist():
                    for rows in parts[place].batches(None):
                        yield from _packed_rows(rows, view, side, buckets)

        return session.range(0, len(parts), 1, max(len(parts), 1)).mapInArrow(packed, _EXCHANGED)

    return exchanged


def _of_batches(rows: Rows, view: FeatureView) -> Callable[[Any, int, int], Any]:
    """Rows that only this process can read; packed they are sent to Spark."""

    def exchanged(session: Any, side: int, buckets: int) -> Any:
        parts = [part for table in rows.batches(None) for part in _packed_rows(table, view, side, buckets)]
        return session.createDataFrame(pa.Table.from_batches(parts, _message_schema()), _EXCHANGED)

    return exchanged


def _mapped(frame: Any, function: Callable[[Batches], Batches], schema: Any) -> Any:
    """`mapInArrow` for columns of any name: PySpark takes dots and backticks in names for syntax."""
    names = frame.columns

    def named(batches: Batches) -> Batches:
        return function(batch.rename_columns(names) for batch in batches)

    return frame.toDF(*(f"c{place}" for place in range(len(names)))).mapInArrow(named, schema)


def _quoted(names: Iterable[str]) -> list[str]:
    return ["`" + name.replace("`", "``") + "`" for name in names]


def _key_types(empty: pa.Table, entity: Sequence[str]) -> list[pa.DataType]:
    return [normalised_key(empty, name, "the label rows").type for name in entity]


def _packed_rows(rows: pa.Table, view: FeatureView, side: int, buckets: int) -> Batches:
    for name in view.entity:
        if rows.column(name).null_count:  # they match nothing
            rows = rows.filter(rows.column(name).is_valid())
    yield from _packed(rows, _buckets_of(rows.select(list(view.entity)), buckets), side)


def _packed(rows: pa.Table, places: NDArray[np.int64], side: int) -> Batches:
    """The rows as one Arrow message for each bucket that has some."""
    if not rows.num_rows:
        return
    order = np.argsort(places, kind="stable")
    rows, places = rows.take(pa.array(order)), places[order]
    starts = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
    messages = []
    for start, end in zip(starts, [*starts[1:], len(places)], strict=True):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows.slice(start, end - start))
        messages.append(sink.getvalue().to_pybytes())
    columns = (places[starts], np.full(len(starts), side), messages)
    schema = _message_schema()
    yield pa.record_batch(
        [pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)], schema=schema
    )


def _unpacked(batches: Batches) -> Iterator[tuple[int, int, pa.Table]]:
    for batch in batches:
        for bucket, side, content in zip(*batch.columns, strict=True):
            with pa.ipc.open_stream(content.as_buffer()) as reader:
                yield bucket.as_py(), side.as_py(), reader.read_all()


def _labels_first(sides: Iterator[tuple[int, pa.Table]]) -> tuple[pa.Table | None, Iterator[tuple[int, pa.Table]]]:
    """The label rows of a bucket, which come first, and what comes behind them; None where there are none."""
    labels: list[pa.Table] = []
    for side, table in sides:
        if side:
            return (pa.concat_tables(labels) if labels else None), chain([(side, table)], sides)
        labels.append(table)
    return pa.concat_tables(labels) if labels else None, iter(())


def _message_schema() -> pa.Schema:
    return pa.schema([("bucket", pa.int32()), ("side", pa.int32()), ("content", pa.binary())])


def _numbered(rows: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The rows with their numbers, if they have none: the partition and the place in it, which give the order."""
    first = _first_number()
    for table in rows:
        if _ROW in table.column_names:
            yield table
        else:
            yield table.append_column(_ROW, pa.array(np.arange(first, first + table.num_rows)))
            first += table.num_rows


def _first_number() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None
    return int(context.partitionId()) << _PLACES


def _places_of(asked: Wanted, buckets: int) -> NDArray[np.int64]:
    """[rows] the bucket of each label row. Those without a key match nothing: by their time, not all in one.

    Values alone decide, so that a part that Spark computes again goes where it went before.
    """
    spread = row_identities([*map(_bits, asked.keys.columns), asked.t.view(np.uint64)]) % np.uint64(buckets)
    return np.where(asked.known, _buckets_of(asked.keys, buckets), spread.astype(np.int64))


def _buckets_of(keys: pa.Table, buckets: int) -> NDArray[np.int64]:
    """[rows] the bucket of each key, decided by its values alone."""
    hashes = row_identities([_bits(column) for column in keys.columns])
    return (hashes % np.uint64(buckets)).astype(np.int64)


def _bits(values: pa.ChunkedArray) -> NDArray[np.uint64]:
    kind = values.type
    if pa.types.is_large_string(kind):
        return text_hashes(pc.fill_null(values, ""))
    if pa.types.is_large_binary(kind):
        encoded = pc.fill_null(values, b"").combine_chunks().dictionary_encode()
        sums = np.array([zlib.crc32(value.as_py()) for value in encoded.dictionary], np.uint64)
        found: NDArray[np.uint64] = sums[encoded.indices.to_numpy()]
        return found
    numbers = values.cast(pa.int32()) if pa.types.is_date(kind) else values
    return whole(numbers.cast(pa.int64())).view(np.uint64)


def _known_to_spark(field: pa.Field) -> pa.Field:
    """Spark has no numbers without a sign, and no half floats: the next wider type that it has."""
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    wider = {
        pa.uint8(): pa.int16(),
        pa.uint16(): pa.int32(),
        pa.uint32(): pa.int64(),
        pa.uint64(): pa.decimal128(20, 0),
        pa.float16(): pa.float32(),
    }
    return pa.field(field.name, wider.get(kind, kind))
