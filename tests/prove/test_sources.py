"""Rows that are read in batches: the same evaluation as from memory, and what files may not be."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.prove.worlds import ACCURACY, Part, world

from assay.errors import InvalidInput
from assay.prove import sources
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.gate import judge

TABLE = world({"a": Part(900), "b": Part(700, -0.05), "c": Part(40)}, rows_per_unit=3)


def evaluated(rows: object) -> Evaluation:
    return evaluate("new", rows, baseline="old", label="late", unit="unit", segments=["segment"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in range(4):
        pq.write_table(TABLE.slice(part * 410, 410), tmp_path / f"part-{part}.parquet")
    return tmp_path


@pytest.mark.parametrize("batch", [7, 100, 10_000])
def test_files_in_batches_of_any_size_give_the_profile_of_all_rows(
    folder: Path, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BATCH_ROWS", batch)
    whole, streamed = evaluated(TABLE), evaluated(str(folder / "*.parquet"))
    assert streamed.profile == whole.profile
    assert judge(streamed, ACCURACY) == judge(whole, ACCURACY)
    assert streamed.rows == whole.rows == 1640


def test_the_hash_is_that_of_the_files_in_any_order(folder: Path) -> None:
    paths = sorted(folder.glob("*.parquet"))
    found = evaluated(paths)
    assert (
        found.dataset_hash == evaluated(paths[::-1]).dataset_hash == evaluated(f"{folder}/part-?.parquet").dataset_hash
    )
    assert found.dataset_hash != evaluated(paths[1:]).dataset_hash


def test_files_that_are_no_table_are_told(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="no file matches"):
        evaluated(str(folder / "*.csv"))
    with pytest.raises(InvalidInput, match="there is no file"):
        evaluated([folder / "part-9.parquet"])
    (folder / "text.parquet").write_text("late")
    with pytest.raises(InvalidInput, match=r"text\.parquet cannot be read"):
        evaluated(str(folder / "*.parquet"))
    pq.write_table(pa.table({"late": [1]}), folder / "text.parquet")
    with pytest.raises(InvalidInput, match="differ in the columns new, old, segment, unit"):
        evaluated(str(folder / "*.parquet"))


def test_files_are_not_copied_into_the_store(folder: Path, store: object) -> None:
    with pytest.raises(InvalidInput, match="only evaluations of registered versions"):
        evaluate("new", str(folder / "*.parquet"), label="late", store=store)  # type: ignore[arg-type] # a fixture
