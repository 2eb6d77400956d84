"""The leakage audit: exactly the cells that are not what was known at the time of their row."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.build.views.audits.audit import audit
from assay.build.views.declared.aggregates import count, sum_of
from assay.build.views.declared.history import source_rows
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.training_set import training_set
from assay.build.views.log.log import append_rows
from assay.build.views.registry.registered import register, view_of
from assay.errors import InvalidInput, NotFound
from assay.record.sqlstore import SqlStore

_DAY = 86_400_000_000


def days(values: Any) -> pa.Array:
    return pa.array([None if one is None else round(one * _DAY) for one in values], pa.timestamp("us", "UTC"))


def history(rng: np.random.Generator, rows: int = 400) -> pa.Table:
    """Values by customer, a part of them known late and corrected."""
    ts = rng.integers(0, 100, rows) + 0.5
    return pa.table(
        {
            "customer": rng.integers(0, 20, rows),
            "ts": days(ts),
            "loaded": days(ts + rng.choice([0.0, 0.1, 20.0], rows)),
            "spent": np.round(rng.normal(size=rows), 3),
            "visits": rng.integers(0, 1000, rows),
        }
    )


def orders(rows: pa.Table, **more: Any) -> FeatureView:
    view: FeatureView = feature_view(
        "orders", entity="customer", time="ts", source=rows, features=["spent", "visits"], **more
    )
    return view


def label_rows(rng: np.random.Generator, rows: int = 300) -> pa.Table:
    return pa.table(
        {"customer": rng.integers(0, 22, rows), "at": days(rng.integers(0, 110, rows)), "late": rng.random(rows) < 0.3}
    )


def by_hand(labels: pa.Table, rows: pa.Table, name: str) -> list[list[Any]]:
    """For each label row what was known then, true then, and is newest, by loops."""
    found = []
    listed = rows.to_pylist()
    for label in labels.to_pylist():
        own = [row for row in listed if row["customer"] == label["customer"]]
        then = [row for row in own if row["ts"] <= label["at"]]
        best = (
            max(some, key=lambda row: (row["ts"], row["loaded"], listed.index(row)), default=None)
            for some in ([row for row in then if row["loaded"] <= label["at"]], then, own)
        )
        found.append([row and row[name] for row in best])
    return found


def test_a_set_of_what_was_known_has_no_finding() -> None:
    rng = np.random.default_rng(0)
    view = orders(history(rng), created="loaded")
    made = training_set(label_rows(rng), [view], as_of="known", time="at")
    found = audit(made.table, [view], time="at")
    assert (found.verdict, found.not_known, found.unexplained) == ("pass", [], 0)
    assert [one.clean for one in found.features] == [300, 300]
    assert not found.signs


def test_a_set_of_newest_values_has_exactly_the_leaked_cells_and_those_that_a_correction_explains() -> None:
    rng = np.random.default_rng(1)
    rows, labels = history(rng), label_rows(rng)
    view = orders(rows, created="loaded")
    values = {name: by_hand(labels, rows, name) for name in ("spent", "visits")}
    table = labels
    for name, found in values.items():
        table = table.append_column(name, pa.array([now for _, _, now in found]))
    audited = audit(table, [view], time="at")
    expected: set[int] = set()
    for one in audited.features:
        triples = values[one.column]
        leaks = {place for place, (known, true, now) in enumerate(triples) if now not in (known, true)}
        corrections = {place for place, (known, true, now) in enumerate(triples) if now == true != known}
        assert (one.leak, one.correction, one.unexplained) == (len(leaks), len(corrections), 0)
        expected |= leaks | corrections
    assert len(expected) > 100
    assert audited.not_known == sorted(expected)
    assert audited.verdict == "fail"


def one_customer() -> tuple[pa.Table, pa.Table]:
    """A value of day 1, corrected on day 5, and another of day 8; rows of days 3, 6 and 9 have the newest."""
    rows = pa.table(
        {
            "customer": [1, 1, 1],
            "ts": days([1, 1, 8]),
            "loaded": days([1, 5, 8]),
            "spent": [10.1, 11.1, 12.1],
            "visits": [1, 1, 2],
        }
    )
    table = pa.table(
        {
            "customer": [1, 1, 1, 1, None],
            "at": days([3, 3, 6, 9, 3]),
            "spent": [10.1, 11.1, 12.1, 12.1, 7.0],
            "visits": pa.array([1, 1, 1, 2, None], pa.float64()),
        }
    )
    return rows, table


def test_each_cell_says_what_it_is_and_when_what_it_borrows_became_known() -> None:
    rows, table = one_customer()
    found = audit(table, [orders(rows, created="loaded")], time="at")
    spent, visits = found.features
    assert (spent.clean, spent.correction, spent.leak, spent.unexplained) == (2, 1, 1, 1)
    assert (spent.knowledge, spent.compared_as) == ("created", "double")
    assert [(cell.row, cell.finding, cell.value, cell.borrowed) for cell in spent.examples] == [
        (2, "leak", "12.1", "1970-01-09T00:00:00.000000Z"),
        (1, "correction", "11.1", "1970-01-06T00:00:00.000000Z"),
        (4, "unexplained", "7.0", None),
    ]
    assert (spent.examples[1].known_then, spent.examples[1].true_then, spent.examples[1].now) == (
        "10.1",
        "11.1",
        "12.1",
    )
    assert (spent.borrowed_from, spent.borrowed_to) == ("1970-01-06T00:00:00.000000Z", "1970-01-09T00:00:00.000000Z")
    assert visits.clean == 5, "whole numbers that pandas made floats are the same numbers"
    assert (found.not_known, found.unexplained, found.verdict) == ([1, 2], 1, "fail")


def test_columns_of_other_names_are_found_by_a_mapping() -> None:
    rows, table = one_customer()
    table = table.rename_columns(["cust_id", "at", "money", "orders__visits"])
    columns = {"customer": "cust_id", "orders:spent": "money"}
    found = audit(table, [orders(rows, created="loaded")], time="at", columns=columns, prefix=True)
    assert [(one.column, one.leak) for one in found.features] == [("money", 1), ("orders__visits", 0)]


def test_without_knowledge_time_what_was_true_then_stands_for_it_and_that_is_said() -> None:
    rows, table = one_customer()
    found = audit(table, [orders(rows)], time="at")
    spent = found.features[0]
    assert (spent.clean, spent.correction, spent.leak, spent.unexplained) == (2, 0, 1, 2)
    assert spent.knowledge == "none"
    assert "nothing says when rows of orders became known" in found.remarks[0]


def test_a_history_that_was_loaded_at_once_is_called_so() -> None:
    rows, table = one_customer()
    rows = rows.set_column(2, "loaded", days([400, 400, 400]))
    found = audit(table, [orders(rows, created="loaded")], time="at")
    assert "0 of 4 values of orders were known" in found.remarks[0]


def test_values_are_compared_in_the_type_of_the_column() -> None:
    rows = pa.table({"customer": [1], "ts": days([0]), "spent": [0.1], "visits": [2**53 + 1]})
    view = orders(rows)
    for spent, visits, expected in [
        (pa.array([0.1], pa.float32()), pa.array([2**53 + 1], pa.uint64()), [1, 1]),
        (pa.array([np.float64(np.float32(0.1))]), pa.array([2.0**53]), [0, 1]),
        (pa.array([0]), pa.array([2**53]), [0, 0]),
        (pa.array([None], pa.null()), pa.array([float("nan")]), [0, 0]),
    ]:
        table = pa.table({"customer": [1.0], "at": days([1]), "spent": spent, "visits": visits})
        assert [one.clean for one in audit(table, [view], time="at").features] == expected
    nothing = pa.table({"customer": [2], "at": days([1]), "spent": [float("nan")], "visits": pa.nulls(1)})
    assert [one.clean for one in audit(nothing, [view], time="at").features] == [1, 1], "missing is as missing is"


def test_signs_in_the_rows_themselves_are_told() -> None:
    rng = np.random.default_rng(2)
    rows, labels = history(rng), label_rows(rng)
    view = orders(rows, created="loaded")
    table = training_set(labels, [view], as_of="known", time="at").table
    late = np.array(labels["late"].to_pylist(), float)
    late[table["spent"].is_null().to_numpy()] = np.nan
    table = table.set_column(2, "late", pa.array(late, from_pandas=True))
    seen = table["at"].cast(pa.int64()).to_numpy() + np.where(np.arange(300) < 3, _DAY, -_DAY)
    table = table.append_column("orders__ts", pa.array(seen, pa.timestamp("us", "UTC")))
    judged = table.slice(0, 50)
    found = audit(table, [view], time="at", label="late", evaluation=judged)
    said = "\n".join(one.sentence for one in found.signs)
    assert "50 of evaluation stand in training too" in said or "all 50 rows of evaluation stand in training" in said
    assert "orders__ts lies after at in 3 of 300 rows" in said
    assert "spent is missing exactly where late is" in said
    assert any(one.check == "group" and one.severity == "warn" and one.columns == ["customer"] for one in found.signs)
    assert any(one.check == "later rows" for one in found.signs), "training rows later than evaluation rows"
    assert found.verdict == "fail"


def test_the_result_is_evidence_about_the_dataset(store: SqlStore) -> None:
    rows, table = one_customer()
    view = orders(rows, created="loaded")
    register(store, view)
    found = audit(table, ["orders:spent"], time="at", store=store)
    assert found.features[0].feature == "orders@1:spent"
    (kept,) = store.query("test_result", {"subject_id": found.dataset_hash})
    assert (kept["subject_kind"], kept["kind"], kept["result"]) == ("dataset", "feature_audit", "fail")
    detail = json.loads(kept["detail"])
    assert (detail["rows"], detail["features"][0]["leak"]) == (2, 1)
    assert detail["found"] == "2 of 5 rows used values not known then; nothing explains values of 1"


def test_what_cannot_be_audited_is_refused_and_leaves_nothing(store: SqlStore) -> None:
    rows, table = one_customer()
    register(store, orders(rows, created="loaded"))
    asked: Any = {"features": ["orders:spent"], "time": "at", "store": store}
    with pytest.raises(InvalidInput, match="no column 'when'") as error:
        audit(table, **{**asked, "time": "when"})
    with pytest.raises(InvalidInput, match="no column 'spent'"):
        audit(table.rename_columns(["customer", "at", "money", "visits"]), **asked)
    with pytest.raises(InvalidInput, match="no key or feature 'orders:spend'") as error:
        audit(table, **asked, columns={"orders:spend": "spent"})
    assert "orders@1:spent" in str(error.value.hint)
    with pytest.raises(InvalidInput, match="is string in the training set and double in its feature view"):
        audit(table.set_column(2, "spent", pa.array(["a"] * 5)), **asked)
    with pytest.raises(InvalidInput, match="no rows"):
        audit(table.slice(0, 0), **asked)
    with pytest.raises(NotFound, match="no feature view 'order'"):
        audit(table, ["order:spent"], time="at", store=store)
    assert not store.query("test_result")
    audit(table, [feature_view("seen", entity="customer", time="ts", source=rows, features=["spent"])], time="at",
          store=store)  # fmt: skip
    assert [row["name"] for row in store.query("feature_view")] == ["orders"], "to audit a view registers none"


def test_of_a_set_that_was_made_here_nothing_has_to_be_said(store: SqlStore) -> None:
    rng = np.random.default_rng(3)
    rows, labels = history(rng), label_rows(rng)
    register(store, orders(rows, created="loaded"))
    late = training_set(labels, ["orders:spent"], time="at", as_of="event", store=store, name="late", prefix=True)
    clean = training_set(labels, ["orders:spent"], time="at", as_of="known", store=store, name="clean")
    spent = by_hand(labels, rows, "spent")
    corrected = [place for place, (known, true, _) in enumerate(spent) if known != true]
    assert len(corrected) > 20
    for given in ("late", late):
        found = audit(given, store=store)
        assert found.not_known == corrected
        assert (found.verdict, found.features[0].column) == ("warn", "orders__spent")
        assert found.features[0].correction == len(corrected)
    for given in ("clean", clean):
        assert audit(given, store=store).verdict == "pass"
    newest = pa.array([now for _, _, now in spent])
    table = clean.table.set_column(clean.table.column_names.index("spent"), "spent", newest)
    assert audit(table, ["orders:spent"], time="at", store=store).verdict == "fail"


def test_windows_are_audited_as_values_are() -> None:
    rng = np.random.default_rng(4)
    rows, labels = history(rng), label_rows(rng)
    windows = {"spent_30d": sum_of("spent", over="30d"), "orders_30d": count(over="30d")}
    view = feature_view("sums", entity="customer", time="ts", created="loaded", source=rows, features=windows)
    clean = training_set(labels, [view], time="at", as_of="known").table
    assert audit(clean, [view], time="at").verdict == "pass"
    late = training_set(labels, [view], time="at", as_of="event").table
    differ = [
        place
        for place, (one, other) in enumerate(zip(clean.to_pylist(), late.to_pylist(), strict=True))
        if one != other
    ]
    found = audit(late, [view], time="at")
    assert found.not_known == differ
    assert (found.verdict, sum(one.leak for one in found.features)) == ("warn", 0)
    end = labels.set_column(1, "at", pa.array([max(rows["ts"].to_pylist())] * 300, rows["ts"].type))
    newest = training_set(end, [view], time="at", as_of="event").table.set_column(1, "at", labels["at"])
    found = audit(newest, [view], time="at")
    assert found.verdict == "fail"
    assert found.unexplained == 0
    assert found.features[0].leak > 100


def test_the_log_says_when_rows_of_a_view_without_created_became_known(store: SqlStore) -> None:
    rows, table = one_customer()
    version = register(store, orders(rows))
    table = table.drop_columns(["visits"])
    asked: Any = {"features": ["orders:spent"], "time": "at", "store": store}
    logged = source_rows(view_of(version), store)
    for place, day in enumerate([1, 5, 8]):
        append_rows(store, version, logged.slice(place, 1), "source", day * _DAY)
    found = audit(table, **asked)
    assert (found.features[0].knowledge, found.not_known, found.remarks) == ("log", [1, 2], [])
    assert (found.features[0].correction, found.features[0].leak) == (1, 1)


def test_a_log_that_begins_later_than_the_rows_says_nothing_about_them(store: SqlStore) -> None:
    rows, table = one_customer()
    version = register(store, orders(rows))
    append_rows(store, version, source_rows(view_of(version), store), "source", 400 * _DAY)
    found = audit(table, ["orders:spent"], time="at", store=store)
    assert found.features[0].knowledge == "none"
    assert "became known before they were logged" in found.remarks[0]
    assert found.features[0].correction == 0


def test_a_value_that_only_a_later_row_has_is_told_from_other_unexplained_ones() -> None:
    """As a join to the next row leaves it behind, where that is not the newest."""
    rng = np.random.default_rng(5)
    rows, labels = history(rng), label_rows(rng)
    listed, nexts, expected = rows.to_pylist(), [], set()
    triples = by_hand(labels, rows, "spent")
    for place, (label, triple) in enumerate(zip(labels.to_pylist(), triples, strict=True)):
        own = [row for row in listed if row["customer"] == label["customer"]]
        later = [row for row in own if row["ts"] > label["at"]]
        value = min(later, key=lambda row: row["ts"])["spent"] if later else -99.0
        nexts.append(value)
        if value not in triple and later and min(row["ts"] for row in own if row["spent"] == value) > label["at"]:
            expected.add(place)
    orders(rows, created="loaded")  # declared, it is found by its name
    table = labels.append_column("spent", pa.array(nexts, pa.float64()))
    found = audit(table, ["orders:spent"], time="at")
    assert found.features[0].later == len(expected) > 100
    assert expected <= set(found.not_known)
    assert found.verdict == "fail"
    strange = labels.append_column("spent", pa.array([-99.0] * 300))
    found = audit(strange, ["orders:spent"], time="at")
    assert (found.features[0].later, found.not_known, found.verdict) == (0, [], "warn")


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (pa.array([1, 2, 3]), pa.array([2.0])),
        (pa.array([1.5, 2.5, 3.5], pa.float32()), pa.array([2.5])),
        (pa.array([1.0, 2.0, 3.0]), pa.array([2], pa.uint8())),
        (pa.array(["a", "b", "c"]), pa.array(["b"], pa.large_string())),
        (days([1, 2, 3]), days([2]).cast(pa.timestamp("ms"))),
    ],
    ids=lambda values: str(values.type),
)
def test_values_of_later_rows_are_found_in_every_type(there: pa.Array, here: pa.Array) -> None:
    rows = pa.table({"customer": [1, 1, 1], "ts": days([1, 5, 8]), "value": there})
    view = feature_view("typed", entity="customer", time="ts", source=rows, features=["value"])
    table = pa.table({"customer": [1], "at": days([3]), "value": here})
    assert audit(table, [view], time="at").features[0].later == 1
    assert audit(table.set_column(1, "at", days([9])), [view], time="at").features[0].later == 0
