"""The ledger."""

from sqlalchemy import Column, Integer, Table

from assay.record.schema.columns import METADATA, key, required

__all__: list[str] = []

Table(
    "ledger",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    *required("prev_hash", "hash", "kind", "body"),
)
Table(
    "ledger_head",  # one row: what the last entry is, so that a removed tail is noticed
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),
    *required("hash"),
)
Table("store_meta", METADATA, key("key"), *required("value"))
