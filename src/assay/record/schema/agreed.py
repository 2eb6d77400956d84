"""Who agreed, and on what."""

from sqlalchemy import Column, Float, Index, Integer, Table

from assay.record.schema.columns import METADATA, evidence, key, required, texts

__all__: list[str] = []

Table(
    "owner",  # who has a role for a model, for all of them where the model is empty, from when to when
    METADATA,
    key("owner_id"),
    *required("model", "role", "person", "from_ts"),
    *texts("to_ts"),
    *evidence(),
    Index(None, "model"),
    Index(None, "person"),
)
Table(
    "objective",  # append-only by version: what a model is for, and what it is worth
    METADATA,
    key("objective_id"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    *required("model", "statement", "kpi", "direction", "owner", "review_due", "hash", "detail"),
    *texts("value_matrix_version", "valid_until", "ended"),
    Column("target", Float),
    Column("floor", Float),
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "model"),
)
Table(
    "kpi_obs",  # append-only: what a KPI was in a period; basis: measured | observed | estimated
    METADATA,
    key("obs_id"),
    *required("model", "kpi", "basis", "started", "ended"),
    *texts("link", "note"),
    Column("value", Float, nullable=False),
    Column("low", Float),
    Column("high", Float),
    *evidence(),
    Index(None, "model", "kpi"),
)
Table(
    "objective_review",  # opened by what changed; outcome: keep | retrain | rescope | retire
    METADATA,
    key("review_id"),
    *required("objective_id", "model", "cause", "reason", "opened", "due", "detail"),
    *texts("closed", "outcome", "words", "closed_by"),
    Column("decision", Integer),
    *evidence(),
    Index(None, "model"),
)
Table(
    "approval_rule",  # who has to agree to versions of a model: its risk tier (low | medium | high)
    METADATA,
    key("model"),
    *required("tier", "detail"),
    *evidence(),
)
Table(
    "approval_request",  # append-only, by the database too; subject: JSON, all that is approved, with hashes
    METADATA,
    key("request_id"),
    *required("mv_id", "model", "subject_hash", "subject", "requester", "tier", "detail"),
    *texts("expires", "comment"),
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "mv_id"),
)
Table(
    "approval",  # append-only, by the database too; outcome: approve | reject | withdraw
    METADATA,
    key("approval_id"),
    *required("request_id", "mv_id", "subject_hash", "requester", "approver", "approver_kind", "role", "outcome"),
    *texts("comment", "conditions", "expires", "withdraws"),
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "mv_id"),
    Index(None, "request_id"),
)
Table(
    "approval_exception",  # live without the approval it needs; kind: break_glass | one_person
    METADATA,
    key("exception_id"),
    *required("mv_id", "model", "subject_hash", "kind", "reason", "review_due"),
    *texts("not_before", "reviewed", "reviewer", "outcome", "words", "gate_id"),
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "model"),
)
Table(
    "card",  # append-only: a card as it was written; content_hash: of the model's or dataset's content then
    METADATA,
    key("card_id"),
    *required("kind", "subject", "hash", "content_hash", "blob", "sections"),
    *texts("model", "name"),
    *evidence(),
    Index(None, "subject"),
)
Table(
    "card_text",  # append-only: what only a person can say, of a model, a version or a dataset
    METADATA,
    key("text_id"),
    *required("subject_kind", "subject", "section", "text", "owner"),
    *texts("valid_until"),
    *evidence(),
    Index(None, "subject"),
)
Table(
    "signing_key",  # public halves
    METADATA,
    key("key_id"),
    *required("algorithm", "public_key", "holder"),
    *texts("revoked", "reason"),
    *evidence(),
)
Table(
    "ledger_checkpoint",  # append-only: up to entry `seq` the chain was this, and who holds the key says so
    METADATA,
    key("checkpoint_id"),
    *required("hash", "key_id", "signature", "content"),
    Column("seq", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    *evidence(),
    Index(None, "seq"),
)
Table(
    "ledger_anchor",  # append-only: the same, said where the writer of the store cannot reach
    METADATA,
    key("anchor_id"),
    *required("hash", "kind", "place", "proof"),
    *texts("checkpoint_id"),
    Column("seq", Integer, nullable=False),
    *evidence(),
    Index(None, "seq"),
)
Table(
    "signature",  # a person signs a report, a card, an evaluation
    METADATA,
    key("signature_id"),
    *required("subject_kind", "subject_id", "content_hash", "key_id", "signature"),
    *evidence(),
    Index(None, "subject_id"),
)
Table(
    "personal_data",  # what the ledger only commits to: erasing it leaves the chain valid
    METADATA,
    key("ref"),
    *required("person", "field", "commitment"),
    *texts("salt", "value", "erased"),
    *evidence(),
    Index(None, "person"),
)
