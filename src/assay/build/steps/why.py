"""Why a step ran or did not: the difference of what its key was made of to the last time it was computed, in words."""

import json
from typing import Annotated, Any, overload

import msgspec
from sqlalchemy import select

from assay.build.steps.leases import is_dead
from assay.errors import InvalidInput, NotFound, nearest
from assay.operation import operation
from assay.record.clock import iso, moment
from assay.record.schema import METADATA
from assay.record.store import Row, Store
from assay.record.tracking.runs import ending, find_run

__all__ = ["StepReason", "code_differences", "components_of", "explain", "why"]

_OUTCOMES = {
    "cached": "remembered",
    "done": "computed",
    "failed": "failed",
    "cancelled": "stopped",
    "waiting": "waiting",
}
_LATEST = ["-started", "-step_id"]  # ids of one millisecond have no order
_SHORT = 4  # characters of a hash, for people
_NEAR = 20  # earlier attempts that are looked at: functions of one name may be of several modules


class StepReason(msgspec.Struct, frozen=True):
    """An attempt at a step. `outcome` is computed, remembered, failed, running, waiting (for a person) or stopped.

    `reasons` say why, in words. `widened` says where more code counts than the step names. `compared_with` is the run
    where the step was computed before, or where a remembered result comes from; null the first time.
    """

    step: str
    outcome: str
    reasons: list[str]
    widened: list[str]
    run_id: str
    started: str
    seconds: float
    compared_with: str | None


@overload
def why(store: Store, step: str, *, run: str | None = None) -> StepReason: ...
@overload
def why(store: Store, step: None = None, *, run: str | None = None) -> list[StepReason]: ...
@operation("why")
def why(
    store: Store,
    step: str | None = None,
    *,
    run: Annotated[str | None, "Only attempts of this run, by the first characters of its id"] = None,
) -> StepReason | list[StepReason]:
    """Say why a step was computed or remembered, the last time it was called.

    A step is called by the name of its function, or with its module before it. Without one, every attempt of the run
    is listed. NotFound for a step or a run that the store does not have.
    """
    if step is not None:
        return _latest(store, step, run)
    if run is None:
        raise InvalidInput("neither a step nor a run is named", hint="assay why STEP, or assay why --run RUN")
    return explain(store, run)


def explain(store: Store, run: str) -> list[StepReason]:
    """Why each step of a run was computed or remembered, in the order in which they began; what runs now is last."""
    ending()
    run_id = find_run(store, run)["run_id"]
    parts = _Parts(store)
    rows = store.query("step", {"run_id": run_id}, order_by=["started", "step_id"])
    ended = {row["step_id"] for row in rows}
    now = store.clock.now()
    return [_reason(parts, row) for row in rows] + [
        StepReason(
            step=lease["name"],
            outcome="running",
            reasons=[f"process {lease['pid']} is at it"],
            widened=[],
            run_id=run_id,
            started=lease["started"],
            seconds=(now - moment(lease["started"])).total_seconds(),
            compared_with=None,
        )
        for lease in store.query("lease", {"run_id": run_id}, order_by=["started"])
        if lease["step_id"] not in ended and not is_dead(lease, iso(now))
    ]


def components_of(store: Store, row: Row) -> dict[str, Any]:
    """What the key of a row was made of, the code with it."""
    return _Parts(store).of(row)


def code_differences(
    before: dict[str, str], now: dict[str, str], step: str, called: str = "the step itself"
) -> list[str]:
    """What changed of the code, a sentence each; `step` is the function itself with its module, `called` its name."""
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    own = {name for name in changed if name.replace(":", ".").removesuffix("(code object)") == step}
    said = [f"{called} changed"] if own or changed == ["def"] else []
    for name in changed:
        old, new = before.get(name), now.get(name)
        if name in own or name == "def":
            continue
        if name.endswith("=="):
            library = name.removesuffix("==")
            said.append(
                f"{library} {old} -> {new}" if old and new else _appeared(f"{library} {old or new}", new is not None)
            )
        elif old and new:
            said.append(f"{_place(name)} changed")
        else:
            said.append(_appeared(_place(name), new is not None))
    return said


def _latest(store: Store, step: str, run: str | None) -> StepReason:
    ending()
    run_id = find_run(store, run)["run_id"] if run is not None else None
    within = {"run_id": run_id} if run_id is not None else {}
    name = step.rpartition(".")[2]
    parts = _Parts(store)
    rows = store.query("step", {"name": name, **within}, order_by=_LATEST, limit=1 if step == name else None)
    row = next((row for row in rows if step in (name, parts.of(row)["step"])), None)
    if row is None:
        raise _unknown(store, step, run_id)
    return _reason(parts, row)


