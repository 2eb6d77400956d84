"""Objectives, approvals, cards, conversation, notices by role, and what makes the ledger hold against its owner."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


_REFUSE = {
    "sqlite": """
        CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
        BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END""",
    "postgresql": """
        CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION approval_refuse()""",
}

_REFUSE_AGAIN = """
    CREATE TRIGGER {table}_no_REPLACE BEFORE INSERT ON {table}
    WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})
    BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END"""


def upgrade() -> None:
    _people()
    _objectives()
    _approvals()
    _cards()
    _sealing()
    _conversation()
    _addressing()
    _append_only_approvals()


def _append_only_approvals() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION approval_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'approvals are append-only'; END $$"
        )
    for table, key in (("approval", "approval_id"), ("approval_request", "request_id")):
        for verb in ("UPDATE", "DELETE", "TRUNCATE") if dialect == "postgresql" else ("UPDATE", "DELETE"):
            op.execute(_REFUSE[dialect].format(table=table, verb=verb))
        if dialect == "sqlite":  # REPLACE does not call the trigger of DELETE
            op.execute(_REFUSE_AGAIN.format(table=table, key=key))


def _people() -> None:
    _table("owner", ["owner_id"], ["model", "role", "person", "from_ts"], ["to_ts"], indexes=[["model"], ["person"]])


def _objectives() -> None:
    _table(
        "objective",
        ["objective_id"],
        ["model", "statement", "kpi", "direction", "owner", "review_due", "hash", "detail"],
        ["value_matrix_version", "valid_until", "ended"],
        numbers=[
            sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("target", sa.Float(), nullable=True),
            sa.Column("floor", sa.Float(), nullable=True),
            sa.Column("decision", sa.Integer(), nullable=False),
        ],
        more_keys=["version"],
        indexes=[["model"]],
    )
    _table(
        "kpi_obs",
        ["obs_id"],
        ["model", "kpi", "basis", "started", "ended"],
        ["link", "note"],
        numbers=[
            sa.Column("value", sa.Float(), nullable=False),
            sa.Column("low", sa.Float(), nullable=True),
            sa.Column("high", sa.Float(), nullable=True),
        ],
        indexes=[["model", "kpi"]],
    )
    _table(
        "objective_review",
        ["review_id"],
        ["objective_id", "model", "cause", "reason", "opened", "due", "detail"],
        ["closed", "outcome", "words", "closed_by"],
        numbers=[sa.Column("decision", sa.Integer(), nullable=True)],
        indexes=[["model"]],
    )


def _approvals() -> None:
    op.add_column("run", sa.Column("code_authors", _TEXT, nullable=True))
    op.add_column("deployment", sa.Column("subject_hash", _TEXT, nullable=True))
    _table("approval_rule", ["model"], ["tier", "detail"], [])
    _table(
        "approval_request",
        ["request_id"],
        ["mv_id", "model", "subject_hash", "subject", "requester", "tier", "detail"],
        ["expires", "comment"],
        numbers=[sa.Column("decision", sa.Integer(), nullable=False)],
        indexes=[["mv_id"]],
    )
    _table(
        "approval",
        ["approval_id"],
        ["request_id", "mv_id", "subject_hash", "requester", "approver", "approver_kind", "role", "outcome"],
        ["comment", "conditions", "expires", "withdraws"],
        numbers=[sa.Column("decision", sa.Integer(), nullable=False)],
        indexes=[["mv_id"], ["request_id"]],
    )
    _table(
        "approval_exception",
        ["exception_id"],
        ["mv_id", "model", "subject_hash", "kind", "reason", "review_due"],
        ["not_before", "reviewed", "reviewer", "outcome", "words", "gate_id"],
        numbers=[sa.Column("decision", sa.Integer(), nullable=False)],
        indexes=[["model"]],
    )


def _cards() -> None:
    _table(
        "card",
        ["card_id"],
        ["kind", "subject", "hash", "content_hash", "blob", "sections"],
        ["model", "name"],
        indexes=[["subject"]],
    )
    _table(
        "card_text",
        ["text_id"],
        ["subject_kind", "subject", "section", "text", "owner"],
        ["valid_until"],
        indexes=[["subject"]],
    )


def _sealing() -> None:
    _table("signing_key", ["key_id"], ["algorithm", "public_key", "holder"], ["revoked", "reason"])
    _table(
        "ledger_checkpoint",
        ["checkpoint_id"],
        ["hash", "key_id", "signature", "content"],
        [],
        numbers=[
            sa.Column("seq", sa.Integer(), nullable=False),
            sa.Column("count", sa.Integer(), nullable=False),
        ],
        indexes=[["seq"]],
    )
    _table(
        "ledger_anchor",
        ["anchor_id"],
        ["hash", "kind", "place", "proof"],
        ["checkpoint_id"],
        numbers=[sa.Column("seq", sa.Integer(), nullable=False)],
        indexes=[["seq"]],
    )
    _table(
        "signature",
        ["signature_id"],
        ["subject_kind", "subject_id", "content_hash", "key_id", "signature"],
        [],
        indexes=[["subject_id"]],
    )
    _table(
        "personal_data",
        ["ref"],
        ["person", "field", "commitment"],
        ["salt", "value", "erased"],
        indexes=[["person"]],
    )


def _conversation() -> None:
    _table(
        "comment",
        ["comment_id"],
        ["subject_kind", "subject_id", "thread", "kind", "text"],
        ["mentions", "due", "closed", "closed_by", "outcome", "origin"],
        indexes=[["subject_id"], ["thread"]],
    )
    _table(
        "decision_record",
        ["record_id"],
        ["title", "kind", "status", "detail"],
        ["model", "subject_kind", "subject_id", "review_due", "supersedes", "origin"],
        numbers=[sa.Column("decision", sa.Integer(), nullable=False)],
        indexes=[["model"]],
    )
    _table(
        "notice_rule",
        ["rule_id"],
        ["event", "role", "severity", "detail"],
        ["model", "ended"],
    )
    _table(
        "notice",
        ["notice_id"],
        ["event_id", "event", "role", "person", "severity", "subject_kind", "subject_id", "words"],
        ["model", "due", "sent", "read", "acted", "how", "escalated"],
        indexes=[["person"], ["event_id"], ["subject_id"]],
    )


def _addressing() -> None:
    op.add_column("webhook", sa.Column("audience", _TEXT, nullable=True))
    op.add_column("outbox", sa.Column("noticed", _TEXT, nullable=True))
    op.execute("UPDATE outbox SET noticed = ts")  # what happened before is nobody's news
    op.create_index(op.f("ix_outbox_noticed"), "outbox", ["noticed"], unique=False)


def _table(
    name: str,
    keys: list[str],
    required: list[str],
    optional: list[str],
    *,
    numbers: list[sa.Column[object]] | None = None,
    more_keys: list[str] | None = None,
    indexes: list[list[str]] | None = None,
) -> None:
    op.create_table(
        name,
        *(sa.Column(column, _TEXT, nullable=False) for column in (*keys, *required)),
        *(sa.Column(column, _TEXT, nullable=True) for column in optional),
        *(numbers or ()),
        *(sa.Column(column, _TEXT, nullable=False) for column in ("actor", "actor_kind", "source", "ts")),
        sa.Column("event_ts", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint(*keys, *(more_keys or ()), name=op.f(f"pk_{name}")),
    )
    for columns in indexes or ():
        op.create_index(op.f(f"ix_{name}_{'_'.join(columns)}"), name, columns, unique=False)
