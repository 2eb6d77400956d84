"""Ideas: what might make a model better, and what came of trying it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "idea",
        *_texts("idea_id", "model", "text"),
        *_texts("technique", "origin", "metric", nullable=True),
        sa.Column("expected_gain", sa.Float(), nullable=True),
        *_evidence(),
        sa.PrimaryKeyConstraint("idea_id", name=op.f("pk_idea")),
    )
    op.create_index(op.f("ix_idea_model"), "idea", ["model"], unique=False)
    op.create_table(
        "idea_try",
        *_texts("try_id", "idea_id", "mv_id", "baseline_mv_id", "evaluation_id"),
        *_texts("gate_id", "verdict", nullable=True),
        *_texts("metric", "outcome"),
        *[sa.Column(name, sa.Float(), nullable=True) for name in ("gain", "low", "high")],
        *_evidence(),
        sa.PrimaryKeyConstraint("try_id", name=op.f("pk_idea_try")),
        sa.ForeignKeyConstraint(["idea_id"], ["idea.idea_id"], name=op.f("fk_idea_try_idea_id")),
    )
    op.create_index(op.f("ix_idea_try_idea_id"), "idea_try", ["idea_id"], unique=False)


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, _TEXT, nullable=nullable) for name in names]


def _evidence() -> list[sa.Column[str]]:
    return [*_texts("actor", "actor_kind", "source", "ts"), *_texts("event_ts", nullable=True)]
