"""Where a version came from and what it led to, as a drawing from left to right."""

import json

import msgspec

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


def lineage(store: Store, version: Row, name: str) -> Drawing:
    """The data, runs and code before a version, and the evaluations, decisions and deployments after it."""
    here = version["mv_id"]
    runs = store.query("run", {"run_id": version["run_id"]}) if version["run_id"] else []
    data = _inputs(store, runs)
    makers = _makers(store, data)
    sources = _inputs(store, [run for run, _ in makers])
    deployments = store.query("deployment", {"mv_id": here}, order_by=["started"], limit=_MOST)
    columns = [
        [_dataset(row, []) for row in sources],
        [_run(run, sources) for run, _ in makers],
        [_dataset(row, [run["run_id"] for run, made in makers if row["artifact_id"] in made]) for row in data],
        [_run(run, data) for run in runs],
        [Box(here, "version", f"{name} {version['version']}", None, [run["run_id"] for run in runs], here=True)],
        _evaluations(store, here),
        _decisions(store, here, deployments),
        [_deployment(row) for row in deployments],
    ]
    return _drawn([column[:_MOST] for column in columns if column])


def _inputs(store: Store, runs: list[Row]) -> list[Row]:
    """Datasets that these runs read, each with the `readers` among them."""
    if not runs:
        return []
    readers: dict[str, list[str]] = {}
    for link in store.query("run_io", {"run_id in": [run["run_id"] for run in runs], "role": "input"}):
        readers.setdefault(link["artifact_id"], []).append(link["run_id"])
    artifacts = store.query("artifact", {"artifact_id in": list(readers), "type": "dataset"})
    found = [{**row, "readers": readers[row["artifact_id"]]} for row in artifacts]
    return sorted(found, key=lambda row: (row["name"], row["created"]))


def _makers(store: Store, data: list[Row]) -> list[tuple[Row, set[str]]]:
    """Runs that made these datasets, with the ids of those they made."""
    if not data:
        return []
    made: dict[str, set[str]] = {}
    for link in store.query("run_io", {"artifact_id in": [row["artifact_id"] for row in data], "role": "output"}):
        made.setdefault(link["run_id"], set()).add(link["artifact_id"])
    rows = store.query("run", {"run_id in": list(made)}, order_by=["started"])
    return [(row, made[row["run_id"]]) for row in rows]


def _dataset(row: Row, after: list[str]) -> Box:
    return Box(row["artifact_id"], "data", row["name"], f"/datasets?name={quoted(row['name'])}", after)


def _run(row: Row, data: list[Row]) -> Box:
    read = [one["artifact_id"] for one in data if row["run_id"] in one["readers"]]
    return Box(row["run_id"], "run", row["name"], f"/runs/{row['run_id']}", read)


def _evaluations(store: Store, here: str) -> list[Box]:
    gates = store.query("gate", {"mv_id": here}, order_by=["decision"])
    outcomes = {row["evaluation_id"]: row["outcome"] for row in gates}
    boxes = []
    for row in store.query("evaluation", {"mv_id": here}, order_by=["ts"], limit=_MOST):
        number = row["evaluation_id"]
        dataset = json.loads(row["detail"]).get("dataset", "evaluation")
        label = f"{dataset}: {outcomes.get(number, 'not judged')}"
        boxes.append(Box(number, "evaluation", label, f"/evaluations/{number}", [here]))
    return boxes


def _decisions(store: Store, here: str, deployments: list[Row]) -> list[Box]:
    """Decisions on the version: verdicts come after their evaluation, all others after the version."""
    judged = {row["decision"]: row["evaluation_id"] for row in store.query("gate", {"mv_id": here, "mode": "auto"})}
    numbers = {row["decision"] for row in (*deployments, *store.query("alias_move", {"mv_id": here}))} | judged.keys()
    rows = store.query("ledger", {"seq in": sorted(numbers)}, order_by=["seq"], limit=_MOST) if numbers else []
    boxes = []
    for row in rows:
        seq = row["seq"]
        boxes.append(Box(str(seq), row["kind"], f"decision {seq}", f"/ledger#entry-{seq}", [judged.get(seq, here)]))
    return boxes


def _deployment(row: Row) -> Box:
    kind = f"{'live' if row['ended'] is None else 'was live'} in {row['env']}"
    return Box(row["dep_id"], kind, row["endpoint"], None, [str(row["decision"])])


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
