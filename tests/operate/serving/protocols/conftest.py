"""Servers that the tests of one module share: of two numbers, and of a number and a text."""

from collections.abc import Callable, Iterator

import pytest
from tests.operate.serving.protocols.protocol_helpers import Running, add_mixed, add_numbers, running
from tests.operate.serving_helpers import add_route

from assay.record.location import open_store
from assay.record.models.registry import ModelVersion
from assay.record.store import Store


def _started(folder: str, add: Callable[[Store], ModelVersion]) -> Iterator[Running]:
    store = open_store(folder)
    add_route(store, add(store))
    with running(store) as started:
        yield started
    store.close()


@pytest.fixture(scope="module")
def _numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from _started(str(tmp_path_factory.mktemp("numbers") / "store"), add_numbers)


@pytest.fixture(scope="module")
def _mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from _started(str(tmp_path_factory.mktemp("mixed") / "store"), add_mixed)


@pytest.fixture
def numbers(_numbers: Running) -> Iterator[Running]:
    """A server of an endpoint that takes the numbers `distance` and `hour`; `logged` is empty."""
    yield from _as_new(_numbers)


@pytest.fixture
def mixed(_mixed: Running) -> Iterator[Running]:
    """A server of an endpoint that takes the number `distance` and the text `carrier`; `logged` is empty."""
    yield from _as_new(_mixed)


def _as_new(server: Running) -> Iterator[Running]:
    server.forget()
    yield server
    server.application.engine.is_ready = True
