import tomllib
from typing import Any

import pytest

from assay.build import Trial
from assay.build.searching.options import parse_options, run_search
from assay.build.searching.space import parse_space
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run

PROJECT = """
[search]
trials = 12
sampler = "tpe"
seed = 3
direction = "maximize"
pruner = "asha"

[search.space]
lr = { float = [1e-4, 0.1], log = true }
kind = { choice = ["tree", "linear"] }
depth = { int = [2, 10], when = { kind = "tree" } }
"""


def objective(params: dict[str, Any], trial: Trial) -> float:
    return float(-abs(params["lr"] - 0.01) - params.get("depth", 5) / 100)


def test_a_search_is_run_as_the_project_file_says_it(store: SqlStore) -> None:
    table = tomllib.loads(PROJECT)["search"]
    space = parse_space(table.pop("space"), "assay.toml, search.space")
    options = parse_options(table, "assay.toml, search")
    found = run_search(store, "rates", objective, space, options)
    assert len(found.trials) == 12
    assert found.best.values["value"] == max(t.values["value"] for t in found.trials)
    run = show_run(store, found.run_id)
    assert (run.run.name, run.run.experiment) == ("rates", "rates")
    assert run.params["pruner"] == "pruner asha, first 1, reduction 4"
    more = run_search(store, "rates", objective, space, parse_options({**table, "trials": 14}, ""), resume=found.run_id)
    assert len(more.trials) == 14


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"trails": 3}, r"(?s)no 'trails'.*where: assay.toml, search.*did you mean 'trials'"),
        ({"trials": "many"}, r"(?s)Expected `int \| null`, got `str`.*where: assay.toml, search.trials"),
        ({"trials": 0}, r"(?s)trials is 0.*where: assay.toml, search"),
        ({"pruner": "ahsa"}, r"(?s)did you mean 'asha'"),
        ({"objectives": {"a": "minimise"}}, r"(?s)did you mean 'minimize'"),
        ([], "a table"),
    ],
)
def test_a_mistake_in_the_project_file_is_named_with_its_place(table: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_options(table, "assay.toml, search")
