import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.record.search.search_world import (
    FIRST_MS,
    MLFLOW_LEAVES,
    TREES,
    Branch,
    FakeRun,
    Leaf,
    found,
    make_world,
    matches,
    written,
)

from assay.errors import InvalidInput
from assay.record.clock import from_ms
from assay.record.search import plan as search_plan
from assay.record.search.finding import search_experiments, search_runs
from assay.record.search.run_rows import load_runs
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment, delete_experiment, set_experiment_tags
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import create_run, delete_run, log

_MANY = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def world(either_store: SqlStore) -> list[FakeRun]:
    return make_world(either_store)


def _five(store: SqlStore) -> str:
    experiment_id = create_experiment(store, "five").experiment_id
    values = {"one": 1.0, "two": 2.0, "inf": math.inf, "nan": math.nan, "none": None}
    for number, (name, value) in enumerate(values.items()):
        run_id = create_run(store, experiment_id, name=name, started=from_ms(FIRST_MS + number), tags={"t": "Abc"})
        if value is not None:
            log(store, run_id, metrics={"s": points_of([(0, 1, value)])})
    return experiment_id


def _names(store: SqlStore, text: str = "", **options: Any) -> list[str]:
    ids = search_runs(store, text, **options).ids
    return [run.info["name"] for run in load_runs(store, ids, parts=())]


def test_values_come_first_then_nan_then_what_is_missing_in_both_directions(either_store: SqlStore) -> None:
    _five(either_store)
    assert _names(either_store, order_by=["metrics.s ASC"]) == ["one", "two", "inf", "nan", "none"]
    assert _names(either_store, order_by=["metrics.s DESC"]) == ["inf", "two", "one", "nan", "none"]
    assert _names(either_store, order_by=["metrics.s.max DESC"]) == ["inf", "two", "one", "nan", "none"]
    assert _names(either_store, order_by=["params.x", "metrics.s"]) == ["one", "two", "inf", "nan", "none"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("run_name LIKE 'ON%'", []),
        ("run_name ILIKE 'ON%'", ["one"]),
        ("tags.t LIKE 'A_c'", ["inf", "nan", "none", "one", "two"]),
        ("metrics.s > 0", ["inf", "one", "two"]),
        ("metrics.s != 1", ["inf", "nan", "two"]),
        ("metrics.s > 1e308", ["inf"]),
        ("metrics.s >= .5", ["inf", "one", "two"]),
        ("tags.zz != 'a'", []),
        ("tags.x IS NULL", ["inf", "nan", "none", "one", "two"]),
        ("tags.`mlflow.runName` = 'nan'", ["nan"]),
        ("attributes.\"Run name\" = 'one'", ["one"]),
    ],
)
def test_filters_find_what_they_find_in_mlflow(either_store: SqlStore, text: str, names: list[str]) -> None:
    _five(either_store)
    assert sorted(_names(either_store, text)) == sorted(_names(either_store, text, dialect="mlflow")) == names


def test_an_infinite_value_is_the_largest_float_for_mlflow_only(either_store: SqlStore) -> None:
    _five(either_store)
    largest = "metrics.s = 1.7976931348623157e308"
    assert (_names(either_store, largest, dialect="mlflow"), _names(either_store, largest)) == (["inf"], [])
    assert _names(either_store, "metrics.s < 1e999", dialect="mlflow") == ["inf", "two", "one"]
    assert _names(either_store, "metrics.s < 1e999") == ["two", "one"]


@_MANY
@given(tree=TREES, late=st.booleans())
def test_a_filter_finds_the_same_runs_as_plain_python(
    either_store: SqlStore, world: list[FakeRun], tree: Leaf | Branch, late: bool
) -> None:
    expected = [run.run_id for run in world if matches(tree, run, late=late)]
    assert sorted(search_runs(either_store, written(tree), late=late).ids) == sorted(expected)


@_MANY
@given(leaves=st.lists(MLFLOW_LEAVES, min_size=1, max_size=3))
def test_a_filter_of_mlflow_finds_the_same_runs_as_plain_python(
    either_store: SqlStore, world: list[FakeRun], leaves: list[Leaf]
) -> None:
    text = " AND ".join(map(written, leaves))
    expected = [run.run_id for run in world if all(matches(leaf, run, late=True, clamped=True) for leaf in leaves)]
    assert sorted(search_runs(either_store, text, late=True, dialect="mlflow").ids) == sorted(expected)


_ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["metrics.a", "metrics.b.max", "params.p", "tags.t", "end_time", "run_name", "metrics.zz"]),
        st.booleans(),
    ),
    max_size=2,
    unique_by=lambda term: term[0],
)


def _sorted(world: list[FakeRun], order: list[tuple[str, bool]]) -> list[str]:
    runs = sorted(world, key=lambda run: run.run_id)
    runs.sort(key=lambda run: -run.start)
    for key, ascending in reversed(order):
        values = {run.run_id: _sort_value(run, key) for run in runs}
        present = [run for run in runs if values[run.run_id] not in (None, "nan")]
        present.sort(key=lambda run: values[run.run_id], reverse=not ascending)
        nan = [run for run in runs if values[run.run_id] == "nan"]
        runs = present + nan + [run for run in runs if values[run.run_id] is None]
    return [run.run_id for run in runs]


def _sort_value(run: FakeRun, key: str) -> Any:
    if key.startswith("metrics."):
        points = run.metrics.get(key[8:9] if key != "metrics.zz" else "zz")
        if not points:
            return None
        numbers = [point for point in points if not math.isnan(point)]
        value = (max(numbers) if numbers else math.nan) if key.endswith(".max") else points[-1]
        return "nan" if math.isnan(value) else value
    if key == "end_time":
        return run.end
    if key == "run_name":
        return run.name.encode()
    text = (run.params if key.startswith("params") else run.tags).get(key.split(".")[1])
    return None if text is None else text.encode()


@settings(_MANY, max_examples=40)
@given(order=_ORDERS)
def test_pages_give_every_run_once_in_order(
    either_store: SqlStore, world: list[FakeRun], order: list[tuple[str, bool]]
) -> None:
    texts = [f"{key} {'ASC' if ascending else 'DESC'}" for key, ascending in order]
    assert found(either_store, "", order_by=texts) == _sorted(world, order)


@settings(_MANY, max_examples=60)
@given(tree=TREES, order=_ORDERS, in_order=st.booleans())
def test_what_is_read_first_changes_nothing(store: SqlStore, tree: Leaf | Branch, order: Any, in_order: bool) -> None:
    if not search_runs(store).ids:
        make_world(store)
    texts = [key for key, _ in order]
    expected = found(store, written(tree), order_by=texts)
    most = "_MOST_COUNTED", "_MOST_SORTED"
    before = [getattr(search_plan, name) for name in most]
    try:
        for name in most:
            setattr(search_plan, name, 1 if in_order else 10**9)
        assert found(store, written(tree), order_by=texts) == expected
    finally:
        for name, value in zip(most, before, strict=True):
            setattr(search_plan, name, value)


_PIECES = [
    *("metrics.a", "params.`m 2`", "tags.t", "run_id", "status", "dataset.name", "start_time", "end_time", "é."),
    *("AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "CONTAINS", "(", ")", ",", ";", "=", ">", "<>", "-"),
    *("'a'", '"b"', "1", "-1", "1e999", "9" * 400, "10" * 200, "'2026-13-01'", "\x00", "\ud800", "`", "'"),
]
_GARBAGE = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(_PIECES), max_size=9).map(" ".join))


@settings(_MANY, max_examples=400)
@given(text=_GARBAGE, order=st.lists(_GARBAGE, max_size=2), dialect=st.sampled_from(["assay", "mlflow"]))
def test_garbage_is_invalid_input_and_nothing_else(
    either_store: SqlStore, text: str, order: list[str], dialect: Any
) -> None:
    for terms in ([], order):
        try:
            search_runs(either_store, text, order_by=terms, dialect=dialect, late=True)
        except InvalidInput as error:
            str(error).encode()


def test_deep_brackets_and_long_filters_are_refused(either_store: SqlStore) -> None:
    for text in ("(" * 5000, "NOT " * 20_000, " OR ".join(["metrics.a > 1"] * 500), "x" * 200_000):
        with pytest.raises(InvalidInput):
            search_runs(either_store, text)
    allowed = " OR ".join(f"metrics.m{number} > 1" for number in range(200))
    assert search_runs(either_store, allowed).ids == []
    assert search_runs(either_store, " AND ".join(f"params.p{n} = 'a'" for n in range(200))).ids == []
    assert search_runs(either_store, "(" * 50 + "metrics.a > 1" + ")" * 50).ids == []
    many = ", ".join(f"'{number}'" for number in range(5000))
    assert search_runs(either_store, f"run_id IN ({many}) and params.p not in ({many})").ids == []


