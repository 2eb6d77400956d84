"""Labels as they were known at a moment, of predictions and of units."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.operate.predictions.rows import predictions_database
from assay.record.clock import iso
from assay.record.store import Sql, Store

if TYPE_CHECKING:
    import duckdb

__all__ = ["LABELS", "label_rows", "labels_table", "newest_labels", "register_labels", "without_older"]

_TIME = pa.timestamp("us", "UTC")
LABELS = pa.schema(
    [
        ("prediction_id", pa.string()),
        ("unit", pa.string()),
        ("event", pa.string()),
        ("value", pa.float64()),
        ("event_ts", _TIME),
        ("ingest_ts", _TIME),
        ("revision", pa.int64()),
    ]
)
_KNOWN = "value, event_ts, ingest_ts, revision"
_OF_PREDICTIONS = f"select prediction_id, {_KNOWN} from label where name = :name and ingest_ts <= :as_of"  # noqa: S608 - names
_OF_UNITS = (
    f"select unit, event, {_KNOWN} from unit_label"  # noqa: S608 - names
    " where endpoint = :endpoint and name = :name and ingest_ts <= :as_of"
)
_END_OF_TIME = "9999"
_LAST = """
    select prediction_id, unit, event, value, event_ts, ingest_ts, revision from (
        select l.prediction_id, p.unit, null::varchar as event, l.value, l.event_ts, l.ingest_ts, l.revision
        from (select * from of_predictions
              qualify row_number() over (partition by prediction_id order by revision desc) = 1) l
        join (select id, any_value(unit) as unit from predictions group by id) p on p.id = l.prediction_id
        union all by name
        from last_of_units
    ) order by all
"""
_AS_THEY_ARE = """
    create table last_of_units as select null::varchar as prediction_id, *
    from of_units qualify row_number() over (partition by unit, event order by revision desc) = 1
"""
_RESOLVED = """
    create table last_of_units as select p.id as prediction_id, l.*
    from (from of_units qualify row_number() over (partition by unit, event order by revision desc) = 1) l
    join (select distinct id, unit, moment from predictions where role = 'live') p
        on p.unit = l.unit and p.moment <= l.event_ts and p.moment >= l.event_ts - $window::interval
"""
_ALL = """
    create table labels as
    select prediction_id, unit, event, name, value, event_ts, ingest_ts, revision from (
        from labels_of_predictions
        join (select id as prediction_id, any_value(unit) as unit from predictions group by id) using (prediction_id)
        union all by name from labels_of_units
    )
    qualify row_number() over (partition by prediction_id, unit, event, name order by revision desc) = 1
"""


def labels_table(
    store: Store,
    endpoint: str,
    *,
    name: str = "label",
    as_of: datetime | None = None,
    window: timedelta | None = None,
) -> pa.Table:
    """The labels of an endpoint as they were known at `as_of`, by default now, with the columns of `LABELS`.

    A label of a prediction has its id, and the unit that the log says it was for; while the log has no such prediction
    it is left out. A label of a unit has no prediction id but the id of its event: it stands once, however many
    predictions the unit got. With a `window` it stands once for each live prediction of the unit whose moment lies at
    most so long before the event, with the id of that. Of several revisions the highest that was known stands. The
    order is that of the values.
    """
    values = {"name": name, "as_of": iso(as_of) if as_of else _END_OF_TIME}
    of_predictions = store.tuples(Sql(_OF_PREDICTIONS, values))
    of_units = store.tuples(Sql(_OF_UNITS, {**values, "endpoint": endpoint}))
    with predictions_database(store, endpoint) as connection:
        connection.register("of_predictions", label_rows(["prediction_id"], of_predictions))
        connection.register("of_units", label_rows(["unit", "event"], of_units))
        if window is not None:
            connection.execute(_RESOLVED, {"window": window})
        else:
            connection.execute(_AS_THEY_ARE)
        return connection.sql(_LAST).to_arrow_table().cast(LABELS)


def newest_labels(store: Store, endpoint: str, *, name: str, as_of: datetime) -> pa.Table:
    """The same in no order and without a look into the log: for who joins the labels to rows of the log anyway.

    There are also labels of predictions of other endpoints; a label of a prediction has no unit.
    """
    values = {"name": name, "as_of": iso(as_of)}
    of_units = store.tuples(Sql(_OF_UNITS, {**values, "endpoint": endpoint}))
    tables = (
        label_rows(["prediction_id"], store.tuples(Sql(_OF_PREDICTIONS, values))),
        label_rows(["unit", "event"], of_units),
    )
    return without_older(pa.concat_tables([LABELS.empty_table(), *tables], promote_options="default"))


def without_older(labels: pa.Table) -> pa.Table:
    """Of each label the row with the highest revision; where none has another than 0 there is one row of each."""
    if not labels.num_rows or not pc.max(labels["revision"]).as_py():
        return labels
    placed = labels.append_column("place", pa.array(range(labels.num_rows), pa.int64())).sort_by("revision")
    keys = ["prediction_id", "unit", "event"]
    return labels.take(placed.group_by(keys, use_threads=False).aggregate([("place", "last")])["place_last"])


def register_labels(connection: "duckdb.DuckDBPyConnection", store: Store, endpoint: str) -> None:
    """Give a database of predictions the table `labels`: the last revision of each name, as known now."""
    of_predictions = store.tuples(Sql(f"select prediction_id, name, {_KNOWN} from label", {}))  # noqa: S608 - names
    of_units = store.tuples(
        Sql(f"select unit, event, name, {_KNOWN} from unit_label where endpoint = :endpoint", {"endpoint": endpoint})  # noqa: S608
    )
    connection.register("labels_of_predictions", label_rows(["prediction_id", "name"], of_predictions))
    connection.register("labels_of_units", label_rows(["unit", "event", "name"], of_units))
    connection.execute(_ALL)


def label_rows(keys: list[str], found: Sequence[Sequence[Any]]) -> pa.Table:
    """A table of what the store said: texts under `keys`, then value, event_ts, ingest_ts and revision."""
    names = [*keys, "value", "event_ts", "ingest_ts", "revision"]
    columns = list(zip(*found, strict=True)) or [()] * len(names)
    arrays = []
    for name, column in zip(names, columns, strict=True):
        kind = pa.string() if name in keys or name.endswith("_ts") else LABELS.field(name).type
        values = pa.array(column, kind)
        arrays.append(values.cast(_TIME) if name.endswith("_ts") else values)
    return pa.table(arrays, names=names)
