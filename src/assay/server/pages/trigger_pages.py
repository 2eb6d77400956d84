"""Triggers: what may start a training by itself, where each stands, what each did, and drills."""

from starlette.requests import Request
from starlette.responses import Response

from assay.operate.triggers.commands import list_triggers, trigger_history
from assay.record.store import Store
from assay.server.pages.rendering import render

__all__ = ["show"]

_LISTED = 100


def show(store: Store, request: Request) -> Response:
    """All triggers, or those of one `model`, with the newest of what they did."""
    model = request.query_params.get("model")
    history = trigger_history(store, model=model, limit=_LISTED)
    fired = [one.fire_id for one in history if one.outcome == "fired"]
    stories = {row["fire_id"]: row for row in store.query("retraining", {"fire_id in": fired})} if fired else {}
    return render(
        store,
        request,
        "triggers.html",
        title=f"Triggers of {model}" if model else "Triggers",
        place="/monitoring",
        model=model,
        triggers=list_triggers(store, model=model),
        history=history,
        stories=stories,
    )
