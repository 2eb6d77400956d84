"""Templates, and what every response carries: nothing from elsewhere is loaded, no script or style stands in a page."""

import functools
import hashlib
from pathlib import Path

import jinja2
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import HTMLResponse

from assay.record.schema import TABLES
from assay.record.store import Store
from assay.record.talk.comments import thread_of
from assay.server.pages import standings, wording

__all__ = ["HEADERS", "MAY_WRITE", "STATIC", "render"]

MAY_WRITE = "assay.may_write"  # in the scope of a request: whether pages offer to change something
STATIC = Path(__file__).with_name("static")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_PLACES = (
    ("/", "Experiments"),
    ("/runs", "Runs"),
    ("/models", "Models"),
    ("/endpoints", "Endpoints"),
    ("/monitoring", "Monitoring"),
    ("/alerts", "Alerts"),
    ("/approvals", "Approvals"),
    ("/objectives", "Objectives"),
    ("/evaluations", "Evaluations"),
    ("/datasets", "Datasets"),
    ("/features", "Features"),
    ("/projects", "Projects"),
    ("/ledger", "Decisions"),
    ("/inbox", "Inbox"),
)


def render(
    store: Store, request: Request, template: str, *, title: str, place: str = "", status: int = 200, **values: object
) -> HTMLResponse:
    """A page: `place` is the entry of the navigation it belongs to."""
    now = store.clock.now()
    root = request.scope.get("root_path", "")
    html = (
        _environment()
        .get_template(template)
        .render(
            title=title,
            place=place,
            places=_PLACES,
            said_of=lambda kind, subject_id: thread_of(store, kind, subject_id),
            open_alerts=lambda model=None: _open_alerts(store, model),
            location=store.location,
            path=request.url.path,
            root=root,
            may_write=request.scope.get(MAY_WRITE, False),
            actor=store.actor.name,
            asset=lambda name: root + _asset(name),
            ago=lambda text: wording.ago(text, now),
            state=lambda run: wording.state_of(run, now),
            **values,
        )
    )
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def _open_alerts(store: Store, model: str | None) -> int:
    """How many alerts, of a model or of all, nobody has closed; those that are snoozed too."""
    alert = TABLES["alert"]
    asked = sa.select(sa.func.count().label("count")).select_from(alert).where(alert.c.closed.is_(None))
    if model is not None:
        asked = asked.where(alert.c.model == model)
    return int(store.select(asked)[0]["count"])


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("assay.server.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=wording.number,
        span=wording.span,
        size=wording.size,
        when=wording.when,
        quoted=wording.quoted,
        linked=wording.linked,
        hours=wording.hours,
        model_state=wording.model_state,
        online_state=wording.online_state,
        monitor_state=standings.monitor_state,
        trigger_state=standings.trigger_state,
        firing_state=standings.firing_state,
        story_state=standings.story_state,
        alert_state=standings.alert_state,
        approval_state=standings.approval_state,
        review_state=standings.review_state,
        condition_state=standings.condition_state,
        incident_state=standings.incident_state,
    )
    return environment


@functools.cache
def _asset(name: str) -> str:
    """The address of a static file below the root; it changes with the content, so that browsers may keep it."""
    content = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/pages/static/{name}?v={content}"
