"""The manifest of a version that is kept in parts: which they are, and what the next version need not do again.

It names the parts in order, what told the file of each apart when it was read, and the hashes of whole blocks of rows.
"""

import base64
import json

import msgspec
import pyarrow as pa

from assay.record import tables
from assay.record.blobs import Blobs
from assay.record.canonical import canonical_json

__all__ = ["PARTS", "Manifest", "Part"]

PARTS = "parts"  # the format of a version that has a manifest


class Part(msgspec.Struct, frozen=True):
    """Rows of a version. `signature` tells whether the file they came from is still the same; None where it cannot."""

    blob: str
    rows: int
    signature: str | None

    def read(self, blobs: Blobs) -> pa.Table:
        """The rows, read back and checked."""
        return tables.from_parquet(blobs.get(self.blob))


class Manifest(msgspec.Struct, frozen=True):
    """Parts in order; `blocks` are the hashes of whole blocks of rows that `ContentHash` goes on from."""

    schema: pa.Schema
    parts: list[Part]
    blocks: bytes

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(part.rows for part in self.parts)

    def keep(self, blobs: Blobs) -> str:
        """Keep the manifest as a blob. It is JSON, so that whoever clears away finds the parts in it."""
        written = {
            "schema": _text(self.schema.serialize().to_pybytes()),
            "parts": msgspec.to_builtins(self.parts),
            "blocks": _text(self.blocks),
        }
        return blobs.put(canonical_json(written).encode())

    @classmethod
    def read(cls, blobs: Blobs, digest: str) -> "Manifest":
        """The manifest that was kept under that hash."""
        found = json.loads(blobs.get(digest))
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(found["schema"])))
        return cls(schema, msgspec.convert(found["parts"], list[Part]), base64.b64decode(found["blocks"]))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
