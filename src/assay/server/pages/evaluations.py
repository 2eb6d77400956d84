"""Evaluations: a list, and each with its heatmap, forests and verdict as `prove` draws them."""

import functools
import hashlib
import json

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from assay.prove.checks import Check
from assay.prove.evaluation import Evaluation, load_evaluation
from assay.prove.gate import result_of
from assay.prove.judgement import find_row
from assay.prove.page import evaluation_fragment, evaluation_style
from assay.prove.policy import Policy
from assay.prove.verdict import GateResult
from assay.record.store import Row, Store
from assay.server.pages.rendering import HEADERS, render

__all__ = ["show", "show_all", "style"]

_LISTED = 200
_KEPT = 64


def show_all(store: Store, request: Request) -> Response:
    """Evaluations, newest first."""
    rows = store.query("evaluation", order_by=["-ts"], limit=_LISTED)
    gates = _gates(store, [row["evaluation_id"] for row in rows])
    return render(
        store,
        request,
        "evaluations.html",
        title="Evaluations",
        place="/evaluations",
        evaluations=[{**row, **json.loads(row["detail"]), "gate": gates.get(row["evaluation_id"])} for row in rows],
        cut=len(rows) == _LISTED,
    )


def show(store: Store, request: Request) -> Response:
    """An evaluation with the last verdict on it; it never changes, so it is drawn once."""
    row = find_row(store, "evaluation", "evaluation_id", request.path_params["evaluation_id"], {})
    evaluation_id = row["evaluation_id"]
    gate = _gates(store, [evaluation_id]).get(evaluation_id)
    title, html = _drawn(_Handle(store), evaluation_id, gate["id"] if gate else None)
    versions = store.query("model_version", {"mv_id in": [row["mv_id"], row["baseline_mv_id"] or ""]})
    versions.sort(key=lambda one: one["mv_id"] != row["mv_id"])  # the candidate first
    return render(
        store,
        request,
        "evaluation.html",
        title=title,
        place="/evaluations",
        evaluation=row,
        gate=gate,
        versions=versions,
        run=next(iter(store.query("run", {"run_id": row["run_id"]})), None) if row["run_id"] else None,
        style=_style_address(),
        drawn=Markup(html),  # noqa: S704 - escaped by its own template
    )


def style(_store: Store, request: Request) -> Response:
    """The style sheet of what `prove` draws."""
    headers = HEADERS | (
        {"Cache-Control": "public, max-age=31536000, immutable"} if "v" in request.query_params else {}
    )
    return Response(evaluation_style(), media_type="text/css", headers=headers)


@functools.cache
def _style_address() -> str:
    """Its address below the root, which changes with the content."""
    return f"/pages/evaluation.css?v={hashlib.sha256(evaluation_style().encode()).hexdigest()[:12]}"


class _Handle:
    """A store as a key of the cache: equal where it is the same place."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Handle) and other.store.location == self.store.location

    def __hash__(self) -> int:
        return hash(self.store.location)


@functools.lru_cache(maxsize=_KEPT)
def _drawn(handle: _Handle, evaluation_id: str, gate_id: str | None) -> tuple[str, str]:
    store = handle.store
    evaluation = load_evaluation(store, evaluation_id)
    result = _recorded(store, evaluation, store.get("gate", {"id": gate_id})) if gate_id else None
    pictures = evaluation_fragment(evaluation, result)
    return pictures.title, pictures.html


def _gates(store: Store, evaluation_ids: list[str]) -> dict[str, Row]:
    """The last verdict of a gate on each evaluation."""
    rows = store.query("gate", {"evaluation_id in": evaluation_ids, "mode": "auto"}, order_by=["decision"])
    return {row["evaluation_id"]: row for row in rows}


def _recorded(store: Store, evaluation: Evaluation, row: Row) -> GateResult:
    """The verdict as it was recorded, not computed anew."""
    detail = json.loads(row["detail"])
    use = json.loads(store.get("ledger", {"seq": row["decision"]})["body"])["detail"]["validation_uses"]
    checks = msgspec.json.decode(row["checks"], type=list[Check])
    policy = msgspec.convert(detail["policy"], Policy)
    judged = (row["outcome"], detail["reasons"], checks)
    return result_of(row["id"], evaluation, policy, judged, use=use, decision=row["decision"])
