"""Models with their versions, aliases and verdicts."""

import json

from starlette.requests import Request
from starlette.responses import Response

from assay.record.models.aliases import AliasMove, alias_history
from assay.record.models.registered_models import registered_model
from assay.record.search.finding import search_models
from assay.record.store import Row, Store
from assay.server.pages.rendering import render

__all__ = ["aliases_of", "show", "show_all", "verdicts_of"]

_LISTED = 100
_MOVES = 100


def aliases_of(store: Store, model: str) -> dict[str, list[str]]:
    """The aliases that point at versions now, by the id of the version."""
    last: dict[str, Row] = {}
    for move in store.query("alias_move", {"model": model}, order_by=["seq"]):
        last[move["alias"]] = move
    found: dict[str, list[str]] = {}
    for name, move in sorted(last.items()):
        if not move["cleared"] and not name.startswith("stage:"):
            found.setdefault(move["mv_id"], []).append(name)
    return found


def verdicts_of(store: Store, mv_ids: list[str]) -> dict[str, Row]:
    """The last verdict on each version."""
    return {row["mv_id"]: row for row in store.query("gate", {"mv_id in": mv_ids}, order_by=["decision"])}


def _pointing(moves: list[AliasMove]) -> list[AliasMove]:
    """The last move of each alias that points to a version now."""
    last = {move.alias: move for move in moves}
    return [move for alias, move in sorted(last.items()) if move.after is not None and not alias.startswith("stage:")]


def _reasons(store: Store, decisions: list[int]) -> dict[int, str]:
    """Why something was decided, by the number of the entry, where the entry says it."""
    rows = store.query("ledger", {"seq in": decisions}) if decisions else []
    details = {row["seq"]: json.loads(row["body"]).get("detail", {}) for row in rows}
    return {seq: str(detail["reason"]) for seq, detail in details.items() if detail.get("reason")}


def show_all(store: Store, request: Request) -> Response:
    """Models by name, from `token` on; prompts, which clients keep in the same place, are none."""
    page = search_models(store, limit=_LISTED, token=request.query_params.get("token"))
    rows = {row["model_key"]: row for row in store.query("registered_model", {"model_key in": page.ids})}
    models = [_line(store, rows[key]["name"]) for key in page.ids if key in rows]
    return render(
        store,
        request,
        "models.html",
        title="Models",
        place="/models",
        models=models,
        more=page.next_token,
        logged=bool(store.query("logged_model", {"deleted": None}, limit=1)),
    )


def _line(store: Store, name: str) -> Row:
    versions = store.query("model_version", {"model": name, "deleted": None}, order_by=["-version"])
    numbers = {row["mv_id"]: row["version"] for row in versions}
    pointing = aliases_of(store, name).items()
    newest = versions[0] if versions else None
    return {
        "name": name,
        "versions": len(versions),
        "newest": newest,
        "aliases": sorted((alias, numbers[mv_id]) for mv_id, names in pointing if mv_id in numbers for alias in names),
        "verdict": verdicts_of(store, [newest["mv_id"]]).get(newest["mv_id"]) if newest else None,
    }


def show(store: Store, request: Request) -> Response:
    """A model: its versions, where its aliases point and pointed, its deployments."""
    name = request.path_params["name"]
    model = registered_model(store, name)
    every = store.query("model_version", {"model": name}, order_by=["-version"])
    versions = [row for row in every if not row["deleted"]]
    moves = alias_history(store, name)
    return render(
        store,
        request,
        "model.html",
        title=name,
        place="/models",
        name=name,
        key=model.model_key,
        description=model.description,
        tags=model.tags,
        versions=versions,
        aliases=aliases_of(store, name),
        pointing=_pointing(moves),
        verdicts=verdicts_of(store, [row["mv_id"] for row in versions]),
        numbers={row["mv_id"]: row["version"] for row in every},
        moves=moves[::-1][:_MOVES],
        reasons=_reasons(store, [move.decision for move in moves[-_MOVES:] if not move.reason]),
        deployments=store.query("deployment", {"model": name}, order_by=["-started"], limit=_MOVES),
    )
