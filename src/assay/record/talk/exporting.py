"""What was said and decided, in files that other tools read: nobody is locked in."""

import csv
import io
import json
from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.canonical import canonical_json
from assay.record.csv_text import cell
from assay.record.files import write_whole
from assay.record.store import Row, Store
from assay.record.talk.addressing import addressed
from assay.record.talk.decision_records import record_of
from assay.record.talk.madr import as_markdown, file_name
from assay.record.talk.subjects import resolve, spelled

__all__ = ["COMMENT", "RECORD", "TalkFile", "export_records", "export_talk"]

COMMENT, RECORD = "comment", "decision record"
COMMENT_FIELDS = (  # of a row, as they stand in a file
    "subject_kind", "subject_id", "thread", "kind", "text", "mentions", "due", "closed", "closed_by", "outcome",
    "actor", "actor_kind", "ts", "event_ts",
)  # fmt: skip
RECORD_FIELDS = (
    "title", "kind", "status", "subject_kind", "subject_id", "review_due", "supersedes", "detail", "actor",
    "actor_kind", "ts", "event_ts",
)  # fmt: skip
_COLUMNS = ("id", "thread", "subject", "kind", "text", "to", "by", "when", "due", "closed", "closed by", "outcome")


class TalkFile(msgspec.Struct, frozen=True):
    """A file or folder that was written, and how much is in it."""

    path: str
    comments: int
    decision_records: int


@operation("comment export", local=True)
def export_talk(
    store: Store,
    path: str,
    *,
    subject: Annotated[str | None, "Only what was said of this record"] = None,
    overwrite: Annotated[bool, "Replace a file that is there"] = False,
) -> TalkFile:
    """Write comments, questions and decision records to a file: JSON lines, or comments alone as CSV.

    Each line of JSON has all that is known, with an `origin` by which it is brought in once only. In CSV no cell is a
    formula.
    """
    target = _target(path, overwrite)
    where: Row = {}
    if subject is not None:
        about = resolve(store, subject)
        where = {"subject_kind": about.kind, "subject_id": about.id}
    comments = store.query("comment", where, order_by=["ts", "comment_id"])
    if target.suffix == ".csv":
        write_whole(target, _as_csv(store, comments).encode(), mode=0o644)
        return TalkFile(path, len(comments), 0)
    records = store.query("decision_record", where, order_by=["decision"])
    lines = [canonical_json(_comment(store, row)) for row in comments]
    lines += [canonical_json(_record(store, row)) for row in records]
    write_whole(target, "".join(f"{line}\n" for line in lines).encode(), mode=0o644)
    return TalkFile(path, len(comments), len(records))


@operation("decide export", local=True)
def export_records(
    store: Store,
    folder: str,
    *,
    overwrite: Annotated[bool, "Replace files that are there"] = False,
) -> TalkFile:
    """Write each decision record as a Markdown file in the form of MADR 4 into a folder, which is made."""
    place = Path(folder).absolute()
    if place.exists() and not place.is_dir():
        raise InvalidInput(f"{folder} is a file", expected="a folder")
    found = [record_of(store, row) for row in store.query("decision_record", order_by=["decision"])]
    names = [file_name(one) for one in found]
    there = next((name for name in names if (place / name).exists()), None)
    if there is not None and not overwrite:
        raise InvalidInput(f"{folder}/{there} is there already", hint="another folder, or --overwrite")
    place.mkdir(parents=True, exist_ok=True)
    for name, one in zip(names, found, strict=True):
        write_whole(place / name, as_markdown(one).encode(), mode=0o644)
    return TalkFile(folder, 0, len(found))


def _target(path: str, overwrite: bool) -> Path:
    target = Path(path).absolute()
    if target.suffix not in (".jsonl", ".csv"):
        raise InvalidInput(f"comments cannot be written to {path}", expected="a file that ends with .jsonl or .csv")
    if target.is_dir() or (target.exists() and not overwrite):
        raise InvalidInput(f"{path} is there already", hint="another name, or --overwrite")
    if not target.parent.is_dir():
        raise InvalidInput(f"there is no folder {target.parent}", expected="a folder that is there")
    return target


def _comment(store: Store, row: Row) -> dict[str, object]:
    kept = {name: row[name] for name in COMMENT_FIELDS}
    kept["mentions"] = json.loads(row["mentions"] or "{}")
    subject = spelled(store, row["subject_kind"], row["subject_id"])
    return {"what": COMMENT, "origin": row["origin"] or row["comment_id"], "subject": subject, **kept}


def _record(store: Store, row: Row) -> dict[str, object]:
    kept = {name: row[name] for name in RECORD_FIELDS}
    kept["detail"] = json.loads(row["detail"])
    about = spelled(store, row["subject_kind"], row["subject_id"]) if row["subject_kind"] else None
    return {"what": RECORD, "origin": row["origin"] or row["record_id"], "subject": about, **kept}


def _as_csv(store: Store, rows: list[Row]) -> str:
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(_COLUMNS)
    for row in rows:
        to = addressed(row)
        subject = spelled(store, row["subject_kind"], row["subject_id"])
        cells = [row["origin"] or row["comment_id"], row["thread"], subject, row["kind"], row["text"]]
        cells += [" ".join([*to.people, *(f"role:{role}" for role in to.roles)]), row["actor"], row["ts"]]
        cells += [row[name] for name in ("due", "closed", "closed_by", "outcome")]
        table.writerow([cell(one or "") for one in cells])
    return written.getvalue()
