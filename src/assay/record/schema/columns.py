"""What tables are made of."""

from sqlalchemy import Column, Index, MetaData, text
from sqlalchemy import Text as AnyText

__all__ = ["METADATA", "Text", "by_value", "evidence", "key", "required", "texts"]

# Text sorts and compares by code point on every backend, whatever the language of a PostgreSQL database.
Text = AnyText().with_variant(AnyText(collation="C"), "postgresql")

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def evidence() -> list[Column[str]]:
    """Who recorded the row, when, and how strong it is as evidence."""
    return [
        Column("actor", Text, nullable=False),
        Column("actor_kind", Text, nullable=False),  # human | service
        Column("source", Text, nullable=False),  # native | imported | attested
        Column("ts", Text, nullable=False),
        Column("event_ts", Text),
    ]


def key(name: str) -> Column[str]:
    """A text by which rows are found, alone or with others."""
    return Column(name, Text, primary_key=True)


def texts(*names: str) -> list[Column[str]]:
    """Texts that may be missing."""
    return [Column(name, Text) for name in names]


def required(*names: str) -> list[Column[str]]:
    """Texts that may not."""
    return [Column(name, Text, nullable=False) for name in names]


def by_value(kind: str) -> Index:
    """Finds rows by key and the beginning of the value: PostgreSQL refuses long texts in an index."""
    return Index(f"ix_{kind}_key_value", "key", text("substr(value, 1, 200)"))
