"""A store of runs with awkward values, filters in random, and what they mean, said once more in plain Python."""

import fnmatch
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from assay.record.clock import from_ms
from assay.record.search.finding import search_runs
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import DatasetUse, create_run, log, log_datasets, update_run

NUMBERS = [-1.0, 0.0, 0.5, 1.0, 2.0, 1e308, math.inf, -math.inf, math.nan]
TEXTS = ["a", "A", "ab", "a_b", "a%b", "aXb", "", "é", "É", "[x]", "*", "a?b", "x" * 250, "x" * 250 + "y", "\\", "it's"]
FIRST_MS = 1_760_000_000_000
LARGEST = 1.7976931348623157e308


@dataclass
class FakeRun:
    """What the evaluator knows of a run. Points are (step, value); late ones came after its end."""

    run_id: str
    name: str
    status: str
    start: int
    end: int | None
    experiment: str
    metrics: dict[str, list[float]] = field(default_factory=dict)
    late_metrics: dict[str, list[float]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    late_params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[str, str]] = field(default_factory=list)

    def points(self, key: str, *, late: bool) -> list[float]:
        return self.metrics.get(key, []) + (self.late_metrics.get(key, []) if late else [])


def make_world(store: SqlStore, count: int = 40, seed: int = 7) -> list[FakeRun]:
    """Runs in two experiments; every third has ended, some of them with late results."""
    rnd = random.Random(seed)
    experiments = {name: create_experiment(store, name).experiment_id for name in ("first", "second")}
    world = []
    for number in range(count):
        ended = number % 3 == 0
        start = FIRST_MS + rnd.randrange(8) * 1000
        run = FakeRun(
            run_id=f"{rnd.getrandbits(64):016x}",
            name=rnd.choice(TEXTS) or "none",
            status="finished" if ended else "running",
            start=start,
            end=start + rnd.randrange(4) * 500 if ended else None,
            experiment=rnd.choice(list(experiments)),
        )
        chosen: Callable[[list[Any]], Any] = rnd.choice
        run.metrics = {k: [chosen(NUMBERS) for _ in range(rnd.randint(1, 3))] for k in "ab" if rnd.random() < 0.7}
        run.params = {key: chosen(TEXTS) for key in ("p", "m 2") if rnd.random() < 0.7}
        run.tags = {key: chosen(TEXTS) for key in ("t", "team") if rnd.random() < 0.7}
        run.datasets = [(name, chosen(["1", "2"])) for name in ("d", "e") if rnd.random() < 0.4]
        if ended and rnd.random() < 0.6:
            run.late_metrics = {"a": [chosen(NUMBERS)]}
            run.late_params = {"late": chosen(TEXTS)}
        _keep(store, run, experiments[run.experiment])
        world.append(run)
    return world


def _keep(store: SqlStore, run: FakeRun, experiment_id: str) -> None:
    started = from_ms(run.start)
    create_run(store, experiment_id, name=run.name, run_id=run.run_id, started=started, tags=run.tags)
    metrics = {key: points_of([(n, 1, v) for n, v in enumerate(values)]) for key, values in run.metrics.items()}
    log(store, run.run_id, metrics=metrics, params=run.params)
    uses = [DatasetUse(name, digest, "local", "{}") for name, digest in run.datasets]
    log_datasets(store, run.run_id, uses)
    if run.end is not None:
        update_run(store, run.run_id, status="finished", ended=from_ms(run.end))
    late = {key: points_of([(9, 2, value) for value in values]) for key, values in run.late_metrics.items()}
    if late:
        log(store, run.run_id, metrics=late, params=run.late_params, late="mark")


# --- filters --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaf:
    """A comparison: entity, name and part of its key, an operator, and values."""

    entity: str
    name: str
    part: str
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Branch:
    """`and` | `or` | `not` of parts."""

    word: str
    parts: tuple["Leaf | Branch", ...]


