"""The audit bundle: what is on record of a model, with proof that it belongs to the ledger, for whoever trusts nobody.

It is a zip of JSON and of `verify.py`, which needs Python and nothing else. Of decisions about other models only the
hashes are in it: a signed checkpoint vouches for all hashes. The same store at the same time gives the same bytes.
"""

import base64
import inspect
import json
import re
from importlib import metadata
from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import AlreadyExists, InvalidInput, NotFound, StoreUnavailable
from assay.operation import operation
from assay.record.audit import ed25519, offline, proofs
from assay.record.audit.bundle_tables import Choice, Period, chosen, identity
from assay.record.audit.keys import Signer, keys_by_id, signer
from assay.record.audit.offline import MANIFEST, SEAL, SIGNATURE, archive
from assay.record.audit.proofs import bundle_text, canonical
from assay.record.audit.signatures import REPORT
from assay.record.audit.signed_models import MODEL
from assay.record.audit.verification import verify
from assay.record.canonical import canonical_json, digest_bytes
from assay.record.clock import iso, written_moment
from assay.record.files import write_whole
from assay.record.store import Row, Store

__all__ = ["Bundle", "export_ledger", "verifier"]

_KEYS = {"signing_key", "key_revoked"}
_OWN = re.compile(r"^from assay\S+ import (?:\([^)]*\)|[^\n]*)\n", re.MULTILINE)
_README = """\
Audit bundle of Assay. It is evidence for what it records; it decides no legal question.

Check it with Python 3.10 or newer and nothing else, in this folder or on the zip:

    python -I -S verify.py
    python -I -S verify.py BUNDLE.zip --key PUBLIC_KEY --manifest SHA256

verify.py is in here for convenience. Who altered the bundle could have altered it too: take it from an installation of
Assay that you trust (python -m assay.record.audit.bundle prints it), or compare its hash. Ask who exported the bundle,
on another way, for the SHA-256 of manifest.json, and the holders of keys for their public keys.

records/       what is on record, a file a table, a JSON object a line
ledger.jsonl   all decisions in their chain; of those about something else only the hashes
checkpoints.jsonl, keys.jsonl, anchors.jsonl, signatures.jsonl   who vouches for it
stamps/        time stamps (RFC 3161): openssl ts -verify -data X.txt -in X.tsr -CAfile AUTHORITY.pem
models.jsonl   sealed versions and the SHA-256 of each of their files
models/        their signatures: model_signing verify key FOLDER --signature X.sig --public_key X.pem
files/         cards and signed reports under their SHA-256
personal.jsonl what decisions refer to and the chain does not hold
"""


class Bundle(msgspec.Struct, frozen=True):
    """A bundle that was written. `manifest` is the SHA-256 to tell its reader besides; `verifier` of verify.py."""

    path: str
    bytes: int
    files: int
    records: int
    entries: int
    shown: int
    signed_by: str | None
    manifest: str
    verifier: str


@operation("ledger export", local=True)
def export_ledger(
    store: Store,
    path: str,
    *,
    model: Annotated[str | None, "Of this model; of all without it"] = None,
    since: Annotated[str | None, "Only what happened from then on, such as 2026-01-01"] = None,
    until: Annotated[str | None, "Only what happened before"] = None,
    personal: Annotated[bool, "Also personal data that are kept outside of the chain and not erased"] = False,
    key: Annotated[str | None, "File of your private key: you sign the bundle"] = None,
) -> Bundle:
    """Write the audit bundle of a model, or of all: records, decisions, proofs, and the script that verifies them.

    Raises NotFound for an unknown model, AlreadyExists where the file is there, InvalidInput where the ledger does not
    hold.
    """
    target, period = Path(path).expanduser().absolute(), Period(_moment(since), _moment(until))
    if target.exists():
        raise AlreadyExists(f"{path} is there already", hint="another name")
    if not target.parent.is_dir():
        raise InvalidInput(f"there is no folder {target.parent}", expected="a folder that is there")
    if model and not store.query("registered_model", {"name": model}, limit=1):
        raise NotFound(f"there is no model {model!r}", where=store.location, hint="`assay models`")
    signing = signer(store, key) if key else None
    with store.transaction():  # all of one moment
        found = verify(store)
        if not found.sound:
            raise InvalidInput(f"the ledger does not hold: {found.problems[0]}", hint="`assay ledger verify`")
        choice = chosen(store, model, period)
        files, shown = _files(store, choice, model, period, personal=personal)
        as_of = iso(store.clock.latest())
    manifest = _manifest(files, model, period, as_of, {"entries": found.entries, "head": found.head})
    content = archive(_sealed(files, manifest, signing))
    try:
        write_whole(target, content, mode=0o600)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be written: {error.strerror}") from error
    return Bundle(
        path=str(target),
        bytes=len(content),
        files=len(files),
        records=sum(map(len, choice.tables.values())),
        entries=found.entries,
        shown=shown,
        signed_by=signing.key_id if signing else None,
        manifest=digest_bytes(manifest),
        verifier=digest_bytes(files["verify.py"]),
    )


def verifier() -> str:
    """The script that verifies bundles: this room's own code, as one file of the standard library."""
    sources = map(inspect.getsource, (ed25519, proofs, offline))
    return "\n\n".join(_OWN.sub("", source) for source in sources)


