from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import assay
from assay.errors import InvalidInput, StoreUnavailable
from assay.stats import Profile, Task


def rows(n: int = 400, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    return pa.table(
        {
            "late": (rng.random(n) < score).astype(int),
            "score": score,
            "origin": rng.choice(["EWR", "JFK"], n),
            "minutes": rng.normal(0, 30, n),
        }
    )


def test_any_kind_of_table_gives_the_same_profile(tmp_path: Path) -> None:
    import duckdb
    import polars
    import pyarrow.parquet as pq

    table = rows()
    pq.write_table(table, tmp_path / "rows.parquet")
    connection = duckdb.connect()
    sources = {
        "arrow": table,
        "pandas": table.to_pandas(),
        "polars": polars.DataFrame(table),
        "duckdb": connection.from_arrow(table),
        "a file": str(tmp_path / "rows.parquet"),
        "files": [tmp_path / "rows.parquet"],
        "other order": table.take(np.random.default_rng(1).permutation(400)),
    }
    found = {
        name: assay.profile({"m": "score"}, data, label="late", segments=["origin"]).to_bytes()
        for name, data in sources.items()
    }
    assert len(set(found.values())) == 1


def test_profiles_of_two_days_add_up_to_that_of_both() -> None:
    first, second = rows(seed=1), rows(seed=2)
    task = Task("regression", scale=64.0)
    given: dict[str, Any] = {"label": "minutes", "task": task, "segments": ["origin"]}
    both = assay.profile({"m": "score"}, pa.concat_tables([first, second]), **given)
    parts = [assay.profile({"m": "score"}, part, **given) for part in (first, second)]
    assert parts[0] + parts[1] == both
    assert isinstance(both, Profile)


def test_a_profile_is_saved_whole_and_read_back(tmp_path: Path) -> None:
    found = assay.profile({"m": "score"}, rows(), label="late")
    assay.save_profile(found, tmp_path / "day.profile")
    assert assay.load_profile(tmp_path / "day.profile") == found
    assert [path.name for path in tmp_path.iterdir()] == ["day.profile"]
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        assay.save_profile(found, tmp_path / "nowhere" / "day.profile")
    with pytest.raises(InvalidInput, match="cannot be read"):
        assay.load_profile(tmp_path / "other.profile")
    (tmp_path / "bad").write_bytes(b"bad")
    with pytest.raises(InvalidInput, match="not a profile"):
        assay.load_profile(tmp_path / "bad")


def test_bins_of_rows_in_parts_are_asked_for_with_a_proposal(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(rows(), tmp_path / "1.parquet")
    with pytest.raises(InvalidInput, match="has many numbers"):
        assay.profile({"m": "score"}, [tmp_path / "1.parquet"], label="late", segments=["minutes"])
