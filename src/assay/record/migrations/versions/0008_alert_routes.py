"""Which alerts go to whom: routes beside the rules of a model's alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("alert_rule", sa.Column("routes", _TEXT, nullable=True))
