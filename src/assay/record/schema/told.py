"""Conversation, and who is told."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table

from assay.record.schema.columns import METADATA, evidence, key, required, texts

__all__: list[str] = []

Table(
    "comment",  # kind: comment | question | answer; a thread has the id of its first
    METADATA,
    key("comment_id"),
    *required("subject_kind", "subject_id", "thread", "kind", "text"),
    *texts("mentions", "due", "closed", "closed_by", "outcome", "origin"),
    *evidence(),
    Index(None, "subject_id"),
    Index(None, "thread"),
)
Table(
    "decision_record",  # append-only: why something was decided so (MADR), with the hashes of its evidence
    METADATA,
    key("record_id"),
    *required("title", "kind", "status", "detail"),
    *texts("model", "subject_kind", "subject_id", "review_due", "supersedes", "origin"),
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "model"),
)
Table(
    "notice_rule",  # which role has to know of which events, how soon
    METADATA,
    key("rule_id"),
    *required("event", "role", "severity", "detail"),
    *texts("model", "ended"),
    *evidence(),
)
Table(
    "notice",  # who had to know, was told, read it, acted
    METADATA,
    key("notice_id"),
    *required("event_id", "event", "role", "person", "severity", "subject_kind", "subject_id", "words"),
    *texts("model", "due", "sent", "read", "acted", "how", "escalated"),
    *evidence(),
    Index(None, "person"),
    Index(None, "event_id"),
    Index(None, "subject_id"),
)
Table(
    "webhook",
    METADATA,
    key("webhook_id"),
    *required("name", "url", "events", "status", "form", "created", "updated"),
    *texts("description", "secret", "deleted"),
    *texts("least", "digest"),  # the lowest severity that is told; how long several things wait for one message
    *texts("audience"),  # a person, or role:NAME, whose notices alone go there
    *evidence(),
)
Table(
    "outbox",  # written in the transaction of the change it tells of
    METADATA,
    key("event_id"),
    *required("event", "payload"),
    *texts("noticed"),  # when it was found out who has to know
    *evidence(),
    Index(None, "noticed"),
)
Table(
    "delivery",
    METADATA,
    Column("event_id", ForeignKey("outbox.event_id"), primary_key=True),
    Column("webhook_id", ForeignKey("webhook.webhook_id"), primary_key=True),
    *required("state"),  # waiting | delivered | dead
    Column("attempts", Integer, nullable=False),
    *texts("due", "delivered", "answer"),
    Index(None, "state", "due"),
)
