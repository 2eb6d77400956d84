"""Training sets in a store: the dataset that one is, and what it was joined from and how."""

import msgspec

from assay.build.views.joining.join_report import JoinReport
from assay.build.views.joining.references import FeatureUse
from assay.errors import NotFound
from assay.record.datasets import DatasetVersion, find_dataset
from assay.record.identity import ordered_id
from assay.record.store import Row, Store
from assay.record.tracking.runs import current_run

__all__ = ["RecordedSet", "keep_set", "rate_before", "recorded_set", "recorded_sets"]

_KIND = "training set"


class RecordedSet(msgspec.Struct, frozen=True):
    """A training set that was kept: its dataset by name and hash, the features in it, and the report of its join."""

    name: str
    hash: str
    made: str
    used: list[FeatureUse]
    report: JoinReport


class _Detail(msgspec.Struct, frozen=True):
    name: str
    used: list[FeatureUse]
    report: JoinReport


def keep_set(store: Store, version: DatasetVersion, used: list[FeatureUse], report: JoinReport) -> None:
    """Record what a dataset was joined from; inside a run it is an output of the run."""
    detail = msgspec.json.encode(_Detail(version.name, used, report)).decode()
    store.append(
        "test_result",
        {
            "id": ordered_id(),
            "subject_kind": "dataset",
            "subject_id": version.hash,
            "tag": "D1",
            "kind": _KIND,
            "result": "pass",  # of the rules that are checked on every join; a broken one leaves no training set
            "mode": "auto",
            "detail": detail,
        },
    )
    run = current_run(store)
    if run is not None:
        run.makes(version.artifact_id, version.name)


def recorded_sets(store: Store, name: str | None = None) -> list[RecordedSet]:
    """All training sets that were kept, newest first; only those of one dataset where `name` is given."""
    found = [_recorded(row) for row in store.query("test_result", {"kind": _KIND}, order_by=["-id"])]
    return [one for one in found if name is None or one.name == name]


def recorded_set(store: Store, which: str) -> RecordedSet:
    """The training set that `NAME`, `NAME@HASH` or `@HASH` names. NotFound for a dataset that was not joined here."""
    version = find_dataset(store, which)
    rows = store.query("test_result", {"kind": _KIND, "subject_id": version.hash}, order_by=["-id"], limit=1)
    if not rows:
        raise NotFound(
            f"the dataset {version.name}@{version.hash[:12]} is no training set that was joined here",
            hint="assay.features.training_set(..., name=...) keeps one",
        )
    return _recorded(rows[0])


def rate_before(store: Store | None, view: str, as_of: str) -> float | None:
    """The share of present rows in the newest training set with any version of the view; None without one."""
    for one in recorded_sets(store) if store is not None else ():
        for match in one.report.views:
            if match.view.partition("@")[0] == view and one.report.as_of == as_of:
                return match.rate
    return None


def _recorded(row: Row) -> RecordedSet:
    detail = msgspec.json.decode(row["detail"], type=_Detail)
    return RecordedSet(detail.name, row["subject_id"], row["ts"], detail.used, detail.report)
