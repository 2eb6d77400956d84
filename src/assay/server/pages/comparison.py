"""Runs beside each other: what differs in params and metrics, and their charts over one another."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from assay.record.clock import moment
from assay.record.store import Row, Store
from assay.record.tracking.metrics import Latest, latest
from assay.server.pages.rendering import render
from assay.server.pages.wording import number, span, when

__all__ = ["show"]

_MOST = 50


class Cell(msgspec.Struct, frozen=True):
    """What one run says; `differs`: the first run says something else. `change` is the difference to it."""

    text: str
    differs: bool = False
    change: str = ""


class Line(msgspec.Struct, frozen=True):
    """One param or metric over all runs."""

    key: str
    cells: list[Cell]

    @property
    def differs(self) -> bool:
        """Whether the runs do not all say the same."""
        return any(cell.differs for cell in self.cells)


def show(store: Store, request: Request) -> Response:
    """The runs named in `runs`, repeated or with commas, in that order; `only=differences` leaves the rest out."""
    asked = [part for text in request.query_params.getlist("runs") for part in text.split(",") if part]
    asked = list(dict.fromkeys(asked))
    rows = {row["run_id"]: row for row in store.query("run", {"run_id in": asked[:_MOST], "deleted": None})}
    runs = [rows[run_id] for run_id in asked if run_id in rows]
    ids = [run["run_id"] for run in runs]
    metrics = latest(store, ids)
    params = _params(store, ids)
    only = request.query_params.get("only") == "differences"
    sections = {
        "Run": _about(runs),
        "Params": _texts(ids, params),
        "Metrics": _numbers(ids, metrics),
    }
    if only:
        sections = {name: [line for line in lines if line.differs] for name, lines in sections.items()}
    charted = sorted({key for found in metrics.values() for key, one in found.items() if one.count > 1})
    return render(
        store,
        request,
        "compare.html",
        title="Comparison",
        place="/runs",
        runs=runs,
        unknown=[run_id for run_id in asked if run_id not in rows],
        cut=len(asked) > _MOST,
        only=only,
        sections=sections,
        charted=charted,
        plotted={
            "runs": [{"id": run["run_id"], "name": run["name"]} for run in runs],
            "axes": _axes(ids, params, metrics),
        },
    )


def _params(store: Store, ids: list[str]) -> dict[str, dict[str, str]]:
    """Params by run, without those that came late."""
    found: dict[str, dict[str, str]] = {run_id: {} for run_id in ids}
    for row in store.query("run_param", {"run_id in": ids, "layer": 0}):
        found[row["run_id"]][row["key"]] = row["value"]
    return found


def _about(runs: list[Row]) -> list[Line]:
    lines = {
        "status": [run["status"] for run in runs],
        "started": [when(run["started"]) for run in runs],
        "duration": [span(_seconds(run)) for run in runs],
        "code": [_code(run) for run in runs],
        "environment": [(run["env_hash"] or "–")[:12] for run in runs],
        "seed": ["–" if run["seed"] is None else str(run["seed"]) for run in runs],
        "by": [run["user_id"] or run["actor"] for run in runs],
    }
    unlike = ("started", "duration")  # differ between any two runs
    return [
        Line(key, [Cell(text, key not in unlike and text != texts[0]) for text in texts])
        for key, texts in lines.items()
        if set(texts) != {"–"}
    ]


def _code(run: Row) -> str:
    sha = run["code_sha"] or "–"
    return f"{sha if '==' in sha else sha[:12]}{' with changes' if run['dirty'] else ''}"


def _seconds(run: Row) -> float | None:
    return (moment(run["ended"]) - moment(run["started"])).total_seconds() if run["ended"] else None


def _texts(ids: list[str], params: dict[str, dict[str, str]]) -> list[Line]:
    keys = sorted({key for found in params.values() for key in found})
    lines = []
    for key in keys:
        texts = [params[run_id].get(key) for run_id in ids]
        lines.append(Line(key, [Cell("–" if text is None else text, text != texts[0]) for text in texts]))
    return lines


def _numbers(ids: list[str], metrics: dict[str, dict[str, Latest]]) -> list[Line]:
    keys = sorted({key for found in metrics.values() for key in found})
    lines = []
    for key in keys:
        values = [metrics[run_id][key].value if key in metrics[run_id] else None for run_id in ids]
        lines.append(Line(key, [_compared(value, values[0]) for value in values]))
    return lines


def _compared(value: float | None, first: float | None) -> Cell:
    text = number(value)
    if value is None or first is None:
        return Cell(text, value is not first)
    change = value - first
    if not change or change != change:  # noqa: PLR0124 - NaN
        return Cell(text, number(value) != number(first))
    return Cell(text, True, f"{'+' if change > 0 else ''}{number(float(f'{change:.3g}'))}")


def _axes(
    ids: list[str], params: dict[str, dict[str, str]], metrics: dict[str, dict[str, Latest]]
) -> list[dict[str, object]]:
    """Columns for parallel coordinates and scatter: metrics, and params that differ; numbers where all are."""
    axes: list[dict[str, object]] = []
    for key in sorted({key for found in params.values() for key in found}):
        texts = [params[run_id].get(key) for run_id in ids]
        if len(set(texts)) < 2:
            continue
        numbers = [_as_number(text) for text in texts]
        is_numeric = all(value is not None for value, text in zip(numbers, texts, strict=True) if text is not None)
        axes.append({"key": key, "kind": "param", "numeric": is_numeric, "values": numbers if is_numeric else texts})
    for key in sorted({key for found in metrics.values() for key in found}):
        values = [_finite(metrics[run_id][key].value) if key in metrics[run_id] else None for run_id in ids]
        if any(value is not None for value in values):
            axes.append({"key": key, "kind": "metric", "numeric": True, "values": values})
    return axes


def _as_number(text: str | None) -> float | None:
    try:
        return _finite(float(text)) if text is not None else None
    except ValueError:
        return None


def _finite(value: float) -> float | None:
    return value if value - value == 0 else None
