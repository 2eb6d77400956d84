"""What needs somebody, decision records, and the form by which something is said on the page of any record."""

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput, NotFound
from assay.record.clock import iso
from assay.record.lengths import checked_length
from assay.record.store import Store
from assay.record.talk.addressing import checked_addressees, known_people
from assay.record.talk.comments import find_comment, put_comment, put_question
from assay.record.talk.deciding import list_records
from assay.record.talk.decision_records import record_of
from assay.record.talk.notices import notices_for, read_notices
from assay.record.talk.subjects import page_of, subject_by_id
from assay.record.talk.talking import questions_for
from assay.server.pages.forms import Form, acting_as, user_of
from assay.server.pages.rendering import render
from assay.server.pages.wording import quoted

__all__ = ["add_comment", "read", "show_inbox", "show_record", "show_records"]

_LISTED = 200
_READ = 20
WITHIN = {"1d": "1 day", "3d": "3 days", "5d": "5 days", "14d": "2 weeks"}


def show_inbox(store: Store, request: Request) -> Response:
    """What needs `who`: who is logged in, or who acts for the server, where nobody is named."""
    who = request.query_params.get("who", "").strip() or user_of(request) or store.actor.name
    notices = notices_for(store, {"person": who}, read=True, look=False)
    open_ones = [one for one in notices if one.read is None]
    now = iso(store.clock.latest())
    overdue = store.query("decision_record", {"review_due <": now}, order_by=["review_due"], limit=_LISTED)
    records = [record_of(store, row) for row in overdue]
    return render(
        store,
        request,
        "inbox.html",
        title=f"What needs {who}",
        place="/inbox",
        who=who,
        mine=not user_of(request) or user_of(request) == who,
        people=sorted(known_people(store)),
        notices=open_ones[:_LISTED],
        seen_before=[one for one in notices if one.read is not None][:_READ],
        questions=questions_for(store, who),
        reviews=[one for one in records if one.overdue and who in (one.actor, *one.said.deciders)],
    )


def show_records(store: Store, request: Request) -> Response:
    """Decision records, newest first; with `all` those that were superseded, too."""
    everything = "all" in request.query_params
    return render(
        store,
        request,
        "records.html",
        title="Decision records",
        place="/ledger",
        everything=everything,
        records=list_records(store, everything=everything, limit=_LISTED),
    )


def show_record(store: Store, request: Request) -> Response:
    """A decision record by its id."""
    rows = store.query("decision_record", {"record_id": request.path_params["record_id"]})
    if not rows:
        asked = request.path_params["record_id"]
        raise NotFound(f"no decision record has the id {asked}", where=store.location, hint="the list of them")
    found = record_of(store, rows[0])
    pages = {one.subject: page_of(one.subject, one.id) for one in found.said.evidence}
    about = page_of(found.subject, rows[0]["subject_id"]) if found.subject else None
    return render(
        store, request, "record.html", title=found.title, place="/ledger", record=found, pages=pages, about=about
    )


def add_comment(store: Store, request: Request, form: Form) -> str:
    """Say or ask something about the record that the form names; returns the address of its page."""
    store = acting_as(store, request, form)
    with store.transaction():
        subject = subject_by_id(store, form.one("kind"), form.one("id"))
        if subject is None:
            raise NotFound(f"there is no {form.one('kind')} {form.one('id')!r}", where=store.location)
        text, to = form.one("text"), form.one("to").strip()
        answers = form.one("answers").strip()
        if to and answers:
            raise InvalidInput("an answer is not a question", expected="one of them")
        if to:
            names = [part.strip() for part in to.split(",") if part.strip()]
            length = checked_length(form.one("within") or "5d", "within", zero=False)
            made = put_question(store, subject, text, to=checked_addressees(store, names), within=length)
        else:
            whole = find_comment(store, answers)["comment_id"] if answers else None
            made = put_comment(store, subject, text, answers=whole)
    return f"{page_of(subject.text, subject.id) or '/inbox'}#said-{made.comment_id}"


def read(store: Store, request: Request, form: Form) -> str:
    """Say that a notice, or all of somebody's, was read."""
    store = acting_as(store, request, form)
    read_notices(store, form.one("notice"))
    return f"/inbox?who={quoted(store.actor.name)}"
