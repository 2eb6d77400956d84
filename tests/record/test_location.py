import builtins
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from assay.errors import InvalidInput, MissingExtra, NotFound, StoreMismatch, StoreUnavailable
from assay.record import open_store
from assay.record.contract import run_row
from assay.record.identity import Actor
from assay.record.location import find_folder
from assay.record.migrations import HEAD
from assay.record.sqlstore import SqlStore

pytestmark = pytest.mark.usefixtures("migrating")


def _new(location: str | Path, **options: Any) -> None:
    open_store(location, **options).close()


def test_a_store_is_made_where_there_is_none_and_found_again(tmp_path: Path) -> None:
    store = open_store(tmp_path / "deep" / "store", actor=Actor("ann"))
    store.append("run", run_row("a"))
    store.blobs.put(b"content")
    store.close()
    again = open_store(str(tmp_path / "deep" / "store"), create=False)
    assert again.get("run", {"run_id": "a"})["actor"] == "ann"
    assert again.blobs.root == tmp_path / "deep" / "store" / "blobs"
    again.close()


def test_blobs_may_be_elsewhere(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", blobs=tmp_path / "content")
    assert store.blobs.root == tmp_path / "content"
    store.close()


def test_a_missing_store_is_not_made_where_it_was_not_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no store here"):
        open_store(tmp_path / "store", create=False)
    assert not (tmp_path / "store").exists()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "assay.db").touch()  # an empty file holds no store either
    with pytest.raises(NotFound, match="there is no store here"):
        open_store(tmp_path / "store", create=False)


def test_a_missing_store_on_postgres_is_not_made_where_it_was_not_asked_for(postgres: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no store here"):
        open_store(postgres, create=False)
    _new(postgres, blobs=tmp_path)
    _new(postgres, blobs=tmp_path, create=False)


def test_the_environment_names_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_STORE", str(tmp_path / "named"))
    monkeypatch.chdir(tmp_path)
    store = open_store()
    assert store.location == str(tmp_path / "named")
    store.close()
    other = open_store(tmp_path / "other")
    assert other.location == str(tmp_path / "other")
    other.close()


def test_without_a_name_it_is_the_nearest_store_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _new(tmp_path / ".assay")
    (tmp_path / "a" / "b" / ".assay").mkdir(parents=True)  # holds no store
    monkeypatch.chdir(tmp_path / "a" / "b")
    store = open_store()
    assert store.location == str(tmp_path / ".assay")
    store.close()
    assert find_folder(tmp_path / "a") == tmp_path / ".assay"
    _new(tmp_path / "a" / ".assay")
    assert find_folder() == tmp_path / "a" / ".assay"


def test_without_a_store_above_the_place_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_folder() == tmp_path / ".assay"
    assert not (tmp_path / ".assay").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_store_of_a_newer_assay_is_refused_and_not_touched(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, meddle: Callable[[SqlStore, str], None]
) -> None:
    location = str(tmp_path / "store") if kind == "sqlite" else request.getfixturevalue("postgres")
    store = open_store(location, blobs=tmp_path / "blobs")
    store.append("run", run_row("a"))
    meddle(store, "UPDATE alembic_version SET version_num = '9999'")
    store.close()
    before = _bytes(tmp_path / "store")
    with pytest.raises(StoreMismatch, match="schema version 9999") as caught:
        open_store(location, blobs=tmp_path / "blobs")
    assert HEAD in str(caught.value)
    assert caught.value.hint == "pip install --upgrade assay-mlops"
    assert _bytes(tmp_path / "store") == before


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("assay.db")}


@pytest.mark.parametrize("place", ["file", "inside a file", "read-only file system"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    location = {
        "file": tmp_path / "file",
        "inside a file": tmp_path / "file" / "store",
        "read-only file system": Path("/proc/assay"),
    }[place]
    with pytest.raises(StoreUnavailable) as caught:
        open_store(location)
    assert caught.value.where == str(location)
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_folder_without_permission_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreUnavailable, match="the store's folder cannot be written") as caught:
        open_store(tmp_path / "store")
    assert "--store" in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "assay.db").write_text("this is text, and long enough to have been a header\n" * 100)
    with pytest.raises(StoreUnavailable, match="damaged"):
        open_store(tmp_path / "store")


def test_a_database_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store" / "assay.db").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        open_store(tmp_path / "store")


def test_a_failed_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    def fail(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("CREATE INDEX", {}, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", fail)
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            open_store(tmp_path / "store")
    with sqlite3.connect(tmp_path / "store" / "assay.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()
    _new(tmp_path / "store")


def test_other_addresses_are_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot open a store at mysql://"):
        open_store("mysql://host/name")
    with pytest.raises(InvalidInput, match="address cannot be read") as caught:
        open_store("postgresql://ann:secret@host:notaport/name")
    assert "secret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="the database does not answer") as caught:
        open_store(f"postgresql://ann:secret@/name?host={tmp_path}", blobs=tmp_path)
    assert "ann" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_there_is_named_as_it_is(postgres: str, tmp_path: Path) -> None:
    address = sa.make_url(postgres).set(database="full readonly").render_as_string()
    with pytest.raises(StoreUnavailable, match="does not exist"):
        open_store(address, blobs=tmp_path)


def test_postgres_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "psycopg":
            raise ImportError(name)
        return found(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match="psycopg is not installed") as caught:
        open_store("postgresql://host/name")
    assert caught.value.hint == "pip install 'assay-mlops[postgres]'"


def test_blobs_of_a_server_are_kept_here(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(postgres)
    store.blobs.put(b"content")
    assert os.listdir(tmp_path / ".assay") == ["blobs"]  # noqa: PTH208 - names
    store.close()
