"""Why a step ran or did not, in words, after each kind of change."""

import json
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from tests.build.steps.projects import Project

import assay
from assay.build.steps.why import StepReason, explain, why
from assay.cli.main import main
from assay.errors import InvalidInput, NotFound
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

FILES: dict[str, str | bytes] = {
    "helpers/__init__.py": "",
    "helpers/features.py": "RATE = 2\ndef clean_names(x):\n    return x\n",
    "helpers/steps.py": """
        import assay, numpy
        from helpers import features
        @assay.step
        def prepare(orders, rate=1):
            return [int(numpy.abs(features.clean_names(orders))), features.RATE, rate]
        @assay.step(cache=False)
        def clock():
            return 1
        @assay.step
        def broken():
            raise OSError("away")
        @assay.step
        def dynamic(x):
            return getattr(x, "re" + "al")
    """,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path / "project", monkeypatch)
    made.folder.mkdir()
    made.write(FILES)
    yield made
    made.forget()


@pytest.fixture
def call(store: SqlStore, project: Project) -> Callable[..., str]:
    """Call a step as a fresh process would, in a run of its own; the id of the run."""

    def made(name: str, *args: object) -> str:
        with start_run(store, "why") as run:
            project.function("helpers.steps", name)(*args)
        return run.run_id

    return made


def test_the_first_time_and_the_next(store: SqlStore, call: Callable[..., str]) -> None:
    first = call("prepare", 1)
    found = why(store, "prepare")
    assert (found.step, found.outcome, found.reasons) == ("helpers.steps.prepare", "computed", ["first time"])
    assert (found.run_id, found.compared_with, found.widened) == (first, None, [])
    second = call("prepare", 1)
    found = why(store, "helpers.steps.prepare")
    assert (found.outcome, found.reasons) == ("remembered", [f"remembered from run {first[:8]}"])
    assert (found.run_id, found.compared_with) == (second, first)
    assert why(store, "prepare", run=first[:8]).reasons == ["first time"]
    assert isinstance(assay.why(store, "prepare"), StepReason)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("features", "return x", "return x + 1", ["clean_names in helpers.features changed"]),
        ("steps", "rate]", "rate, 0]", ["the step itself changed"]),
        (
            "features",
            "RATE = 2",
            "RATE = 3",
            ["what helpers.features does when it is imported changed", "RATE in helpers.features changed"],
        ),
        ("steps", "features.RATE, ", "", ["the step itself changed", "RATE in helpers.features no longer counts"]),
        ("steps", "@assay.step\ndef prepare", "@assay.step(version=2)\ndef prepare", None),
    ],
)
def test_a_change_of_code_is_named(
    store: SqlStore, project: Project, call: Callable[..., str], file: str, old: str, new: str, said: list[str] | None
) -> None:
    first = call("prepare", 1)
    project.edit(f"helpers/{file}.py", old, new)
    call("prepare", 1)
    found = why(store, "prepare")
    assert (found.outcome, found.compared_with) == ("computed", first)
    assert found.reasons == (said or ["the step itself changed", "version none -> 2"])


def test_an_input_that_differs_is_named_with_both_hashes(store: SqlStore, call: Callable[..., str]) -> None:
    call("prepare", 1)
    call("prepare", 2)
    hashes = [json.loads(row["inputs"])["orders"][:4] for row in store.query("step", order_by=["started"])]
    assert why(store, "prepare").reasons == [f"input orders {hashes[0]} -> {hashes[1]}"]


