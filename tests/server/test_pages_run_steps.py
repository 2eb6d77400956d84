"""The page of a run: what its steps took and printed, and what it waits for."""

import contextlib
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from assay.build.steps.pipeline import pipeline
from assay.build.steps.step import step
from assay.build.steps.waiting import wait_for
from assay.errors import Waiting
from assay.record import open_store
from assay.server.pages import routes


@step
def printed(lines: int) -> int:
    for number in range(lines):
        print(f"<b>line {number}</b>")
    return lines


@step
def failing(lines: int) -> int:
    raise OSError(f"{lines} <i>away</i>")


@pipeline
def asking() -> object:
    printed(2)
    printed(1000)
    with contextlib.suppress(OSError):
        failing(1).result()  # type: ignore[attr-defined] # a handle
    return wait_for("May <u>it</u> go out?", evidence={"score": 0.9})


def test_a_run_shows_its_attempts_and_its_question(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    with pytest.raises(Waiting):
        asking.options(store=store)()
    (run,) = store.query("run")
    page = TestClient(Starlette(routes=routes(store))).get(f"/runs/{run['run_id']}").text
    assert "&lt;b&gt;line 1&lt;/b&gt;" in page
    assert f"assay show {run['run_id'][:8]} --log printed" in page
    assert "failed: raised" in page
    assert "threads, thread " in page
    assert "May &lt;u&gt;it&lt;/u&gt; go out?" in page
    assert f"assay answer {run['run_id'][:8]} yes" in page
    assert "<b>line" not in page
    assert "<u>it" not in page
    store.close()