def _files(
    store: Store, choice: Choice, model: str | None, period: Period, *, personal: bool
) -> tuple[dict[str, bytes], int]:
    """The files but those that vouch for them, and how many entries are shown."""
    signatures = [row for row in store.query("signature", order_by=["signature_id"]) if _is_about(row, choice, model)]
    named = choice.about | {row["subject_id"] for row in signatures}
    tables, entries = choice.tables, _entries(store, choice.tables, None if model is None else named, period)
    shown = sum("body" in row for row in entries)
    anchors = store.query("ledger_anchor", order_by=["seq", "anchor_id"])
    files = {
        "README.txt": _README.encode(),
        "verify.py": verifier().encode(),
        "tables.json": canonical_json({kind: identity(kind) for kind in tables}).encode(),
        "ledger.jsonl": _lines(entries),
        "keys.jsonl": _lines(store.query("signing_key", order_by=["ts", "key_id"])),
        "checkpoints.jsonl": _lines(store.query("ledger_checkpoint", order_by=["seq", "checkpoint_id"])),
        "anchors.jsonl": _lines(anchors),
        "signatures.jsonl": _lines(signatures),
        "models.jsonl": _lines([_sealed_files(store, row) for row in tables.get("model_version", [])]),
        "personal.jsonl": _lines(_personal(store, entries, personal)),
        **{f"records/{kind}.jsonl": _lines(rows) for kind, rows in tables.items()},
    }
    for row in (row for row in signatures if row["subject_kind"] == MODEL):
        files[f"models/{row['signature_id']}.sig"] = row["signature"].encode()
        files[f"models/{row['signature_id']}.pem"] = keys_by_id(store)[row["key_id"]]["public_key"].encode()
    blobs = {row["blob"] for row in tables.get("card", [])}
    blobs |= {row["content_hash"] for row in signatures if row["subject_kind"] == REPORT}
    files |= {f"files/{blob}": store.blobs.get(blob) for blob in sorted(blobs)}
    for row in anchors:
        if row["kind"] == "rfc3161":
            proof = json.loads(row["proof"])
            files[f"stamps/{row['anchor_id']}.txt"] = proof["text"].encode()
            files[f"stamps/{row['anchor_id']}.tsr"] = base64.b64decode(proof["answer"])
    return files, shown


def _is_about(signature: Row, choice: Choice, model: str | None) -> bool:
    of_report = signature["subject_kind"] == REPORT and signature["subject_id"].rpartition("/")[0] == model
    return model is None or of_report or signature["subject_id"] in choice.about


def _entries(store: Store, tables: dict[str, list[Row]], about: set[str] | None, period: Period) -> list[Row]:
    """All entries; those that are about nothing of that and named by no record of it, without what they say."""
    named = {row["decision"] for rows in tables.values() for row in rows if row.get("decision") is not None}
    found = []
    for row in store.query("ledger", order_by=["seq"]):
        body = json.loads(row["body"])
        subject = str(body["subject"])
        ours = about is None or subject in about or subject.partition("/")[2] in about
        if row["seq"] in named or row["kind"] in _KEYS or (ours and period.holds(body)):
            found.append(row)
        else:
            found.append({name: row[name] for name in ("seq", "prev_hash", "hash")})
    return found


def _sealed_files(store: Store, row: Row) -> Row:
    names = ("mv_id", "model", "version", "hash")
    return {**{name: row[name] for name in names}, "files": store.blobs.manifest(row["hash"]) if row["hash"] else {}}


def _personal(store: Store, entries: list[Row], personal: bool) -> list[Row]:
    """What entries that are shown refer to; values only where they are asked for."""
    text = "".join(row.get("body", "") for row in entries)
    names = ("ref", "commitment", "erased", *(("person", "field", "salt", "value") if personal else ()))
    rows = [row for row in store.query("personal_data", order_by=["ref"]) if row["ref"] in text]
    return [{name: row[name] for name in names if row[name] is not None or name == "erased"} for row in rows]


def _manifest(
    files: dict[str, bytes], model: str | None, period: Period, as_of: str, ledger: dict[str, object]
) -> bytes:
    said = {
        "format": "assay audit bundle 1",
        "assay": metadata.version("assay-mlops"),
        "as_of": as_of,
        "subject": f"model {model}" if model else "all models",
        "since": period.since,
        "until": period.until,
        "ledger": ledger,
        "files": {name: digest_bytes(content) for name, content in files.items()},
    }
    return (canonical_json(said) + "\n").encode()


def _sealed(files: dict[str, bytes], manifest: bytes, signing: Signer | None) -> dict[str, bytes]:
    sealed = {**files, MANIFEST: manifest, SEAL: f"{digest_bytes(manifest)}  {MANIFEST}\n".encode()}
    if signing:
        signature = signing.sign(bundle_text(manifest, signing.key_id))
        sealed[SIGNATURE] = (canonical({"key_id": signing.key_id, "signature": signature}) + "\n").encode()
    return sealed


def _lines(rows: list[Row]) -> bytes:
    return "".join(f"{canonical_json(row)}\n" for row in rows).encode()


def _moment(text: str | None) -> str | None:
    found = written_moment(text) if text else None
    if text and found is None:
        raise InvalidInput(f"{text!r} is no time", expected="a day such as 2026-01-31, or a time")
    return iso(found) if found else None


if __name__ == "__main__":
    print(verifier(), end="")  # noqa: T201 - the script is what is asked for
