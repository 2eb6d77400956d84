"""What people talk about: any record, spelled as its kind, a colon and its name, such as `version:churn/3`."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from assay.errors import AssayError, InvalidInput, NotFound, nearest
from assay.record.canonical import digest
from assay.record.models.registry import find_version
from assay.record.short_ids import only_row
from assay.record.store import Row, Store

__all__ = ["KINDS", "NAMED_KINDS", "Subject", "page_of", "resolve", "spelled", "subject_by_id"]

_SHORT, _ID = 8, 32


class Subject(msgspec.Struct, frozen=True):
    """A record that is talked about. `text` is how it is spelled, `content` the hash of what it holds now.

    `kind` and `id` name it for good: the id of a version stays when its model is renamed.
    """

    kind: str
    id: str
    text: str
    model: str | None
    content: str


class _Kind(NamedTuple):
    """Where records of a kind stand; `name` is a column by which people know them, beside the beginning of the id."""

    table: str
    key: str
    hint: str
    name: str | None = None
    content: str | None = None
    page: str | None = None


_KINDS: dict[str, _Kind] = {
    "alert": _Kind("alert", "alert_id", "`assay monitor alerts --state all`", page="/alerts/"),
    "approval": _Kind(
        "approval_request", "request_id", "the list of approvals", content="subject_hash", page="/approvals/"
    ),
    "card": _Kind("card", "card_id", "the cards", content="hash"),
    "comment": _Kind("comment", "comment_id", "`assay comment ls`"),
    "dataset": _Kind("artifact", "name", "`assay data list`", "name", "hash", "/datasets?name="),
    "decision": _Kind("ledger", "seq", "`assay ledger list`", content="hash", page="/ledger?before="),
    "endpoint": _Kind("route", "endpoint", "`assay endpoint list`", "endpoint", page="/endpoints/"),
    "evaluation": _Kind("evaluation", "evaluation_id", "the page of evaluations", page="/evaluations/"),
    "experiment": _Kind("experiment", "experiment_id", "`assay runs`", "name", page="/experiments/"),
    "features": _Kind("feature_view", "name", "`assay features list`", "name", "hash", "/features/"),
    "gate": _Kind("gate", "id", "`assay ledger list --kind gate`"),
    "incident": _Kind("incident", "incident_id", "`assay incident ls --state all`", page="/incidents/"),
    "model": _Kind("registered_model", "model_key", "`assay models`", "name", page="/models/"),
    "monitor": _Kind("monitor", "monitor_id", "`assay monitor list`", "name", page="/monitors/"),
    "objective": _Kind("objective", "objective_id", "the list of objectives", "model", "hash", "/objectives/"),
    "project": _Kind("project", "project", "`assay project list`", "project", page="/projects/"),
    "record": _Kind("decision_record", "record_id", "`assay decide ls`", page="/records/"),
    "release": _Kind("rollout", "rollout_id", "`assay release ls`", page="/releases/"),
    "retraining": _Kind("retraining", "story_id", "`assay watch ls`", page="/stories/"),
    "run": _Kind("run", "run_id", "`assay runs`", page="/runs/"),
    "test": _Kind("online_test", "test_id", "`assay test ls`", "name", page="/tests/"),
    "trigger": _Kind("trigger_def", "trigger_id", "`assay triggers`", "name"),
    "version": _Kind("model_version", "mv_id", "`assay models`", content="hash", page="/models/"),
}
KINDS = tuple(_KINDS)
NAMED_KINDS = ("dataset", "endpoint", "features", "model", "objective", "project", "version")
"""Known by a name that says which, not by the beginning of an id."""
_LATEST = {"artifact": "-created", "route": "-revision", "feature_view": "-version", "objective": "-version"}


def resolve(store: Store, text: str) -> Subject:
    """The record that a text names. InvalidInput for what names none, NotFound for one that is not there.

    Both say the nearest right spelling. Ids may be shortened; a number alone after `decision:` is an entry of the
    ledger.
    """
    kind, colon, name = text.strip().partition(":")
    if not colon or not name:
        raise InvalidInput(
            f"{text!r} names no record", expected="a kind, a colon and a name, such as model:churn", hint=_guess(text)
        )
    if kind not in _KINDS:
        close = nearest(kind, list(KINDS))
        raise InvalidInput(
            f"there is no kind {kind!r} of records",
            expected=", ".join(KINDS),
            hint=f"{close}:{name}" if close else None,
        )
    return _subject(store, kind, _row(store, kind, name))


def subject_by_id(store: Store, kind: str, subject_id: str) -> Subject | None:
    """The record of that kind and id as it is now; None where it is gone, or was never here."""
    found = _KINDS.get(kind)
    if found is None or (kind == "decision" and not subject_id.isdecimal()):
        return None
    value: object = int(subject_id) if kind == "decision" else subject_id
    order = [_LATEST[found.table]] if found.table in _LATEST else []
    rows = store.query(found.table, {found.key: value, **_only(kind)}, order_by=order, limit=1)
    return _subject(store, kind, rows[0]) if rows else None


def spelled(store: Store, kind: str, subject_id: str) -> str:
    """How a record is spelled, also one that is gone."""
    found = subject_by_id(store, kind, subject_id)
    return found.text if found else f"{kind}:{_shortened(subject_id)}"


def _shortened(subject_id: str) -> str:
    is_id = len(subject_id) == _ID and _looks_like_id(subject_id)
    return subject_id[:_SHORT] if is_id else subject_id  # of what was said elsewhere, it may be a name


def page_of(text: str, subject_id: str) -> str | None:
    """The path of a record's page, from its spelling and id; None where it has none."""
    kind, _, name = text.partition(":")
    found = _KINDS.get(kind)
    if found is None or found.page is None:
        return None
    if kind == "decision":
        return f"{found.page}{int(subject_id) + 1}" if subject_id.isdecimal() else None
    if kind == "version":
        model, _, number = name.rpartition("/")
        return f"{found.page}{quote(model, safe='')}/{number}"
    named = kind in ("model", "objective")  # their pages have names, which may change, and their ids stay
    return f"{found.page}{quote(name if named else subject_id, safe='')}"


