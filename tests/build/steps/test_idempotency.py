"""A token that is the same for every attempt at a step in a run."""

import threading
from pathlib import Path

import pytest
from tests.build.steps import sent_steps

from assay.build.steps.idempotency import idempotency_token
from assay.build.steps.step import step
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run


def written(folder: Path, name: str) -> list[str]:
    """The tokens of the attempts."""
    return (folder / name).read_text().split()


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_every_attempt_in_a_run_has_the_same_token_and_every_call_its_own(
    store: SqlStore, tmp_path: Path, executor: str
) -> None:
    pipe = sent_steps.charged.options(store=store, executor=executor, workers=2, no_cache=True)
    first = pipe(["a", "b"], str(tmp_path))
    assert written(tmp_path, "a") == [first[0]] * 2
    assert written(tmp_path, "b") == [first[1]] * 2
    second = pipe(["a", "b"], str(tmp_path))
    assert len({*first, *second}) == 4, "another run is another effect"
    (run, _) = store.query("run", order_by=["started"])
    assert pipe.options(resume=run["run_id"])(["a", "b"], str(tmp_path)) == first


def test_called_in_a_run_a_step_has_one_as_well(store: SqlStore, tmp_path: Path) -> None:
    with start_run(store, "charges"):
        token = sent_steps.charging("a", str(tmp_path))
    assert written(tmp_path, "a") == [token] * 2


def test_outside_a_run_each_call_has_its_own_and_a_step_within_a_step_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("first\n")
    outer, inner = sent_steps.within("a", str(tmp_path))
    assert outer == inner
    (tmp_path / "a").write_text("first\n")
    assert sent_steps.within("a", str(tmp_path))[0] != outer


def test_outside_a_step_there_is_none() -> None:
    with pytest.raises(InvalidInput, match="outside a step"):
        idempotency_token()

    refused: list[str] = []

    def ask() -> None:
        try:
            idempotency_token()
        except InvalidInput as error:
            refused.append(str(error.hint))

    @step
    def starting() -> None:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    starting()
    assert "take it in the step and pass it" in refused[0]
