"""Real tables: fetched once, checked by their hash, read without the columns that name people."""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripts.real_data import Archive, Table, load

from assay.errors import InvalidInput, StoreUnavailable, Tampered
from scripts import real_data

CSV = b"name,score,score,born\nAnna,1,7,1980\nBert,2,8,1981\n"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny archive of two members in a folder of its own, under the table names `people` and `numbers`."""
    parquet = io.BytesIO()
    pq.write_table(pa.table({"n": [1, 2, 3]}), parquet)
    path = tmp_path / "kept" / "tiny-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("people.csv", CSV)
        made.writestr("numbers.parquet", parquet.getvalue())
    tiny = Archive("tiny", "1.0", path.name, hashlib.sha256(path.read_bytes()).hexdigest(), "CC0")
    monkeypatch.setenv("ASSAY_DATA", str(path.parent))
    monkeypatch.setattr(real_data, "ARCHIVES", {"tiny": tiny})
    tables = {
        "people": Table("tiny", "people.csv", "invented", ("score", "score.2")),
        "numbers": Table("tiny", "numbers.parquet", "invented"),
    }
    monkeypatch.setattr(real_data, "TABLES", tables)
    return path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be fetched: pip fails, and so does any link."""

    def refuse(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 1, "an index", "ERROR: no network\n")

    def unreachable(address: str) -> bytes:
        raise OSError("unreachable")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(real_data, "_get", unreachable)


@pytest.mark.usefixtures("no_network")
def test_what_is_kept_is_read_without_a_network(archive: Path) -> None:
    assert load("numbers").to_pydict() == {"n": [1, 2, 3]}


def test_columns_that_are_not_named_are_never_read(archive: Path) -> None:
    assert load("people").to_pydict() == {"score": [1, 2], "score.2": [7, 8]}


def test_another_archive_under_the_name_is_refused(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes() + b"x")
    with pytest.raises(Tampered, match="delete the file"):
        load("numbers")


@pytest.mark.usefixtures("no_network")
def test_without_a_network_the_message_says_what_to_do(archive: Path) -> None:
    archive.unlink()
    with pytest.raises(StoreUnavailable, match=r"tiny==1\.0 cannot be fetched: ERROR: no network") as caught:
        load("numbers")
    assert "put it into" in str(caught.value)
    assert list(archive.parent.iterdir()) == [], "nothing half fetched is left"


def test_an_archive_that_pip_refuses_is_taken_by_its_link(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = archive.read_bytes()
    archive.unlink()
    asked = []

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 1, "scheme://index/simple/\n", "")

    def get(address: str) -> bytes:
        asked.append(address)
        page = b'<a href="../../files/tiny-0.9.whl#sha256=1">a</a><a href="../../files/%s#sha256=2">b</a>'
        return content if len(asked) == 2 else page % archive.name.encode()

    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(real_data, "_get", get)
    monkeypatch.setattr(real_data, "urljoin", lambda page, link: page + link)
    assert load("numbers").num_rows == 3
    assert asked[0] == "scheme://index/simple/tiny/"
    assert asked[1].endswith(f"files/{archive.name}#sha256=2")


def test_an_archive_of_npm_is_packed_by_npm_and_read(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        content = b"score,score\n1,7\n"
        entry = tarfile.TarInfo("package/people.csv")
        entry.size = len(content)
        made.addfile(entry, io.BytesIO(content))
    tiny = Archive("tiny", "1.0", "tiny-1.0.tgz", hashlib.sha256(packed.getvalue()).hexdigest(), "CC0", npm=True)
    monkeypatch.setattr(real_data, "ARCHIVES", {"tiny": tiny})
    monkeypatch.setattr(real_data, "TABLES", {"people": Table("tiny", "package/people.csv", "invented")})
    monkeypatch.setattr(shutil, "which", lambda name: name)

    def run(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        assert command[:2] == ["npm", "pack"]
        assert command[-1] == "tiny@1.0"
        Path(command[-2], "tiny-1.0.tgz").write_bytes(packed.getvalue())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert load("people").to_pydict() == {"score": [1], "score.2": [7]}
    (archive.parent / "tiny-1.0.tgz").unlink()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(StoreUnavailable, match="cannot be fetched without npm"):
        load("people")


def test_an_unknown_table_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidInput, match="flights2023"):
        load("flight2023")


def test_importing_fetches_nothing(tmp_path: Path) -> None:
    code = f"import os; os.environ['ASSAY_DATA'] = {str(tmp_path / 'none')!r}; import scripts.real_data"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    assert not (tmp_path / "none").exists()


def test_no_column_of_compas_names_a_person() -> None:
    kept = set(real_data.TABLES["compas"].columns)
    assert kept
    assert not kept & {"name", "first", "last", "dob", "id", "c_case_number", "r_case_number", "vr_case_number"}


@pytest.mark.data
@pytest.mark.parametrize(("name", "rows"), [("flights2023", 435_352), ("weather2023", 26_207), ("compas", 7_214)])
def test_the_tables_have_the_rows_they_are_known_for(name: str, rows: int) -> None:
    assert load(name).num_rows == rows


@pytest.mark.data
def test_the_late_labels_of_acs_are_as_many_as_its_rows() -> None:
    assert (load("acs_reference").num_rows, load("acs_analysis").num_rows) == (68_785, 208_892)
    assert load("acs_labels").num_rows == 208_892
