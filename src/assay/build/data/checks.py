"""Expectations checked against a table, and kept as test results: the pipeline stops, or goes on with a warning."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec
import pyarrow as pa

from assay.build.data.expectations import (
    Columns,
    Custom,
    Exists,
    Expectation,
    Expectations,
    OneOf,
    Present,
    Range,
    Severity,
    Unique,
    type_word,
)
from assay.build.data.failures import Failure, Surroundings, failure
from assay.build.data.pandera_schemas import is_schema, schema_failures
from assay.build.data.seen import Seen
from assay.build.data.words import check_word
from assay.errors import InvalidInput, NotFound, nearest
from assay.record import tables as files
from assay.record.canonical import canonical_json
from assay.record.clock import Clock
from assay.record.datasets import dataset
from assay.record.identity import ordered_id
from assay.record.store import Store

__all__ = [
    "CheckResult",
    "Expectation",
    "check_results",
    "check_table",
    "columns_are",
    "examined",
    "expect",
    "failures_of",
    "in_range",
    "is_one_of",
    "latest_table",
    "record_results",
    "unique",
    "values_present",
]


class CheckResult(msgspec.Struct, frozen=True):
    """What one expectation found: `pass`, `warn` or `fail`.

    `failing_rows` break it, of `rows` in the table; `detail` has an example. `check` is its kind, `columns` what it
    read.
    """

    name: str
    kind: str
    result: Literal["pass", "warn", "fail"]
    failing_rows: int
    detail: str
    check: str = ""
    columns: tuple[str, ...] = ()
    rows: int = 0


def check_table(
    store: Store,
    subject: str,
    table: object,
    expectations: object,
    *,
    tables: Mapping[str, object] | None = None,
) -> list[CheckResult]:
    """Check every expectation and record each result about the dataset `subject` (its content hash).

    `expectations` are several of them, an `Expectations`, or a schema of Pandera. Other tables that they name are
    looked up in `tables`, then among the store's datasets (the newest of that name), then as files.

    InvalidInput where an expectation does not go with the table, as a column that it has not: then nothing is recorded.
    """
    results = check_results(table, expectations, now=store.clock.latest(), tables=tables, store=store)
    record_results(store, subject, results)
    return results


def record_results(
    store: Store,
    subject: str,
    results: Sequence[CheckResult],
    subject_kind: Literal["dataset", "feature_view"] = "dataset",
) -> None:
    """Record what was found about a dataset (its content hash) or a version of a feature view (`NAME@VERSION`)."""
    store.append_many(
        "test_result",
        [
            {
                "id": ordered_id(),
                "subject_kind": subject_kind,
                "subject_id": subject,
                "tag": "D1",  # ML Test Score: feature expectations are captured in a schema
                "kind": result.kind,
                "result": result.result,
                "mode": "auto",
                "detail": canonical_json({"name": result.name, "rows": result.failing_rows, "found": result.detail}),
            }
            for result in results
        ],
    )


def check_results(
    table: object,
    expectations: object,
    *,
    now: datetime | None = None,
    tables: Mapping[str, object] | None = None,
    store: Store | None = None,
) -> list[CheckResult]:
    """What `check_table` finds, without recording it. `now` is what `fresh` counts back from."""
    return [
        CheckResult(
            name=expectation.name,
            kind=expectation.kind,
            result="pass" if not failed.failing else "fail" if expectation.severity == "stop" else "warn",
            failing_rows=failed.failing,
            detail=failed.detail,
            check=str(expectation.__struct_config__.tag),
            columns=expectation.columns,
            rows=rows,
        )
        for rows, expectation, failed in examined(table, expectations, now=now, tables=tables, store=store)
    ]


def examined(
    table: object,
    expectations: object,
    *,
    now: datetime | None = None,
    tables: Mapping[str, object] | None = None,
    store: Store | None = None,
) -> list[tuple[int, Expectation, Failure]]:
    """The rows of the table, each expectation and what breaks it; a Pandera schema is as many as it has checks."""
    arrow = files.as_table(table)
    given = [expectations] if isinstance(expectations, Expectation) or is_schema(expectations) else expectations
    if isinstance(given, str) or not isinstance(given, Sequence | Expectations):
        raise _no_expectations(given)
    wanted = [one for one in given if isinstance(one, Expectation)]
    schemas = [one for one in given if not isinstance(one, Expectation)]
    if wrong := [one for one in schemas if not is_schema(one)]:
        raise _no_expectations(wrong[0])
    found = list(zip(wanted, failures_of(arrow, wanted, now=now, tables=tables, store=store), strict=True))
    for schema in schemas:
        found += schema_failures(schema, arrow, table)
    return [(arrow.num_rows, *pair) for pair in found]


def _no_expectations(value: object) -> InvalidInput:
    return InvalidInput(
        f"a {type(value).__name__} says nothing about a table", expected="expectations, such as [in_range(...)]"
    )


def failures_of(
    table: pa.Table,
    expectations: Sequence[Expectation],
    *,
    now: datetime | None = None,
    tables: Mapping[str, object] | None = None,
    store: Store | None = None,
) -> list[Failure]:
    """The failure of each expectation, in their order.

    Those of one column share what is computed; columns run beside each other, as Arrow leaves Python's lock.
    """
    for one in expectations:
        check_word(f"the severity of {one.name!r}", one.severity, get_args(Severity))
    others = {
        one.table: _other_table(one.table, tables or {}, store) for one in expectations if isinstance(one, Exists)
    }
    around = Surroundings(now or Clock().now(), others)
    promised = {name: word for one in expectations if isinstance(one, Columns) for name, word in one.types.items()}
    seen = Seen(table)

    def examine(positions: list[int]) -> list[tuple[int, Failure]]:
        return [(at, failure(expectations[at], seen, around, promised)) for at in positions]

    groups: dict[tuple[str, ...], list[int]] = {}
    own = [at for at, one in enumerate(expectations) if isinstance(one, Custom)]
    for position in sorted(set(range(len(expectations))) - set(own)):
        groups.setdefault(expectations[position].columns, []).append(position)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        # The widest first: several columns together take longest.
        parts = list(pool.map(examine, sorted(groups.values(), key=lambda at: -len(expectations[at[0]].columns))))
    parts.append(examine(own))  # a team's function may not like other threads
    return [found for _, found in sorted((pair for part in parts for pair in part), key=lambda pair: pair[0])]


def columns_are(schema: pa.Schema, *, severity: Severity = "stop") -> Columns:
    """Exactly these columns with these types, in any order."""
    return Columns(types={field.name: type_word(field.type, wide=False) for field in schema}, severity=severity)


def values_present(column: str, *, share: float = 1.0, severity: Severity = "stop") -> Present:
    """At least `share` of the values are not null."""
    return Present(column, share, severity=severity)


def in_range(
    column: str,
    low: float | str | None = None,
    high: float | str | None = None,
    *,
    share: float = 1.0,
    severity: Severity = "stop",
) -> Range:
    """Every value that is present, or at least `share` of them, lies in [low, high]; NaN does not.

    An end that is not given is open. Numbers, or times as text such as "2026-01-31".
    """
    low, high = (None if end in (-math.inf, math.inf) else end for end in (low, high))
    return Range(column, low, high, share, severity=severity)


def is_one_of(
    column: str, allowed: Sequence[str | int | float | bool], *, share: float = 1.0, severity: Severity = "stop"
) -> OneOf:
    """Every value that is present, or at least `share` of them, is one of `allowed`."""
    return OneOf(column, tuple(allowed), share, severity=severity)


def unique(key: Sequence[str], *, severity: Severity = "stop") -> Unique:
    """No two rows agree in all columns of `key`; null agrees with null."""
    return Unique((key,) if isinstance(key, str) else tuple(key), severity=severity)


def expect(name: str, function: Callable[[pa.Table], Any], *, severity: Severity = "stop") -> Custom:
    """A check of the team's own: `function` gives true or false, or a boolean for each row, true where it is right."""
    return Custom(name, function, severity=severity)


def latest_table(store: Store, name: str) -> tuple[str, pa.Table]:
    """The newest version of a dataset by its name: its content hash, and the table. NotFound where there is none."""
    known = store.query("artifact", {"type": "dataset", "name": name}, order_by=["-created"], limit=1)
    if not known:
        names = sorted({str(row["name"]) for row in store.query("artifact", {"type": "dataset"})})
        close = nearest(name, names)
        raise NotFound(
            f"there is no dataset {name!r}",
            where=store.location,
            expected=f"one of {', '.join(names[:8])}" if names else "a dataset that was snapshotted",
            hint=f"did you mean {close!r}?" if close else None,
        )
    return str(known[0]["hash"]), dataset(store, known[0]["hash"])


def _other_table(name: str, tables: Mapping[str, object], store: Store | None) -> pa.Table:
    if name in tables:
        return files.as_table(tables[name])
    if store is not None and store.query("artifact", {"type": "dataset", "name": name}, limit=1):
        return latest_table(store, name)[1]
    return files.as_table(name)
