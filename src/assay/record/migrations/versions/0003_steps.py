"""Steps: what their keys are made of is kept once, attempts say where and how they ran, and leases who runs now."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_LEASE = ("key", "step_id", "run_id", "name", "owner", "place", "started", "expires")


def upgrade() -> None:
    op.create_table(
        "step_code",
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("detail", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_step_code")),
    )
    op.create_table(
        "lease",
        *[sa.Column(name, _TEXT, nullable=False) for name in _LEASE],
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_lease")),
    )
    op.create_index(op.f("ix_lease_run_id"), "lease", ["run_id"], unique=False)
    op.add_column("step", sa.Column("attempt", sa.Integer(), nullable=True))
    for name in ("executor", "worker", "exit", "log", "log_blob"):
        op.add_column("step", sa.Column(name, _TEXT, nullable=True))
    for name in ("cpu_s", "memory_mb"):
        op.add_column("step", sa.Column(name, sa.Float(), nullable=True))
    op.drop_index(op.f("ix_step_key"), "step")
    op.create_index(op.f("ix_step_key_state"), "step", ["key", "state"], unique=False)
    op.create_index(op.f("ix_step_name_started"), "step", ["name", "started"], unique=False)
    _code()


def _code() -> None:
    """The code that a key was made of goes to a row of its own, whose hash stands in its place."""
    connection = op.get_bind()
    known: set[str] = set()
    for text in connection.execute(sa.text("SELECT DISTINCT components FROM step")).scalars().all():
        parts = json.loads(text)
        code = _json({"code": parts.pop("code", {}), "widened": parts.pop("widened", [])})
        parts["code"] = hashlib.sha256(code.encode()).hexdigest()
        if parts["code"] not in known:
            known.add(parts["code"])
            insert = sa.text("INSERT INTO step_code (hash, detail) VALUES (:hash, :detail)")
            connection.execute(insert, {"hash": parts["code"], "detail": code})
        change = sa.text("UPDATE step SET components = :after WHERE components = :before")
        connection.execute(change, {"before": text, "after": _json(parts)})


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
