import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import assay
from assay.build import Choice, Float, Int, Scores, Searched, Trial
from assay.build.searching.showing import trials
from assay.cli.main import run
from assay.cli.search import search_report, searched
from assay.errors import InvalidInput, NotFound, StoreUnavailable
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

Params = dict[str, Any]
SPACE = {
    "x": Float(-5, 5),
    "model/lr": Float(1e-4, 0.1, log=True),
    "kind": Choice(["a", "b"]),
    "depth": Int(1, 8, when={"kind": "a"}),
}


def bowl(params: Params, trial: Trial) -> float:
    return float((params["x"] - 1) ** 2 + params.get("depth", 0) / 10)


def both(params: Params, trial: Trial) -> dict[str, float]:
    return {"error": params["x"] ** 2, "speed": params["x"]}


def shown(found: Searched) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(searched(found))
    return str(console.file.getvalue())  # type: ignore[attr-defined] # a StringIO


def texts(path: Path) -> list[str]:
    return [element.text or "" for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_what_the_objective_depends_on_is_found(store: SqlStore) -> None:
    found = assay.search(bowl, SPACE, store=store, n_trials=60, seed=1)
    report = trials(store, found.run_id)
    assert report.search == found
    assert report.importances is not None
    assert report.importances.explained > 0.7
    shares = {one.name: one.share for one in report.importances.parameters}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["x"] > 0.9
    assert report.importances.parameters[0].name == "x"
    assert trials(store, found.run_id) == report  # the same trials, the same numbers


def test_importance_is_not_claimed_of_noise_or_of_few_trials(store: SqlStore) -> None:
    def noise(params: Params, trial: Trial) -> float:
        return float(hash((params["x"], 7)) % 1000)

    few = assay.search(bowl, SPACE, store=store, n_trials=19, seed=1)
    many = assay.search(noise, SPACE, store=store, n_trials=60, seed=1)
    constant = assay.search(lambda p, t: 1.0, SPACE, store=store, n_trials=25, seed=1)
    for found in (few, many, constant):
        assert trials(store, found.run_id).importances is None


def test_pictures_are_drawn(store: SqlStore, tmp_path: Path) -> None:
    found = assay.search(bowl, SPACE, store=store, n_trials=40, seed=1)
    report = trials(store, found.run_id[:8], plots=str(tmp_path / "new" / "plots"))
    names = {Path(path).name for path in report.plots}
    slices = {"slice-x.svg", "slice-model-lr.svg", "slice-kind.svg", "slice-depth.svg"}
    assert names == {"history.svg", "importance.svg", "contour.svg", *slices}
    folder = tmp_path / "new" / "plots"
    circles = [len(list(ET.parse(folder / name).iter("{http://www.w3.org/2000/svg}circle"))) for name in sorted(slices)]
    assert circles == [sum("depth" in t.params for t in found.trials), 40, 40, 40]
    assert {"a", "b"} <= set(texts(folder / "slice-kind.svg"))
    assert {"0.0001", "0.1"} <= set(texts(folder / "slice-model-lr.svg"))
    for path in report.plots:
        assert "prefers-color-scheme: dark" in Path(path).read_text()
        assert Path(path).stat().st_size < 200_000


def test_a_front_is_drawn_for_several_objectives(store: SqlStore, tmp_path: Path) -> None:
    goals = {"error": "minimize", "speed": "maximize"}
    found = assay.search(both, {"x": Float(-1, 1)}, store=store, n_trials=20, seed=1, objectives=goals)
    report = trials(store, found.run_id, plots=str(tmp_path))
    assert "pareto.svg" in {Path(path).name for path in report.plots}
    picture = (tmp_path / "pareto.svg").read_text()
    assert picture.count('circle class="better"') == len(found.front)


def test_a_search_without_results_has_no_pictures(store: SqlStore, tmp_path: Path) -> None:
    found = assay.search(bowl, SPACE, store=store, n_trials=1, seed=1)
    assert trials(store, found.run_id, plots=str(tmp_path)).plots == []


def test_the_command_prints_trials_best_first(store: SqlStore, capsys: pytest.CaptureFixture[str]) -> None:
    found = assay.search(bowl, SPACE, store=store, n_trials=25, seed=1)
    assert run(["--store", store.location, "trials", found.run_id[:8], "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    values = [trial["values"]["value"] for trial in printed["search"]["trials"]]
    assert values == sorted(values)
    assert len(values) == 25
    console = Console(file=io.StringIO(), width=200)
    console.print(search_report(trials(store, found.run_id)))
    text = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert "25 trials were run; 25 finished" in text
    assert "importance: x" in text
    assert "5 more; --json prints all" in text


def test_what_the_best_is_worth_stands_side_by_side(store: SqlStore) -> None:
    def guess(params: Params, trial: Trial) -> Scores:
        return Scores([trial.number % 2, 1, 0, 1])

    options: dict[str, Any] = {"direction": "maximize", "holdout": lambda params: 0.625, "n_trials": 3, "refit": 1}
    text = shown(assay.search(guess, {"x": Float(0, 1)}, store=store, seed=1, **options))
    (line,) = [line.split() for line in text.splitlines() if "0.625" in line]
    assert line[:3] == ["1", "value", "0.75"]
    assert line[-1] == "0.625"
    assert "chosen among 3 trials on 4 rows" in text


def test_failed_and_evaluated_trials_say_so(store: SqlStore) -> None:
    def fragile(params: Params, trial: Trial) -> float:
        if trial.number == 1:
            raise RuntimeError("no convergence")
        return 1.0

    text = shown(assay.search(fragile, {"x": Float(0, 1)}, store=store, n_trials=3, seed=1))
    assert "failed: RuntimeError: no convergence" in text
    space = {"x": Int(0, 1)}
    assay.search(both, space, store=store, sampler="grid", objectives={"error": "minimize"})
    again = assay.search(both, space, store=store, sampler="grid", objectives={"error": "minimize"}, reuse=True)
    assert "2 already evaluated, and not run again" in shown(again)
    assert f"already evaluated as run {str(again.best.same_as)[:8]}" in shown(again)


def test_what_cannot_be_shown_is_said(store: SqlStore, tmp_path: Path) -> None:
    with start_run(store, "by hand") as other:
        pass
    with pytest.raises(InvalidInput, match="is no search"):
        trials(store, other.run_id)
    with pytest.raises(NotFound):
        trials(store, "ffffffff")
    found = assay.search(bowl, SPACE, store=store, n_trials=3, seed=1)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="a folder"):
        trials(store, found.run_id, plots=str(tmp_path / "file"))
    with pytest.raises(StoreUnavailable, match="cannot be drawn"):
        trials(store, found.run_id, plots=str(tmp_path / "file" / "below"))
