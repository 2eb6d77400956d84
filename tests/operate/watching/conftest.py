"""A project that is trained every day at six, and promotes at once what passes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.operate.loop_helpers import BEGIN, RULES, write_table

from assay.operate.project.scaffold import init
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.watching.ticking import declare
from assay.record.sqlstore import SqlStore


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: SqlStore) -> Iterator[ProjectFile]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    write_table()
    store.clock.advance(BEGIN)
    init(store, "flights.csv", label="late")
    text = Path("assay.toml").read_text().replace("max_iter = 200", "max_iter = 10")
    Path("assay.toml").write_text(f"{text}\n{RULES}")
    loaded = load_project()
    declare(store, loaded)
    yield loaded
    sys.modules.pop("pipeline", None)