Tree = Leaf | Branch
_SIX = ["=", "!=", ">", ">=", "<", "<="]
_PLAIN = re.compile(r"[a-zA-Z_]\w*")
_NUMBER = st.sampled_from([n for n in NUMBERS if math.isfinite(n)] + [3, -7, LARGEST])
_TEXT = st.sampled_from([text for text in TEXTS if "'" not in text and "\\" not in text] + ["a%", "_b", "%", "a_b%"])
_METRIC = st.tuples(st.just("metric"), st.sampled_from("abz"), st.sampled_from(["", "max", "min", "first", "last"]))
_WORDS = st.one_of(
    st.tuples(st.just("param"), st.sampled_from(["p", "m 2", "late", "zz"]), st.just("")),
    st.tuples(st.just("tag"), st.sampled_from(["t", "team", "zz"]), st.just("")),
    st.tuples(st.just("dataset"), st.sampled_from(["name", "digest", "context"]), st.just("")),
    st.tuples(st.just("attribute"), st.sampled_from(["run_name", "run_id", "user_id", "experiment.name"]), st.just("")),
)
_TIME = st.tuples(st.just("attribute"), st.sampled_from(["start_time", "end_time"]), st.just(""))
_MOMENT = st.sampled_from([FIRST_MS + extra for extra in (-1, 0, 1000, 1500, 3000, 99_000)] + [0, -1, 10**30, 1.5e12])
_DURATION = st.just(("attribute", "end_time - start_time", ""))


def _numeric(keys: st.SearchStrategy[Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Leaf]:
    operators = st.one_of(
        st.tuples(st.sampled_from(_SIX), st.tuples(values)),
        st.tuples(st.sampled_from(["BETWEEN", "NOT BETWEEN"]), st.tuples(values, values)),
        st.tuples(st.sampled_from(["IN", "NOT IN"]), st.lists(values, min_size=1, max_size=3).map(tuple)),
        st.tuples(st.sampled_from(["IS NULL", "IS NOT NULL"]), st.just(())),
    )
    return st.builds(lambda key, rest: Leaf(*key, *rest), keys, operators)


_TEXTUAL = st.builds(
    lambda key, rest: Leaf(*key, *rest),
    _WORDS,
    st.one_of(
        st.tuples(st.sampled_from(["=", "!="]), st.tuples(_TEXT)),
        st.tuples(
            st.sampled_from([f"{n}{w}" for n in ("", "NOT ") for w in ("LIKE", "ILIKE", "CONTAINS")]), st.tuples(_TEXT)
        ),
        st.tuples(st.sampled_from(["IN", "NOT IN"]), st.lists(_TEXT, min_size=1, max_size=3).map(tuple)),
        st.tuples(st.sampled_from(["IS NULL", "IS NOT NULL"]), st.just(())),
    ),
)
LEAVES = st.one_of(_numeric(_METRIC, _NUMBER), _TEXTUAL, _numeric(_TIME, _MOMENT), _numeric(_DURATION, _NUMBER))
TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Branch, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(lambda part: Branch("not", (part,)), inner),
    ),
    max_leaves=6,
)


def _is_mlflow(leaf: Leaf) -> bool:
    """Whether MLflow's grammar has such a comparison."""
    if leaf.part or leaf.name in ("end_time - start_time", "experiment.name"):
        return False
    if leaf.operator in _SIX:
        return True
    if leaf.operator in ("IN", "NOT IN"):
        return leaf.name == "run_id" or leaf.entity == "dataset"
    if leaf.operator in ("IS NULL", "IS NOT NULL"):
        return leaf.entity in ("param", "tag")
    return leaf.operator in ("LIKE", "ILIKE")


MLFLOW_LEAVES = LEAVES.filter(_is_mlflow)


def written(tree: Tree) -> str:
    """The filter as text."""
    if isinstance(tree, Leaf):
        key = tree.name
        if tree.entity != "attribute":
            name = tree.name if _PLAIN.fullmatch(tree.name) else f"`{tree.name}`"
            key = f"{tree.entity}s.{name}" + (f".{tree.part}" if tree.part else "")
        shown = [f"'{value}'" if isinstance(value, str) else repr(value) for value in tree.values]
        if tree.operator.endswith("BETWEEN"):
            return f"{key} {tree.operator} {shown[0]} AND {shown[1]}"
        if tree.operator.endswith("IN"):
            return f"{key} {tree.operator} ({', '.join(shown)})"
        return " ".join([key, tree.operator, *shown])
    if tree.word == "not":
        return f"NOT ({written(tree.parts[0])})"
    return f" {tree.word} ".join(f"({written(part)})" for part in tree.parts)


