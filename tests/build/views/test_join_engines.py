"""The same join by every engine: random histories in Parquet files against two loops, row by row."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.build.views.oracle import Row, joined

from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.reading import Engine
from assay.build.views.joining.training_set import training_set

_CASES = 25  # in one join, kept apart by a key
_TEXTS = [None, "", "a", "b", "ab", "a'b", 'a"b', "a,b", "ü", "日本"]
_TIMES = pa.timestamp("us", "UTC")


@pytest.mark.no_cover
@pytest.mark.parametrize("engine", ["arrow", "duckdb", "polars"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_thousand_random_histories_give_what_two_loops_find(engine: Engine, seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    earliest = int(random.choice([-10, 6]))  # if it is late, much of a history has expired for all label rows
    labels = [row for case in range(_CASES) for row in _labels(random, case, earliest)]
    random.shuffle(labels)
    users, shops = (_history(random, tmp_path / f"{name}.parquet", name) for name in ("users", "shops"))
    known = bool(random.integers(0, 2))
    table = pa.table(
        {
            "id": pa.array(range(len(labels))),
            "case": _column(labels, "case", pa.int32()),
            "user": _column(labels, "user", pa.int64()),
            "shop": _column(labels, "shop", pa.string()),
            "t": _column(labels, "t", pa.int64()).cast(_TIMES),
        }
    )
    as_of = "known" if known else "event"
    found = training_set(table, [users[0], shops[0]], as_of=as_of, engine=engine, status=True, prefix=True)  # type: ignore[arg-type]
    assert found.table.column("id").to_pylist() == list(range(len(labels)))
    for view, rows in (users, shops):
        options: Any = {"strict": view.strict, "delay": view.delay_us, "ttl": view.ttl_us}
        expected = joined(labels, rows, view.entity, known=known, **options)
        assert found.table.column(f"{view.name}__status").to_pylist() == [status for status, _ in expected]
        for name in ("v", "w"):
            used = [row and row[name] for _, row in expected]
            assert found.table.column(f"{view.name}__{name}").to_pylist() == used
        times = found.table.column(f"{view.name}__ts").cast(pa.int64()).to_pylist()
        assert times == [row and row["ts"] for _, row in expected]


def _labels(random: np.random.Generator, case: int, earliest: int) -> list[Row]:
    return [
        {"case": case, "user": _user(random), "shop": _shop(random), "t": _time(random, 0.1, earliest)}
        for _ in range(random.integers(0, 6))
    ]


def _history(random: np.random.Generator, path: Path, name: str) -> tuple[FeatureView, list[Row]]:
    entity = ("case", "user") if name == "users" else ("shop", "case")
    rows: list[Row] = []
    for case in range(_CASES):
        for _ in range(random.integers(0, 12)):
            key: Row = {"case": case if random.random() > 0.05 else None}
            key |= {"user": _user(random)} if name == "users" else {"shop": _shop(random)}
            values = {
                "v": int(random.integers(0, 99)),
                "w": None if random.random() < 0.3 else float(random.integers(9)),
            }
            rows.append({**key, "ts": _time(random), "created": _time(random, 0.15), **values})
    if random.random() < 0.5:
        rows.sort(key=lambda row: row["ts"])  # then row groups have narrow spans of time
    else:
        random.shuffle(rows)
    rows = [{**row, "arrival": place} for place, row in enumerate(rows)]
    types = {"case": pa.int64(), "user": pa.int32(), "shop": pa.string()}
    columns = {key: _column(rows, key, types[key]) for key in entity}
    columns |= {moment: _column(rows, moment, pa.int64()).cast(_TIMES) for moment in ("ts", "created")}
    columns |= {"v": _column(rows, "v", pa.int16()), "w": _column(rows, "w", pa.float64())}
    pq.write_table(pa.table(columns), path, row_group_size=16)
    view: FeatureView = feature_view(
        name, entity=entity, time="ts", created="created", source=str(path), strict=bool(random.integers(0, 2))
    )
    ttl = int(random.integers(1, 12)) if random.random() < 0.6 else None
    return replace(view, ttl_us=ttl, delay_us=int(random.integers(0, 4))), rows


def _user(random: np.random.Generator) -> int | None:
    return None if random.random() < 0.1 else int(random.choice([-(2**31), -1, 0, 1]))


def _shop(random: np.random.Generator) -> str | None:
    return _TEXTS[int(random.integers(0, len(_TEXTS)))]


def _time(random: np.random.Generator, missing: float = 0.0, earliest: int = -10) -> int | None:
    return None if random.random() < missing else int(random.integers(earliest, 10))


def _column(rows: list[Row], name: str, kind: Any) -> pa.Array:
    return pa.array([row[name] for row in rows], kind)
