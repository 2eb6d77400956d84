"""Requests, answers and exceptions as they stand in the store. Requests and answers are never changed."""

from typing import Literal

import msgspec

from assay.errors import NotFound
from assay.prove.approvals.conditions import Condition, read_conditions
from assay.prove.approvals.plan import Plan
from assay.prove.approvals.subject import Part, read_parts
from assay.record.clock import happened
from assay.record.models.registry import version_by_id
from assay.record.short_ids import only_row
from assay.record.store import Row, Store

__all__ = [
    "Answer",
    "ApprovalRequest",
    "ExceptionRecord",
    "answers_to",
    "exception_of",
    "exceptions_of",
    "find_exception",
    "find_request",
    "newest_request",
    "request_of",
]


class ApprovalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asked for a version to be approved: on which subject, for which plan. Times are UTC text."""

    request_id: str
    mv_id: str
    model: str
    version: int
    subject_hash: str
    requester: str
    tier: str
    plan: Plan
    parts: tuple[Part, ...]
    comment: str | None
    asked: str
    expires: str
    decision: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said to a request. `withdraws` is the id of the answer or the request that is taken back."""

    approval_id: str
    request_id: str
    subject_hash: str
    requester: str
    approver: str
    approver_kind: str
    role: str
    outcome: Literal["approve", "reject", "withdraw"]
    comment: str | None
    conditions: tuple[Condition, ...]
    expires: str | None
    withdraws: str | None
    given: str
    decision: int


class ExceptionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A version goes or went live without the approval that its model needs.

    `break_glass`: somebody overrode it. `one_person`: nobody else can agree; not before `not_before`. Both are reviewed
    until `review_due`.
    """

    exception_id: str
    model: str
    version: int
    mv_id: str
    subject_hash: str
    kind: Literal["break_glass", "one_person"]
    reason: str
    by: str
    when: str
    not_before: str | None
    review_due: str
    reviewed: str | None
    reviewer: str | None
    outcome: str | None
    words: str | None
    decision: int


def request_of(store: Store, row: Row) -> ApprovalRequest:
    """The request of a row."""
    plan, parts = read_parts(row["subject"])
    return ApprovalRequest(
        **{name: row[name] for name in _SAME["request"]},
        version=version_by_id(store, row["mv_id"]).version,
        plan=plan,
        parts=parts,
        asked=happened(row),
    )


def newest_request(store: Store, mv_id: str) -> ApprovalRequest | None:
    """The last request for a version, None where there was none."""
    rows = store.query("approval_request", {"mv_id": mv_id}, order_by=["-decision"], limit=1)
    return request_of(store, rows[0]) if rows else None


def find_request(store: Store, model_or_id: str, version: int | None = None) -> ApprovalRequest:
    """The newest request for a version, or the one of an id that begins so; NotFound otherwise."""
    if version is None:
        said = {"one": "request", "several": "requests", "hint": "`assay approve ls`"}
        return request_of(store, only_row(store, "approval_request", "request_id", model_or_id, **said))
    rows = store.query("model_version", {"model": model_or_id, "version": version, "deleted": None})
    found = newest_request(store, rows[0]["mv_id"]) if rows else None
    if found is None:
        raise NotFound(
            f"nobody has asked for an approval of {model_or_id}/{version}",
            where=store.location,
            hint=f"assay approve request {model_or_id} {version}",
        )
    return found


def answers_to(store: Store, mv_id: str) -> list[Answer]:
    """All that was said of a version, first to last."""
    rows = store.query("approval", {"mv_id": mv_id}, order_by=["decision"])
    return [
        Answer(
            **{name: row[name] for name in _SAME["answer"]},
            conditions=read_conditions(row["conditions"]),
            given=happened(row),
        )
        for row in rows
    ]


def exceptions_of(store: Store, mv_id: str) -> list[ExceptionRecord]:
    """The exceptions of a version, first to last."""
    rows = store.query("approval_exception", {"mv_id": mv_id}, order_by=["decision"])
    return [exception_of(store, row) for row in rows]


def find_exception(store: Store, exception_id: str) -> ExceptionRecord:
    """The exception of that id, or of the only one that begins so; NotFound otherwise."""
    said = {"one": "exception", "several": "exceptions", "hint": "`assay approve exceptions`"}
    return exception_of(store, only_row(store, "approval_exception", "exception_id", exception_id, **said))


def exception_of(store: Store, row: Row) -> ExceptionRecord:
    """The exception of a row."""
    return ExceptionRecord(
        **{name: row[name] for name in _SAME["exception"]},
        version=version_by_id(store, row["mv_id"]).version,
        by=row["actor"],
        when=happened(row),
    )


_SAME = {  # fields that are columns of the same name
    "request": [
        *("request_id", "mv_id", "model", "subject_hash", "requester", "tier", "comment", "expires", "decision"),
    ],
    "answer": [name for name in Answer.__struct_fields__ if name not in ("conditions", "given")],
    "exception": [name for name in ExceptionRecord.__struct_fields__ if name not in ("version", "by", "when")],
}
