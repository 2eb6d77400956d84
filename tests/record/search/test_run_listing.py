import msgspec
import pytest

from assay.errors import InvalidInput
from assay.record.clock import from_ms
from assay.record.search.run_listing import Query, list_runs, parse_query
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import create_run, log, update_run

_START = 1_760_000_000_000


@pytest.fixture
def filled(either_store: SqlStore) -> SqlStore:
    for experiment, names in (("churn", "abc"), ("delays", "de")):
        experiment_id = create_experiment(either_store, experiment).experiment_id
        for number, name in enumerate(names):
            started = from_ms(_START + number)
            run_id = create_run(either_store, experiment_id, name=name, started=started, tags={"team": name})
            points = points_of([(0, 1, number + 1.0), (1, 2, number / 4)])
            log(either_store, run_id, metrics={"accuracy": points}, params={"lr": f"0.{number}"})
            if name == "a":
                update_run(either_store, run_id, status="finished", ended=from_ms(_START + 1500))
    return either_store


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query("", [], None)),
        ("metrics.auc > 0.8", Query("metrics.auc > 0.8", [], None)),
        ("limit 5", Query("", [], 5)),
        ("order by run_name", Query("", ["run_name"], None)),
        (
            "run_name = 'order by x limit 3' ORDER BY metrics.`a, b` desc, params.lr LIMIT 20",
            Query("run_name = 'order by x limit 3'", ["metrics.`a, b` desc", "params.lr"], 20),
        ),
    ],
)
def test_a_query_is_a_filter_an_order_and_a_limit(text: str, query: Query) -> None:
    assert parse_query(text) == query


def test_a_query_says_which_runs_in_which_order(filled: SqlStore) -> None:
    runs = list_runs(
        filled, "metrics.accuracy.max >= 2 or status = 'finished' order by metrics.accuracy, run_name desc"
    )
    assert [run.name for run in runs] == ["a", "e", "b", "c"]
    assert [run.name for run in list_runs(filled, "order by run_name limit 2")] == ["a", "b"]
    assert [run.name for run in list_runs(filled, "order by run_name limit 2", limit=1)] == ["a"]
    assert [run.name for run in list_runs(filled, "tags.team in ('a', 'd')", experiment="delays")] == ["d"]
    assert list_runs(filled, experiment="nothing") == []


def test_columns_are_values_under_their_names(filled: SqlStore) -> None:
    columns = "metrics.accuracy, metrics.accuracy.max,params.lr,tags.team,status,experiment.name,end_time"
    (run,) = list_runs(filled, "run_name = 'a'", columns=columns)
    assert run.columns == {
        "metrics.accuracy": 0.0,
        "metrics.accuracy.max": 1.0,
        "params.lr": "0.0",
        "tags.team": "a",
        "status": "finished",
        "experiment.name": "churn",
        "end_time": from_ms(_START + 1500),
    }
    assert "columns" not in msgspec.to_builtins(list_runs(filled)[0])
    assert list_runs(filled, "run_name = 'b'", columns="end_time")[0].columns == {"end_time": None}


@pytest.mark.parametrize(
    ("query", "columns", "words"),
    [
        ("metric.acuracy > 0.8", None, "did you mean metrics.accuracy"),
        ("order by metrics.acuracy", None, "did you mean metrics.accuracy"),
        ("params.rl = '1'", None, "no run has params.rl"),
        ("stats = 'finished'", None, "did you mean status"),
        ("metrc.accuracy > 1", None, "did you mean metrics?.accuracy"),
        ("metrics.accuracy > limit 5", None, "character 19"),
        ("metrics.accuracy > 1 limit many", None, "limit is many"),
        ("limit 0", None, "limit is 0"),
        ("", "dataset.name", "no column"),
        ("", "params.nothing", "no run has params.nothing"),
        ("", "status desc", "no column"),
    ],
)
def test_a_mistake_is_named_with_what_is_nearest(filled: SqlStore, query: str, columns: str | None, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        list_runs(filled, query, columns=columns)


def test_a_store_without_runs_takes_every_name(either_store: SqlStore) -> None:
    assert list_runs(either_store, "metrics.auc > 0.8 and params.lr = '0.1' order by tags.t") == []


def test_a_name_that_no_run_has_may_be_asked_for_as_missing(filled: SqlStore) -> None:
    assert len(list_runs(filled, "tags.reviewed is null")) == 5
