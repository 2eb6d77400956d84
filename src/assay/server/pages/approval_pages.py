"""Approvals: what waits for whom, one with all its parts and their evidence, and the forms of those who answer."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput, NotFound
from assay.prove.approvals.answering import give_approval, reject_request, withdraw_approval
from assay.prove.approvals.conditions import FORMS
from assay.prove.approvals.exceptions import OUTCOMES, is_overdue, overridden, review_exception
from assay.prove.approvals.records import ApprovalRequest, request_of
from assay.prove.approvals.showing import ApprovalDetail, list_approvals, told_approval
from assay.record.clock import moment
from assay.record.store import Store
from assay.server.pages.forms import Form, acting_as, check_seen, seen_of
from assay.server.pages.rendering import render
from assay.server.pages.wording import quoted

__all__ = ["edit", "review", "show", "show_all"]

_LISTED = 200
STATES = {"waiting": "waiting for somebody", "all": "all"}


def show_all(store: Store, request: Request) -> Response:
    """What waits for an approval and what went past one; of one `model` or for one `person` where that is asked."""
    asked = request.query_params
    state, model, person = asked.get("state", "waiting"), asked.get("model") or None, asked.get("person") or None
    if state not in STATES:
        raise InvalidInput(f"there is no state {state!r}", expected=" | ".join(STATES))
    found = list_approvals(store, model=model, person=person, all_=state == "all", limit=_LISTED)
    now = store.clock.latest()
    past = overridden(store, now, model=model)
    return render(
        store,
        request,
        "approvals.html",
        title=f"Approvals of {model}" if model else "Approvals",
        place="/approvals",
        model=model,
        person=person,
        chosen=state,
        states=STATES,
        approvals=found,
        past=past,
        late={one.exception_id for one in past.exceptions if is_overdue(one, now)},
        outcomes=OUTCOMES,
        seen={one.exception_id: seen_of([one.reviewed]) for one in past.exceptions},
        asks=bool(store.query("approval_rule", {"tier !=": "low"}, limit=1)),
    )


def show(store: Store, request: Request) -> Response:
    """A request by its id, as its version stands now."""
    asked = _request(store, request.path_params["request_id"])
    detail = told_approval(store, asked.mv_id)
    now = detail.now
    return render(
        store,
        request,
        "approval.html",
        title=f"Approval of {asked.model}/{asked.version}",
        place="/approvals",
        asked=asked,
        newest=detail.requests[-1],
        now=now,
        live=detail.live,
        made_by=detail.made_by,
        requests=detail.requests,
        exceptions=detail.exceptions,
        changed={one.part: one for one in now.changed},
        evidence=_evidence(detail),
        forms=FORMS,
        answerable=now.state in ("waiting", "approved", "conditions", "rejected", "one person"),
        until=(moment(asked.expires)).date().isoformat(),
        seen=seen_of(_state(detail)),
    )


def edit(store: Store, request: Request, form: Form) -> str:
    """Approve, reject or take back, as the field `do` says; returns the address of the page."""
    what = form.one("do")
    acting = _named(store, request, form)
    with acting.transaction():
        asked = _request(acting, request.path_params["request_id"])
        check_seen(form, _state(told_approval(acting, asked.mv_id)))
        comment = form.one("comment").strip()
        if what == "approve":
            conditions = [line.strip() for line in form.one("conditions").splitlines() if line.strip()]
            until = form.one("until").strip() or None
            give_approval(acting, asked.request_id, comment=comment or None, until=until, if_=conditions)
        elif what in _OTHERS:
            _OTHERS[what](acting, asked.request_id, comment=comment)
        else:
            raise InvalidInput(f"nothing is done by {what!r}", expected="approve | reject | withdraw")
    return f"/approvals/{quoted(asked.request_id)}"


def review(store: Store, request: Request, form: Form) -> str:
    """Keep what somebody says who looks again at what went past an approval."""
    acting = _named(store, request, form)
    with acting.transaction():
        rows = acting.query("approval_exception", {"exception_id": form.one("exception")})
        if not rows:
            raise NotFound("there is no such exception", where=acting.location, hint="the list of approvals")
        check_seen(form, [rows[0]["reviewed"]])
        review_exception(
            acting, rows[0]["exception_id"], outcome=form.one("outcome"), comment=form.one("comment").strip()
        )
    return "/approvals"


_OTHERS: dict[str, Callable[..., object]] = {"reject": reject_request, "withdraw": withdraw_approval}


def _named(store: Store, request: Request, form: Form) -> Store:
    """The store with who sent the form: an approval is a person's word, never that of whoever runs the server."""
    acting = acting_as(store, request, form)
    if acting is store:
        raise InvalidInput("nobody says it", expected="your name: an approval is a person's word")
    return acting


def _request(store: Store, asked: str) -> ApprovalRequest:
    rows = store.query("approval_request", {"request_id": asked})
    if not rows:
        raise NotFound(f"no approval request has the id {asked}", where=store.location, hint="the list of approvals")
    return request_of(store, rows[0])


def _state(detail: ApprovalDetail) -> list[Any]:
    """What people answer to: the subject as it is now, and what was said before."""
    now = detail.now
    last = now.request.request_id if now.request else None
    return [now.subject_hash, last, now.state, [[one.approval_id, one.fault] for one in now.answers]]


def _evidence(detail: ApprovalDetail) -> dict[str, str]:
    """The pages on which the evidence of parts is."""
    now = detail.now
    found = {"model": f"/models/{quoted(now.model)}/{now.version}"}
    for part in now.parts:
        if part.name == "evaluation" and part.page:
            found["evaluation"] = f"/evaluations/{quoted(part.page.rpartition('/')[2])}"
    return found
