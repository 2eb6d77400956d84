"""Runs side by side: what was set, what came out, and how they differ in code, environment and data."""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.store import Row, Store
from assay.record.tracking.metrics import history, latest
from assay.record.tracking.points import downsample
from assay.record.tracking.run_changes import NAME_TAG
from assay.record.tracking.runs import RunSummary, find_run, summaries

__all__ = ["Comparison", "Difference", "ValueChange", "compare", "diff"]

_MOST_RUNS = 100
_SPARK = 24  # points of a metric's course as a line of text


class Comparison(msgspec.Struct, frozen=True):
    """Runs side by side: under each key one value a run, in the order asked for; null where a run has none.

    `courses` are values of a metric in order of step, for those with more than one point.
    """

    runs: list[RunSummary]
    params: dict[str, list[str | None]]
    metrics: dict[str, list[float | None]]
    tags: dict[str, list[str | None]]
    courses: dict[str, list[list[float]]]
    equal: int


class ValueChange(msgspec.Struct, frozen=True):
    """A value before and after; null where there is none."""

    key: str
    before: str | float | None
    after: str | float | None


class Difference(msgspec.Struct, frozen=True):
    """How the second run differs from the first. `code` says it in words, `patch` is the difference of the uncommitted
    changes of both."""

    before: RunSummary
    after: RunSummary
    params: list[ValueChange]
    metrics: list[ValueChange]
    tags: list[ValueChange]
    code: str
    patch: str
    environment: list[ValueChange]
    python: ValueChange | None
    data: list[ValueChange]

    @property
    def same(self) -> bool:
        """Whether nothing but times and ids differs."""
        parts = (self.params, self.metrics, self.tags, self.environment, self.data)
        return not any(parts) and self.python is None and not self.patch and self.code == _SAME_CODE


_SAME_CODE = "the same code"


@operation("compare")
def compare(
    store: Store,
    runs: list[str],
    *,
    all_keys: Annotated[bool, "Also what is the same in all of them"] = False,
) -> Comparison:
    """Put runs side by side: params, metrics and tags that differ.

    Runs are named by the first characters of their ids.
    """
    if not 2 <= len(set(runs)) <= _MOST_RUNS:
        raise InvalidInput(f"{len(set(runs))} runs are named", expected=f"2 to {_MOST_RUNS} different ones")
    rows = [find_run(store, run) for run in dict.fromkeys(runs)]
    ids = [row["run_id"] for row in rows]
    found = latest(store, ids)
    metrics = _side_by_side([{key: point.value for key, point in found[run_id].items()} for run_id in ids])
    params = _side_by_side(_texts(store, "run_param", ids))
    tags = _side_by_side(_texts(store, "run_tag", ids))
    shown = [values if all_keys else _differing(values) for values in (params, metrics, tags)]
    counts = {
        key: max((found[run_id][key].count for run_id in ids if key in found[run_id]), default=0) for key in metrics
    }
    courses = {
        key: [downsample(history(store, run_id, key), _SPARK).value.tolist() for run_id in ids]
        for key in shown[1]
        if counts[key] > 1
    }
    equal = sum(map(len, (params, metrics, tags))) - sum(map(len, shown))
    return Comparison(summaries(store, rows), shown[0], shown[1], shown[2], courses, equal)  # type: ignore[arg-type]


@operation("diff")
def diff(store: Store, before: str, after: str) -> Difference:
    """Say how one run differs from another: params, metrics, code, environment and data."""
    rows = [find_run(store, before), find_run(store, after)]
    ids = [row["run_id"] for row in rows]
    found = latest(store, ids)
    environments = [_environment(store, row) for row in rows]
    pythons = [environment.python for environment in environments]
    first, second = summaries(store, rows)
    return Difference(
        before=first,
        after=second,
        params=_changes(*_texts(store, "run_param", ids)),
        metrics=_changes(*[{key: point.value for key, point in found[run_id].items()} for run_id in ids]),
        tags=_changes(*_texts(store, "run_tag", ids)),
        code=_code(rows),
        patch=_patch(store, rows),
        environment=_changes(*[environment.packages for environment in environments]),
        python=ValueChange("python", pythons[0], pythons[1]) if pythons[0] != pythons[1] else None,
        data=_changes(*[_inputs(store, run_id) for run_id in ids]),
    )


def _texts(store: Store, kind: str, run_ids: Sequence[str]) -> list[dict[str, str]]:
    where: dict[str, object] = {"run_id in": list(run_ids)}
    if kind == "run_param":
        where["layer"] = 0
    texts: dict[str, dict[str, str]] = {run_id: {} for run_id in run_ids}
    for row in store.query(kind, where, order_by=["key"]):
        if row["key"] != NAME_TAG:
            texts[row["run_id"]][row["key"]] = row["value"]
    return list(texts.values())


def _side_by_side(values: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    return {key: [one.get(key) for one in values] for key in sorted({key for one in values for key in one})}


def _differing(values: dict[str, list[object]]) -> dict[str, list[object]]:
    return {key: listed for key, listed in values.items() if any(not _same(one, listed[0]) for one in listed)}


def _same(one: object, other: object) -> bool:
    return one == other or (one != one and other != other)  # noqa: PLR0124 - NaN is NaN here


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[ValueChange]:
    return [
        ValueChange(key, before.get(key), after.get(key))  # type: ignore[arg-type]
        for key in sorted(before.keys() | after.keys())
        if not _same(before.get(key), after.get(key))
    ]


class _Environment(msgspec.Struct, frozen=True):
    python: str | None = None
    packages: dict[str, str] = {}


def _environment(store: Store, row: Row) -> _Environment:
    if row["env_hash"] is None:
        return _Environment()
    return msgspec.json.decode(store.get("environment", {"env_hash": row["env_hash"]})["detail"], type=_Environment)


def _inputs(store: Store, run_id: str) -> dict[str, str]:
    """Hash of what the run read, by name: snapshots, and datasets as a client described them."""
    links = store.query("run_io", {"run_id": run_id, "role": "input"})
    found = {link["name"]: store.get("artifact", {"artifact_id": link["artifact_id"]})["hash"][:12] for link in links}
    for used in store.query("run_dataset", {"run_id": run_id, "layer": 0}):
        found.setdefault(used["name"], used["digest"])
    return found


def _code(rows: Sequence[Row]) -> str:
    first, second = (row["code_sha"] for row in rows)
    dirty = ["with uncommitted changes" if row["dirty"] else "as committed" for row in rows]
    if first == second:
        if first is None:
            return "neither run says which code it ran"
        return _SAME_CODE if not any(row["dirty"] for row in rows) else f"commit {first[:12]}, {dirty[0]}, {dirty[1]}"
    said = [
        f"{row['code_sha'][:12]} {state}" if row["code_sha"] else "unknown"
        for row, state in zip(rows, dirty, strict=True)
    ]
    return f"{said[0]} -> {said[1]}"


def _patch(store: Store, rows: Sequence[Row]) -> str:
    """The difference of what was not committed in either run."""
    texts = [_uncommitted(store, row) for row in rows]
    first, second = (f"uncommitted in {row['run_id'][:8]}" for row in rows)
    before, after = (text.splitlines(keepends=True) for text in texts)
    return "".join(difflib.unified_diff(before, after, first, second))


def _uncommitted(store: Store, row: Row) -> str:
    detail = json.loads(row["detail"] or "{}")
    blob = detail.get("git", {}).get("diff")
    return store.blobs.get(blob).decode(errors="replace") if blob else ""
