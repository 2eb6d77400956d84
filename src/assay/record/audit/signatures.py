"""People's signatures on records: who answers for a report, a card, an evaluation, and when they signed it."""

from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound, Refused, nearest
from assay.operation import operation
from assay.record.audit.keys import signer
from assay.record.audit.proofs import signed_text
from assay.record.canonical import digest
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.ledger import decide
from assay.record.short_ids import only_row
from assay.record.store import Row, Store

__all__ = ["REPORT", "Signature", "contents_now", "list_signatures", "sign"]

REPORT = "report"  # a file, which is kept with its signature
SIGNED = {  # kinds of records that never change once they are there, and the columns of their ids
    "approval": "approval_id",
    "card": "card_id",
    "decision_record": "record_id",
    "evaluation": "evaluation_id",
    "gate": "id",
    "test_result": "id",
}


class Signature(msgspec.Struct, frozen=True):
    """A signature of a person. `content_hash` is of the record as it was then, or of the file.

    `subject_id` is the record's id; of a report the model, a slash and the hash.
    """

    signature_id: str
    subject_kind: str
    subject_id: str
    content_hash: str
    actor: str
    key_id: str
    signature: str
    ts: str
    event_ts: str | None


@operation("sign", local=True)
def sign(
    store: Store,
    kind: str,
    record: str,
    *,
    key: Annotated[str | None, "File of your private key; else what ASSAY_SIGNING_KEY says"] = None,
    model: Annotated[str | None, "Of a report: which model it is about"] = None,
) -> Signature:
    """Sign a record with your key: an evaluation, a gate, a card, an approval, or the file of a report.

    The first characters of an id are enough; a report is named by the path of its file, which is kept.

    Raises Refused for somebody else's key, and for services: people sign.
    """
    signing = signer(store, key)
    holder = store.get("signing_key", {"key_id": signing.key_id})["holder"]
    if store.actor.kind != "human":
        raise Refused(f"{store.actor.name} is a service, and people sign")
    if holder != store.actor.name:
        raise Refused(f"key {signing.key_id[:12]} is that of {holder}, and you are {store.actor.name}")
    if (kind == REPORT) != (model is not None):
        raise InvalidInput("which model a report is about is said, and of nothing else", expected="report with --model")
    if model is not None:
        content_hash = _keep_report(store, record, model)
        subject = f"{model}/{content_hash}"
    else:
        row = only_row(
            store, kind, _column(kind), record, one=kind, several=f"{kind}s", hint="its id, as `--json` shows it"
        )
        subject, content_hash = row[_column(kind)], digest(row)
    signed: Row = {
        "signature_id": ordered_id(),
        "subject_kind": kind,
        "subject_id": subject,
        "content_hash": content_hash,
        "key_id": signing.key_id,
        "actor": store.actor.name,
        "ts": iso(store.clock.now()),
        "event_ts": iso(store.clock.event) if store.clock.event else None,
    }
    signed["signature"] = signing.sign(signed_text(signed))
    with store.transaction():
        store.append("signature", signed)
        decide(store, "signature", f"{kind}/{subject}", {"content_hash": content_hash, "key": signing.key_id})
    return _signature(signed)


@operation("signatures")
def list_signatures(store: Store, subject: Annotated[str | None, "Id of the record"] = None) -> list[Signature]:
    """List who signed which records, newest first, or those of one record."""
    where = {"subject_id prefix": subject} if subject else {}
    rows = store.query("signature", where, order_by=["-signature_id"])
    return [_signature(row) for row in rows]


def contents_now(store: Store, signatures: list[Row]) -> dict[tuple[str, str], str]:
    """The hashes of the records that were signed as they are now, by kind and id; empty where one is gone."""
    found = {}
    for row in signatures:
        kind, subject = row["subject_kind"], row["subject_id"]
        if kind == REPORT:
            found[kind, subject] = row["content_hash"] if store.blobs.has(subject.rpartition("/")[2]) else ""
        elif kind in SIGNED:
            rows = store.query(kind, {SIGNED[kind]: subject})
            found[kind, subject] = digest(rows[0]) if rows else ""
    return found


def _keep_report(store: Store, file: str, model: str) -> str:
    if not store.query("registered_model", {"name": model}, limit=1):
        raise NotFound(f"there is no model {model!r}", where=store.location, hint="`assay models`")
    try:
        return store.blobs.put_file(Path(file))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", expected="the file of a report") from error


def _column(kind: str) -> str:
    if kind not in SIGNED:
        close = nearest(kind, [*SIGNED, REPORT])
        raise InvalidInput(
            f"a record of kind {kind!r} cannot be signed",
            expected=", ".join([*SIGNED, REPORT]),
            hint=f"did you mean {close!r}?" if close else None,
        )
    return SIGNED[kind]


def _signature(row: Row) -> Signature:
    return Signature(**{name: row[name] for name in Signature.__struct_fields__})
