"""`assay data check`: what is said about a file or a dataset, and the exit code."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from assay.build.data.check_command import check_data
from assay.cli.main import run
from assay.errors import NotFound
from assay.record.datasets import snapshot
from assay.record.sqlstore import SqlStore

ROWS = 400
GOOD = pa.table(
    {
        "day": pa.array([f"2025-{1 + row * 12 // ROWS:02d}-{1 + row % 28:02d}" for row in range(ROWS)]).cast(
            pa.date32()
        ),
        "n": [row % 17 for row in range(ROWS)],
        "kind": pa.array([("a", "b", "c", None)[row % 4] for row in range(ROWS)]),
        "late": [int(row % 3 == 0) for row in range(ROWS)],
    }
)
BROKEN = GOOD.set_column(
    3, "late", pc.if_else(pc.greater_equal(GOOD["day"], pa.scalar(date(2025, 10, 1))), 1, GOOD["late"])
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pa_csv.write_csv(GOOD, "good.csv")
    pq.write_table(BROKEN, "broken.parquet")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"n": n, "kind": "a"}) + "\n" for n in range(30)))
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["data", "check", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(call(capsys, *arguments, "--json")[1])


def test_a_good_file_passes_and_one_whose_labels_break_ends_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "good.csv", "--label", "late", "--time", "day")
    assert code == 0
    assert "good.csv, 400 rows" in out
    assert "0 fail, 0 warn" in out
    code, out, _ = call(capsys, "broken.parquet", "--label", "late", "--time", "day")
    assert code == 1
    assert "rate of late by day" in out
    assert "quarter from 2025-10: 1.000 of 100 rows, others about 0.3" in " ".join(out.split())
    assert document(capsys, "broken.parquet", "--label", "late", "--time", "day")["verdict"] == "fail"


def test_what_is_inferred_can_be_edited_and_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "good.csv", "--infer", "e.toml", "--label", "late")
    assert (code, "stand in e.toml" in out) == (0, True)
    assert call(capsys, "good.csv", "--expectations", "e.toml")[0] == 0
    text = Path("e.toml").read_text()
    changed = text.replace('column = "n", low = 0, high = 32', 'column = "n", low = 0, high = 3')
    assert changed != text
    Path("e.toml").write_text(changed)
    assert call(capsys, "good.csv", "--expectations", "e.toml")[0] == 0, "it only warns"
    Path("e.toml").write_text(changed.replace(', severity = "warn"', ""))
    found = document(capsys, "good.csv", "--expectations", "e.toml")
    assert found["verdict"] == "fail"
    (failed,) = [one for one in found["results"] if one["result"] == "fail"]
    assert (failed["check"], failed["columns"], failed["rows"]) == ("range", ["n"], 400)
    Path("e.toml").write_text(text.replace("high", "hihg"))
    code, out, err = call(capsys, "good.csv", "--expectations", "e.toml")
    assert (code, out) == (2, "")
    assert "did you mean 'high'?" in err


def test_a_dataset_is_checked_by_name_and_results_are_kept(store: SqlStore, folder: Path) -> None:
    version = snapshot(store, "orders", GOOD)
    found = check_data(store, "orders", reference="good.csv", label="late", time="day", key=None)
    assert (found.verdict, found.dataset_hash, found.rows) == ("pass", version.hash, 400)
    assert len(store.query("test_result", {"subject_id": version.hash})) == len(found.results)
    with pytest.raises(NotFound, match="there is no file and no dataset 'odrers'") as raised:
        check_data(store, "odrers")
    assert raised.value.hint == "did you mean 'orders'?"
    assert check_data(store, "orders", key="day,n,kind").verdict == "pass"
    assert check_data(store, "orders", key="kind").verdict == "fail"
    assert check_data(store, "rows.jsonl").rows == 30


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["god.csv"], "did you mean 'good.csv'?"),
        (["good.csv", "--label", "lat"], "did you mean 'late'?"),
        (["good.csv", "--time", "dya"], "did you mean 'day'?"),
        (["good.csv", "--key", "nn"], "no column 'nn'"),
        (["good.csv", "--expectations", "nowhere.toml"], "cannot be read"),
        (["good.csv", "--label", "late", "--expectations", "e.toml"], "says what is checked already"),
        (["good.csv", "--reference", "nowhere.csv"], "there is no file nowhere.csv"),
        (["good.csv", "--infer", "nowhere/e.toml"], "cannot be written"),
        (["torn.parquet"], "cannot be read"),
        (["notes.doc"], "the ending of notes.doc says no format"),
    ],
)
def test_what_cannot_be_checked_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    Path("torn.parquet").write_bytes(b"PAR1 and no more")
    Path("notes.doc").write_text("words")
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) <= 5


def test_a_file_that_is_not_there_makes_no_store(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "god.csv")
    assert not Path(".assay").exists()


def test_an_empty_field_of_text_is_missing(store: SqlStore, folder: Path) -> None:
    (found,) = [one for one in check_data(store, "good.csv", reference="good.csv").results if "kind is p" in one.name]
    assert found.detail == "100 of 400 values are missing"


@pytest.mark.data
def test_the_defect_of_compas_is_found_by_the_default_checks(store: SqlStore, tmp_path: Path) -> None:
    from scripts.real_data import load

    file = tmp_path / "compas.parquet"
    pq.write_table(load("compas"), file)
    found = check_data(store, str(file), label="two_year_recid", time="compas_screening_date")
    (failed,) = [one for one in found.results if one.result != "pass"]
    assert (found.verdict, failed.check) == ("fail", "label_rate")
    assert failed.detail.startswith("2014-04 to 2014-12: 0.997 of 1,007 rows, others about 0.36")


@pytest.mark.data
@pytest.mark.parametrize("by", [None, "week", "month", "quarter"])
def test_a_year_of_flights_is_quiet_by_any_period(by: Any) -> None:
    from scripts.real_data import load

    from assay.build.data.checks import check_results
    from assay.build.data.expectations import LabelRate

    flights = load("flights2023").select(["time_hour", "arr_delay"])
    table = pa.table({"time": flights["time_hour"], "late": pc.greater_equal(flights["arr_delay"], 15)})
    (found,) = check_results(table, [LabelRate("late", "time", by=by)])
    assert found.result == "pass", found.detail


@pytest.mark.data
def test_years_of_a_census_are_quiet(store: SqlStore, tmp_path: Path) -> None:
    from scripts.real_data import load

    columns = ["id", "AGEP", "SEX", "RAC1P", "year", "employed"]
    reference = load("acs_reference").select(columns)
    later = load("acs_analysis").join(load("acs_labels"), "id").select(columns)
    pq.write_table(reference, tmp_path / "reference.parquet")
    pq.write_table(later, tmp_path / "later.parquet")
    found = check_data(
        store, str(tmp_path / "later.parquet"), reference=str(tmp_path / "reference.parquet"), label="employed",
        time="year", key="id",
    )  # fmt: skip
    assert [one.name for one in found.results if one.result != "pass"] == []
