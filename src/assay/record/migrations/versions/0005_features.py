"""Feature views: their versions, the log of their rows, and which models use them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "feature_view",
        *_texts("name"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        *_texts("hash", "detail"),
        *_texts("facts", nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_feature_view")),
    )
    op.create_index(op.f("ix_feature_view_hash"), "feature_view", ["hash"], unique=False)
    op.create_table(
        "feature_log",
        *_texts("view"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        *_texts("kind"),
        *[
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("rows", "first_arrival", "last_arrival", "arrived_us")
        ],
        *[sa.Column(name, sa.BigInteger(), nullable=True) for name in ("least_ts", "greatest_ts", "source_rows")],
        *_texts("source_hash", "blob", "detail", nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("view", "version", "seq", name=op.f("pk_feature_log")),
    )
    op.create_table(
        "feature_use",
        *_texts("mv_id", "view"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        *_texts("feature", "input"),
        *_evidence(),
        sa.PrimaryKeyConstraint("mv_id", "view", "version", "feature", name=op.f("pk_feature_use")),
        sa.ForeignKeyConstraint(["mv_id"], ["model_version.mv_id"], name=op.f("fk_feature_use_mv_id")),
    )
    op.create_index(op.f("ix_feature_use_view_version"), "feature_use", ["view", "version"], unique=False)


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=nullable) for name in names]


def _evidence() -> list[sa.Column[str]]:
    return [*_texts("actor", "actor_kind", "source", "ts"), *_texts("event_ts", nullable=True)]