class _Parts:
    """What keys were made of, the code of each read once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._code: dict[str, dict[str, Any]] = {}

    def of(self, row: Row) -> dict[str, Any]:
        """The parts of the key of a row, with its code."""
        found: dict[str, Any] = json.loads(row["components"])
        if found["code"] not in self._code:
            kept = self.store.get("step_code", {"hash": found["code"]})["detail"]
            self._code[found["code"]] = json.loads(kept)
        return found | self._code[found["code"]]


def _reason(parts: _Parts, row: Row) -> StepReason:
    now = parts.of(row)
    if row["state"] == "cached":
        earlier = {"key": row["key"], "state": "done", "started <=": row["started"]}
        before = next(iter(parts.store.query("step", earlier, order_by=_LATEST, limit=1)), None)
        reasons = [f"remembered from run {before['run_id'][:8]}" if before else "remembered; the attempt is gone"]
    else:
        before = _computed_before(parts, row, now["step"])
        reasons = _differences(parts.of(before), now) if before else ["first time"]
        reasons += ["it is never remembered: cache=False"] if now.get("cache") is False else []
    reasons += [row["reason"]] if row["reason"] else []
    return StepReason(
        step=now["step"],
        outcome=_OUTCOMES[row["state"]],
        reasons=reasons or ["nothing that counts has changed"],
        widened=now.get("widened", []),
        run_id=row["run_id"],
        started=row["started"],
        seconds=row["seconds"],
        compared_with=before["run_id"] if before else None,
    )


def _computed_before(parts: _Parts, row: Row, step: str) -> Row | None:
    """The attempt to compare with: the latest on the same inputs, else of another run, else of the same."""
    earlier = {"name": row["name"], "state": "done", "started <=": row["started"], "step_id !=": row["step_id"]}
    conditions: list[dict[str, Any]] = [{"inputs": row["inputs"]}, {"run_id !=": row["run_id"]}, {}]
    for more in conditions:
        rows = parts.store.query("step", {**earlier, **more}, order_by=_LATEST, limit=_NEAR)
        found = next((other for other in rows if parts.of(other)["step"] == step), None)
        if found is not None:
            return found
    return None


def _unknown(store: Store, step: str, run_id: str | None) -> NotFound:
    table = METADATA.tables["step"]
    query = select(table.c.name).distinct().order_by(table.c.name)
    known = [row["name"] for row in store.select(query.where(table.c.run_id == run_id) if run_id else query)]
    close = nearest(step, known)
    return NotFound(
        f"no step {step!r} was called" + (f" in run {run_id[:8]}" if run_id else ""),
        where=store.location,
        expected=f"one of {', '.join(known[:8])}" if known else "a step that was called inside a run",
        hint=f"assay why {close}" if close else None,
    )


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What changed, one sentence each: code, inputs, surroundings, versions."""
    if before["format"] != now["format"]:
        return ["keys are made in another way since the last time"]
    return [
        *code_differences(before["code"], now["code"], now["step"]),
        *_named("input", before["inputs"], now["inputs"]),
        *_named("read", _quoted(before), _quoted(now)),
        *_named("variable around it:", _texts(before["closed_over"]), _texts(now["closed_over"])),
        *(
            f"{title} {before.get(key, 'none')} -> {now.get(key, 'none')}"
            for key, title in (("version", "version"), ("python", "Python"), ("seed", "seed of the pipeline"))
            if before.get(key) != now.get(key)
        ),
    ]


def _place(name: str) -> str:
    """`features:clean_names` as a person would say it."""
    module, _, part = name.partition(":")
    if part == "(statements)":
        return f"what {module} does when it is imported"
    if part == "(whole)":
        return f"all of {module}"
    if part.endswith("(code object)"):
        return f"{part.removesuffix('(code object)')} in {module}, as it was loaded,"
    return f"{part} in {module}"


def _appeared(what: str, is_new: bool) -> str:
    return f"{what} counts now" if is_new else f"{what} no longer counts"


def _named(title: str, before: dict[str, str], now: dict[str, str]) -> list[str]:
    return [
        f"{title} {name} {_short(before.get(name))} -> {_short(now.get(name))}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _quoted(parts: dict[str, Any]) -> dict[str, str]:
    """What was read outside, by its name."""
    return {f"`{name}`": token for name, token in parts.get("reads", {}).items()}


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    return value if value.startswith("not hashed") else value[:_SHORT]


def _texts(closed_over: dict[str, Any]) -> dict[str, str]:
    """Functions around a step by what they are made of, which has no short name."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in closed_over.items()}