def test_only_runs_of_the_view_and_the_experiments_are_found(either_store: SqlStore) -> None:
    experiment_id = _five(either_store)
    other = create_experiment(either_store, "other").experiment_id
    gone = create_run(either_store, other, name="gone")
    delete_run(either_store, gone)
    assert search_runs(either_store, view="deleted").ids == [gone]
    assert len(search_runs(either_store, view="all").ids) == 6
    assert len(search_runs(either_store, experiment_ids=[experiment_id]).ids) == 5
    assert search_runs(either_store, experiment_ids=[]).ids == []
    assert len(search_runs(either_store, view="all", experiment_ids=[experiment_id, other]).ids) == 6
    assert len(search_runs(either_store, "experiment.name = 'five' AND status = 'RUNNING'").ids) == 5
    with pytest.raises(InvalidInput, match="view"):
        search_runs(either_store, view="some")  # type: ignore[arg-type]


def test_times_compare_with_milliseconds_and_dates(either_store: SqlStore) -> None:
    experiment_id = create_experiment(either_store, "e").experiment_id
    run_id = create_run(either_store, experiment_id, name="r", started="2026-11-25T10:00:00.123456Z")
    ms = 1_795_600_800_123
    for text in (
        f"start_time = {ms}",
        f"start_time >= {ms}",
        f"start_time > {ms - 1}",
        f"start_time > {ms - 0.5}",
        f"start_time <= {ms}",
        f"start_time < {ms + 1}",
        "start_time > '2026-11-25'",
        "start_time < '2026-11-25T12:00:00+01:00'",
        "created between '2026-11-25' and '2026-11-26'",
        "start_time < 1e40 and start_time > -1e40",
    ):
        assert search_runs(either_store, text).ids == [run_id], text
    for text in (f"start_time != {ms}", f"start_time > {ms}", f"start_time < {ms}", f"start_time = {ms + 0.5}"):
        assert search_runs(either_store, text).ids == [], text
    with pytest.raises(InvalidInput, match="no time"):
        search_runs(either_store, "start_time > 'yesterday'")


def test_experiments_are_found_by_name_tag_and_id(either_store: SqlStore) -> None:
    ids = [create_experiment(either_store, f"e{number}").experiment_id for number in range(12)]
    set_experiment_tags(either_store, ids[3], {"team": "red"})
    delete_experiment(either_store, ids[4])
    assert search_experiments(either_store, "tags.team = 'red'").ids == [ids[3]]
    assert search_experiments(either_store, "name = 'e1' or name = 'e2'", order_by=["name"]).ids == ids[1:3]
    by_id = search_experiments(either_store, "name like 'e%'", view="all", order_by=["experiment_id DESC"]).ids
    assert by_id == ids[::-1]
    pages, token = [], None
    while True:
        page = search_experiments(either_store, view="all", order_by=["experiment_id"], limit=5, token=token)
        pages += page.ids
        token = page.next_token
        if token is None:
            break
    assert pages == ["0", *ids]
    assert search_experiments(either_store, view="deleted").ids == [ids[4]]


def test_an_order_names_each_key_once(either_store: SqlStore) -> None:
    for dialect in ("assay", "mlflow"):
        with pytest.raises(InvalidInput, match="twice"):
            search_runs(either_store, order_by=["metrics.a", "metric.a DESC"], dialect=dialect)
    with pytest.raises(InvalidInput, match="limit"):
        search_runs(either_store, limit=0)


def test_a_metric_has_a_greatest_a_least_a_first_and_a_mean_value(either_store: SqlStore) -> None:
    run_id = create_run(either_store, "0", name="r")
    tiny = points_of([(0, 1, 5e-324), (1, 1, 0.0)])
    points = points_of([(0, 1, 2.0), (1, 1, 6.0), (2, 1, math.nan), (3, 1, 1.0)])
    log(either_store, run_id, metrics={"x": points, "tiny": tiny})
    for text in ("max = 6", "min = 1", "first = 2", "last = 1", "mean = 3", "max between 5 and 7", "mean in (3, 4)"):
        assert search_runs(either_store, f"metrics.x.{text}").ids == [run_id], text
    assert search_runs(either_store, "metrics.tiny.mean < 1e-300", order_by=["metrics.tiny.mean"]).ids == [run_id]
    assert search_runs(either_store, "metrics.x.max = 6", dialect="mlflow").ids == []
