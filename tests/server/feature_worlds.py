"""A store with feature views for the tests of their pages: versions, models, results, a log, and odd names."""

from datetime import timedelta

import pyarrow as pa
from tests.operate.serving_helpers import add_route, add_version
from tests.server.page_stores import HOSTILE

from assay.build.data.checks import check_results, in_range, record_results
from assay.build.views.declared.aggregates import count, mean
from assay.build.views.declared.history import source_rows
from assay.build.views.declared.view import feature_view
from assay.build.views.joining.training_set import training_set
from assay.build.views.log.log import append_rows
from assay.build.views.log.results import AUDIT, SKEW
from assay.build.views.registry.registered import register
from assay.record.canonical import canonical_json
from assay.record.identity import ordered_id
from assay.record.models.aliases import set_alias
from assay.record.sqlstore import SqlStore


def fill_features(store: SqlStore) -> None:
    """Three views: one in production with everything there is to say, one of windows, one that nothing uses."""
    now = store.clock.now()
    times = [now - timedelta(hours=40 - hour) for hour in range(40)]
    table = pa.table(
        {
            "origin": ["JFK", "LGA"] * 20,
            "hour": times,
            "delay": [float(hour) if hour % 7 else None for hour in range(40)],
            "flights": list(range(40)),
        }
    )

    def congestion(rows: pa.Table) -> pa.Table:
        """How busy an airport is, hour by hour."""
        return rows

    known = {"entity": "origin", "time": "hour", "source": table, "owner": "ana", "tags": ["airports", "hourly"]}
    register(store, feature_view(**known, ttl="7d")(congestion))
    view = register(store, feature_view(**known, ttl="14d", delay="30m", fresh="6h")(congestion))
    windows = {"flights_7d": count(over="7d"), "delay_7d": mean("delay", over="7d")}
    late = feature_view("late_airports", entity="origin", time="hour", source=table, features=windows, fresh="1h")
    register(store, late)
    odd = {"<b>": "flights + 1", "a'b\"": "flights + 2"}
    register(store, feature_view("odd.view-1", entity="origin", time="hour", source=table, features=odd, owner=HOSTILE,
                                 description=HOSTILE, tags=[HOSTILE]))  # fmt: skip
    champion, other = add_version(store), add_version(store, model="prices")
    for model, taken in ((champion, ("delay", "flights")), (other, ("delay",))):
        for feature in taken:
            row = {"mv_id": model.mv_id, "view": view.name, "version": view.version, "feature": feature}
            store.append("feature_use", {**row, "input": feature})
    set_alias(store, "delays", "champion", 1, override="first")
    add_route(store, champion)
    record_results(store, view.reference, check_results(table, [in_range("delay", low=5)]), "feature_view")
    skew = {"feature": "congestion@2:delay", "compared": 2_000, "mismatches": 3, "verdict": "fail"}
    clean = {"feature": "congestion@2:flights", "compared": 2_000, "mismatches": 0, "verdict": "pass"}
    _result(store, SKEW, "model_version", champion.mv_id, "fail", {"endpoint": "delays", "features": [skew, clean]})
    audited = {"feature": "congestion@2:delay", "leak": 0, "clean": 400, "correction": 0, "unexplained": 0}
    _result(store, AUDIT, "dataset", "ab" * 32, "pass", {"found": "no value was unknown then", "features": [audited]})
    _result(store, "online_agreement", "feature_view", view.reference, "pass", {"compared": 50, "differing": 0})
    labels = pa.table({"origin": ["JFK", "LGA", "SFO"], "t": [now, now - timedelta(days=30), now]})
    training_set(labels, ["congestion:*"], store=store, name="morning rows")
    rows = source_rows(feature_view("x", entity="origin", time="hour", source=table))
    for part in range(8):
        arrived = int((now - timedelta(hours=40 - 5 * part)).timestamp() * 1e6)
        append_rows(store, view, rows.slice(5 * part, 5), "source", arrived)


def _result(
    store: SqlStore, kind: str, subject_kind: str, subject: str, result: str, detail: dict[str, object]
) -> None:
    row = {"id": ordered_id(), "subject_kind": subject_kind, "subject_id": subject, "tag": "M3", "kind": kind}
    store.append("test_result", {**row, "result": result, "mode": "auto", "detail": canonical_json(detail)})