# --- what they mean -------------------------------------------------------------------------------------------------


def matches(tree: Tree, run: FakeRun, *, late: bool = False, clamped: bool = False) -> bool:
    """Whether a run satisfies a filter."""
    return _both(tree, run, late, clamped)[0]


def _both(tree: Tree, run: FakeRun, late: bool, clamped: bool) -> tuple[bool, bool]:
    """Whether the filter holds, and whether its contrary does. For what is missing neither does."""
    if isinstance(tree, Leaf):
        found = [_compared(tree, value, clamped) for value in _values(tree, run, late)]
        if tree.operator in ("IS NULL", "IS NOT NULL"):
            is_null = not found
            return (is_null, not is_null) if tree.operator == "IS NULL" else (not is_null, is_null)
        return any(holds for holds, _ in found), any(contrary for _, contrary in found)
    parts = [_both(part, run, late, clamped) for part in tree.parts]
    if tree.word == "not":
        return parts[0][1], parts[0][0]
    if tree.word == "and":
        return all(holds for holds, _ in parts), any(contrary for _, contrary in parts)
    return any(holds for holds, _ in parts), all(contrary for _, contrary in parts)


def _values(leaf: Leaf, run: FakeRun, late: bool) -> list[Any]:
    """What the key stands for in a run: nothing where it is missing."""
    if leaf.entity == "metric":
        points = run.points(leaf.name, late=late)
        numbers = [point for point in points if not math.isnan(point)]
        if not points:
            return []
        choice = {"max": max, "min": min}.get(leaf.part)
        if choice is not None:
            return [choice(numbers) if numbers else math.nan]
        return [points[0] if leaf.part == "first" else points[-1]]
    if leaf.entity == "param":
        params = run.params | (run.late_params if late else {})
        return [params[leaf.name]] if leaf.name in params else []
    if leaf.entity == "tag":
        return [run.tags[leaf.name]] if leaf.name in run.tags else []
    if leaf.entity == "dataset":
        return [{"name": name, "digest": digest}[leaf.name] for name, digest in run.datasets if leaf.name != "context"]
    attribute = {
        "run_name": run.name,
        "run_id": run.run_id,
        "user_id": None,
        "experiment.name": run.experiment,
        "start_time": run.start,
        "end_time": run.end,
        "end_time - start_time": None if run.end is None else run.end - run.start,
    }[leaf.name]
    return [] if attribute is None else [attribute]


def _compared(leaf: Leaf, value: Any, clamped: bool) -> tuple[bool, bool]:
    operator = leaf.operator.removeprefix("NOT ")
    inverted = operator != leaf.operator
    is_nan = isinstance(value, float) and math.isnan(value)
    if clamped and isinstance(value, float) and math.isinf(value):
        value = math.copysign(LARGEST, value)
    if operator in ("=", "IN"):
        holds = value in leaf.values
    elif operator == "!=":
        holds = value != leaf.values[0]
    elif operator in ("IS NULL", "IS NOT NULL"):
        holds = True
    elif is_nan:
        return False, False
    elif operator == "BETWEEN":
        holds = leaf.values[0] <= value <= leaf.values[1]
    elif operator in ("LIKE", "ILIKE"):
        folded = [_lower(text) if operator == "ILIKE" else text for text in (value, leaf.values[0])]
        holds = _like(*folded)
    elif operator == "CONTAINS":
        holds = leaf.values[0] in value
    else:
        bound = leaf.values[0]
        holds = {">": value > bound, ">=": value >= bound, "<": value < bound, "<=": value <= bound}[operator]
    return (not holds, holds) if inverted else (holds, not holds)


def _lower(text: str) -> str:
    """Small letters, of ASCII only, as in both databases."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _like(text: str, pattern: str) -> bool:
    parts = "".join({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}.get(sign, sign) for sign in pattern)
    return fnmatch.fnmatchcase(text, parts)


def found(store: SqlStore, text: str, **options: Any) -> list[str]:
    """Ids of all pages of a search, three a page."""
    ids: list[str] = []
    token = None
    while True:
        page = search_runs(store, text, limit=3, token=token, **options)
        ids += page.ids
        if page.next_token is None:
            return ids
        token = page.next_token
