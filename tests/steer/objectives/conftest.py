"""A world that is trained once and copied for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.steer.objectives.objective_world import Shop, open_shop

from assay.record.location import open_store


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with a version that was evaluated."""
    folder = tmp_path_factory.mktemp("shop") / "store"
    store = open_store(folder)
    open_shop(store)
    store.close()
    return folder


@pytest.fixture
def shop(trained: Path, tmp_path: Path) -> Iterator[Shop]:
    """A copy of it, with the clock where it was."""
    folder = tmp_path / "store"
    shutil.copytree(trained, folder)
    store = open_store(folder)
    yield Shop.of(store)
    store.close()