def _subject(store: Store, kind: str, row: Row) -> Subject:
    found = _KINDS[kind]
    subject_id = str(row[found.key])
    text = f"{kind}:{_spelling(store, kind, row)}"
    content = row[found.content] if found.content and row[found.content] else digest(_lasting(kind, row))
    model = row["name"] if kind == "model" else row.get("model")
    return Subject(kind, subject_id, text, model, content)


def _lasting(kind: str, row: Row) -> object:
    """What a record says; of a comment not whether it was answered since, of a model not when it was touched last."""
    if kind == "comment":
        return [row["text"], row["ts"]]
    return [row["model_key"], row["description"]] if kind == "model" else row


def _spelling(store: Store, kind: str, row: Row) -> str:
    found = _KINDS[kind]
    if kind == "version":
        return f"{row['model']}/{row['version']}"
    if kind == "decision":
        return str(row["seq"])
    if found.name and row[found.name] and (kind in NAMED_KINDS or _is_only(store, found, row[found.name])):
        return str(row[found.name])
    return str(row[found.key])[:_SHORT]


def _is_only(store: Store, kind: _Kind, name: str) -> bool:
    return len(store.query(kind.table, {str(kind.name): name}, limit=2)) == 1


def _row(store: Store, kind: str, name: str) -> Row:
    found = _KINDS[kind]
    if kind == "version":
        return _version(store, name)
    if kind == "decision":
        return _decision(store, name)
    if found.name:
        order = [_LATEST[found.table]] if found.table in _LATEST else []
        rows = store.query(found.table, {found.name: name, **_only(kind)}, order_by=order, limit=2)
        if rows and (len(rows) == 1 or order):
            return rows[0]
        if kind in NAMED_KINDS or (not rows and not _looks_like_id(name)):
            raise _no_such(store, kind, name)
    return only_row(store, found.table, found.key, name, one=kind, several=f"{kind}s", hint=found.hint)


def _only(kind: str) -> Row:
    if kind == "dataset":
        return {"type": "dataset"}
    return {"deleted": None} if kind in ("model", "experiment") else {}


def _version(store: Store, name: str) -> Row:
    model, slash, which = name.rpartition("/")
    if not slash:
        model, at, which = name.partition("@")
        if not at:
            raise InvalidInput(
                f"version:{name} does not say which", expected="version:MODEL/NUMBER", hint=f"version:{name}/champion"
            )
    if not store.query("model_version", {"model": model}, limit=1):
        raise _no_such(store, "model", model, kept=f"/{which}", spelled_as="version")
    return store.get("model_version", {"mv_id": find_version(store, model, which).mv_id})


def _decision(store: Store, name: str) -> Row:
    if not name.isdecimal() or len(name) > 9:
        raise InvalidInput(f"decision:{name} is no entry of the ledger", expected="its number, such as decision:12")
    rows = store.query("ledger", {"seq": int(name)})
    if not rows:
        last = store.get("ledger_head", {"id": 1})["seq"]
        raise NotFound(f"there is no decision {name}", where=store.location, hint=f"the last one is decision:{last}")
    return rows[0]


def _looks_like_id(name: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in name)


def _no_such(store: Store, kind: str, name: str, *, kept: str = "", spelled_as: str = "") -> AssayError:
    found = _KINDS[kind]
    known = sorted({str(row[str(found.name)]) for row in store.query(found.table, _only(kind)) if row[str(found.name)]})
    close = nearest(name, known)
    hint = f"{spelled_as or kind}:{close}{kept}" if close else found.hint
    return NotFound(f"there is no {kind} {name!r}", where=store.location, hint=hint)


def _guess(text: str) -> str | None:
    """What somebody may have meant who wrote no colon."""
    guesses: list[tuple[Callable[[str], bool], str]] = [
        (str.isdecimal, "decision"),
        (lambda one: "/" in one, "version"),
        (bool, "model"),
    ]
    word = text.strip().strip(":")
    return next((f"{kind}:{word}" for fits, kind in guesses if fits(word)), None)
