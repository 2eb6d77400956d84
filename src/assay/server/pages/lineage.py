"""Where a version came from and what it led to, as a drawing from left to right."""

import json

import msgspec

from assay.record.models.version_lineage import Served, VersionLineage
from assay.record.store import Row, Store
from assay.server.pages.wording import quoted

__all__ = ["Box", "Drawing", "lineage"]

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _EDGE = 128, 46, 22, 12, 8
_MOST = 12  # boxes of a column


class Box(msgspec.Struct, frozen=True):
    """A thing in the drawing, at a place in pixels; `after` are the keys of those it came from."""

    key: str
    kind: str
    label: str
    href: str | None
    after: list[str] = []
    x: int = 0
    y: int = 0
    here: bool = False


class Drawing(msgspec.Struct, frozen=True):
    """Boxes, and the lines between them as paths; `said` is the same in words."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[str]
    said: str


def lineage(store: Store, known: VersionLineage, name: str, logged: Row | None) -> Drawing:
    """The data, runs and the `logged` model before a version; the evaluations, decisions and deployments after it."""
    here = known.mv_id
    data = _kept(store, {use.digest for use in known.datasets})
    makers = _makers(store, data)
    sources = _inputs(store, [run["run_id"] for run, _ in makers])
    kept = {row["hash"] for row in data}
    made = {row["artifact_id"]: [run["run_id"] for run, those in makers if row["artifact_id"] in those] for row in data}
    described = [use for use in known.datasets if use.digest not in kept]
    used = [_data(row["artifact_id"], row["name"], made[row["artifact_id"]]) for row in data]
    used += [_data(f"{use.name} {use.digest}", use.name, []) for use in described]
    run = [Box(known.run_id, "run", known.run or known.run_id[:8], f"/runs/{known.run_id}")] if known.run_id else []
    run = [msgspec.structs.replace(box, after=[one.key for one in used[:_MOST]]) for box in run]
    before = [_logged(logged, [box.key for box in run])] if logged else run
    columns = [
        [_data(row["artifact_id"], row["name"], []) for row in sources],
        [_maker(row, sources) for row, _ in makers],
        used,
        run,
        before if logged else [],
        [Box(here, "version", f"{name} {known.version}", None, [box.key for box in before], here=True)],
        _evaluations(store, known),
        _decisions(store, known),
        [_deployment(served) for served in known.deployments],
    ]
    return _drawn([column[:_MOST] for column in columns if column])


def _kept(store: Store, hashes: set[str]) -> list[Row]:
    """Datasets with these hashes that are kept in the store."""
    rows = store.query("artifact", {"hash in": sorted(hashes), "type": "dataset"}) if hashes else []
    return sorted(rows, key=lambda row: (row["name"], row["created"]))


def _makers(store: Store, data: list[Row]) -> list[tuple[Row, set[str]]]:
    """Runs that made these datasets, with the ids of those they made."""
    if not data:
        return []
    made: dict[str, set[str]] = {}
    for link in store.query("run_io", {"artifact_id in": [row["artifact_id"] for row in data], "role": "output"}):
        made.setdefault(link["run_id"], set()).add(link["artifact_id"])
    rows = store.query("run", {"run_id in": list(made)}, order_by=["started"])
    return [(row, made[row["run_id"]]) for row in rows]


def _inputs(store: Store, run_ids: list[str]) -> list[Row]:
    """Datasets that these runs read, each with the `readers` among them."""
    readers: dict[str, list[str]] = {}
    for link in store.query("run_io", {"run_id in": run_ids, "role": "input"}) if run_ids else []:
        readers.setdefault(link["artifact_id"], []).append(link["run_id"])
    artifacts = store.query("artifact", {"artifact_id in": list(readers), "type": "dataset"}) if readers else []
    found = [{**row, "readers": readers[row["artifact_id"]]} for row in artifacts]
    return sorted(found, key=lambda row: (row["name"], row["created"]))


def _data(key: str, name: str, after: list[str]) -> Box:
    return Box(key, "data", name, f"/datasets?name={quoted(name)}", after)


def _logged(row: Row, after: list[str]) -> Box:
    return Box(row["model_id"], "logged model", row["name"], f"/logged-models/{quoted(row['model_id'])}", after)


def _maker(row: Row, data: list[Row]) -> Box:
    read = [one["artifact_id"] for one in data if row["run_id"] in one["readers"]]
    return Box(row["run_id"], "run", row["name"], f"/runs/{row['run_id']}", read)


def _evaluations(store: Store, known: VersionLineage) -> list[Box]:
    outcomes = {judged.evaluation_id: judged.outcome for judged in known.verdicts}
    boxes = []
    for row in store.query("evaluation", {"evaluation_id in": known.evaluations}, order_by=["ts"], limit=_MOST):
        number = row["evaluation_id"]
        dataset = json.loads(row["detail"]).get("dataset", "evaluation")
        label = f"{dataset}: {outcomes.get(number, 'not judged')}"
        boxes.append(Box(number, "evaluation", label, f"/evaluations/{number}", [known.mv_id]))
    return boxes


def _decisions(store: Store, known: VersionLineage) -> list[Box]:
    """Decisions on the version: verdicts come after their evaluation, all others after the version."""
    judged = {one.decision: one.evaluation_id for one in known.verdicts if one.mode == "auto"}
    rows = store.query("ledger", {"seq in": known.decisions}, order_by=["seq"], limit=_MOST) if known.decisions else []
    boxes = []
    for row in rows:
        seq = row["seq"]
        after = judged.get(seq, known.mv_id)
        boxes.append(Box(str(seq), row["kind"], f"decision {seq}", f"/ledger#entry-{seq}", [after]))
    return boxes


def _deployment(served: Served) -> Box:
    kind = "was live" if served.ended else "live"
    return Box(f"{served.endpoint} {served.started}", kind, served.endpoint, None, [str(served.decision)])


def _drawn(columns: list[list[Box]]) -> Drawing:
    tallest = max(map(len, columns))
    height = tallest * (_HEIGHT + _DOWN) - _DOWN + 2 * _EDGE
    placed: list[list[Box]] = []
    for number, column in enumerate(columns):
        top = (height - (len(column) * (_HEIGHT + _DOWN) - _DOWN)) // 2
        left = _EDGE + number * (_WIDTH + _ACROSS)
        placed.append(
            [
                msgspec.structs.replace(box, x=left, y=top + place * (_HEIGHT + _DOWN))
                for place, box in enumerate(column)
            ]
        )
    boxes = {box.key: box for column in placed for box in column}
    lines = [_line(boxes[key], box) for box in boxes.values() for key in box.after if key in boxes]
    said = "; then ".join(", ".join(f"{box.kind} {box.label}" for box in column) for column in columns)
    width = 2 * _EDGE + len(columns) * (_WIDTH + _ACROSS) - _ACROSS
    return Drawing(width, height, list(boxes.values()), lines, said)


def _line(before: Box, after: Box) -> str:
    x, y, to_x, to_y = before.x + _WIDTH, before.y + _HEIGHT // 2, after.x, after.y + _HEIGHT // 2
    middle = (x + to_x) // 2
    return f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}"