def test_a_library_is_named_with_both_versions(
    store: SqlStore, call: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call("prepare", 1)
    monkeypatch.setattr(
        "assay.build.steps.modules._version", lambda name: "99" if name == "numpy" else metadata.version(name)
    )
    call("prepare", 1)
    assert why(store, "prepare").reasons == [f"numpy {metadata.version('numpy')} -> 99"]


def test_a_lost_result_a_failure_and_a_step_that_is_never_remembered(store: SqlStore, call: Callable[..., str]) -> None:
    call("clock")
    call("clock")
    assert why(store, "clock").reasons == ["it is never remembered: cache=False"]
    with pytest.raises(OSError, match="away"):
        call("broken")
    assert (why(store, "broken").outcome, why(store, "broken").reasons) == ("failed", ["first time", "OSError: away"])
    call("prepare", 1)
    gone = {"as": "pickle", "blob": store.blobs.put(b"cno_such_module\nThing\n.")}
    store.amend("step", {"name": "prepare"}, {"output": json.dumps(gone)})
    call("prepare", 1)
    assert why(store, "prepare").reasons[0].startswith("computed again: what was kept cannot be read")


def test_what_was_widened_is_said(store: SqlStore, call: Callable[..., str]) -> None:
    call("dynamic", 1)
    assert why(store, "dynamic").widened == ["helpers.steps widened to module: computed getattr at line 15"]


def test_a_step_or_a_run_that_is_not_there_is_told_with_the_nearest(store: SqlStore, call: Callable[..., str]) -> None:
    with pytest.raises(NotFound, match="no step 'prepare' was called") as raised:
        why(store, "prepare")
    assert raised.value.hint is None
    run = call("prepare", 1)
    with pytest.raises(NotFound, match="no step 'prepar' was called") as raised:
        why(store, "prepar")
    assert raised.value.hint == "assay why prepare"
    with pytest.raises(NotFound, match=f"no step 'clock' was called in run {run[:8]}"):
        why(store, "clock", run=run)
    with pytest.raises(NotFound, match=r"no step 'other\.prepare'"):
        why(store, "other.prepare")
    with pytest.raises(NotFound, match="no run whose id begins"):
        why(store, "prepare", run="nope")


def command(store: SqlStore, *words: str, exits: int = 0) -> None:
    """`assay why` as the command line runs it."""
    with pytest.raises(SystemExit) as ended:
        main(["--store", store.location, "why", *words])
    assert ended.value.code == exits


def test_the_command_prints_words_or_json(
    store: SqlStore, call: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    call("dynamic", 1)
    second = call("dynamic", 2)
    command(store, "dynamic")
    head, reason, widened, compared = capsys.readouterr().out.splitlines()
    assert head.startswith(f"helpers.steps.dynamic: computed in run {second[:8]}, ")
    assert reason.startswith("- input x ")
    assert widened == "- helpers.steps widened to module: computed getattr at line 15"
    assert compared.startswith("compared with run ")
    command(store, "dynamic", "--json")
    assert json.loads(capsys.readouterr().out)["outcome"] == "computed"
    command(store, "dynamics", exits=2)
    assert "assay why dynamic" in capsys.readouterr().err


def test_every_step_of_a_run_is_explained(
    store: SqlStore, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write(
        {
            "helpers/flow.py": """
                import assay
                from helpers import features
                @assay.step
                def load(orders):
                    return list(orders)
                @assay.step
                def clean(value):
                    return features.clean_names(value)
                @assay.pipeline
                def nightly(orders, seed=None):
                    return clean.map(load(orders))
            """
        }
    )

    def run(*orders: int, **settings: object) -> list[StepReason]:
        project.function("helpers.flow", "nightly").options(store=store, **settings)(list(orders))  # type: ignore[attr-defined]
        (last,) = store.query("run", order_by=["-started"], limit=1)
        return explain(store, last["run_id"][:8])

    first = run(1, 2)
    assert [one.reasons for one in first] == [["first time"], ["first time"], first[2].reasons]
    assert first[2].reasons[0].startswith("input value ")
    again = run(1, 2)
    assert [one.outcome for one in again] == ["remembered"] * 3
    assert again[0].reasons == [f"remembered from run {first[0].run_id[:8]}"]
    project.edit("helpers/features.py", "return x", "return x * 2")
    edited = run(1, 2)
    assert [(one.outcome, one.reasons) for one in edited[1:]] == [
        ("computed", ["clean_names in helpers.features changed"])
    ] * 2, "each is compared with the same item"
    seeded = run(1, 2, seed=7)
    assert seeded[1].reasons == ["seed of the pipeline none -> 7"]
    with pytest.raises(SystemExit):
        main(["--store", store.location, "why", "--run", edited[0].run_id])
    out = capsys.readouterr().out
    assert "helpers.flow.clean" in out
    assert "clean_names in helpers.features changed" in out
    with pytest.raises(InvalidInput, match="neither a step nor a run"):
        why(store)
