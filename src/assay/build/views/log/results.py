"""What was found about feature views: checks on rows, online against offline, replays of what was served, audits."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from assay.record.store import Row, Store

__all__ = ["AUDIT", "SKEW", "ViewResult", "results_by_view", "results_of_kind"]

SKEW = "feature skew"  # written by the replay, about a version of a model
AUDIT = "feature_audit"  # written by the audit of a training set, about its rows
_AGREEMENT = "online_agreement"  # written by materialising, about a version of a view
_MOST = 5_000  # results of a kind, the newest
_WORST_FIRST = ["fail", "inconclusive", "warn", "pass"]
_WHAT = {SKEW: "replay", AUDIT: "audit", _AGREEMENT: "online against offline"}


class ViewResult(msgspec.Struct, frozen=True):
    """The last result of one kind about one thing. `features` say what it found of each feature of the view."""

    what: str
    about: str
    result: str
    ts: str
    said: str
    features: dict[str, str]


def results_by_view(store: Store, models: Mapping[str, str]) -> dict[str, list[ViewResult]]:
    """The last results about each view, newest first. `models` are versions that use views, their names by id."""
    rows = store.query("test_result", {"subject_kind": "feature_view"}, order_by=["-ts"], limit=_MOST)
    if models:
        about = {"kind": SKEW, "subject_id in": sorted(models)}
        rows += store.query("test_result", about, order_by=["-ts"], limit=_MOST)
    rows += store.query("test_result", {"kind": AUDIT}, order_by=["-ts"], limit=_MOST)
    last: dict[tuple[str, str, str], ViewResult] = {}
    found: dict[str, list[ViewResult]] = {}
    for row in sorted(rows, key=lambda one: one["ts"], reverse=True):
        detail = json.loads(row["detail"] or "{}")
        what = _WHAT.get(row["kind"]) or f"check: {detail.get('name', row['kind'])}"
        about_what = models.get(row["subject_id"]) or _short(row)
        for view, features in _views(row, detail).items():
            if (view, what, about_what) not in last:
                result = _result(row, detail, view)
                one = ViewResult(what, about_what, result, row["ts"], _said(row, detail), features)
                last[view, what, about_what] = one
                found.setdefault(view, []).append(one)
    return found


def results_of_kind(store: Store, kind: str, since: str) -> list[Row]:
    """The results of a kind from a moment on, oldest first."""
    return store.query("test_result", {"kind": kind, "ts >=": since}, order_by=["ts"])


def _views(row: Row, detail: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The views that a result is about, and what a replay or an audit found of each of their features."""
    found: dict[str, dict[str, str]] = {}
    if row["subject_kind"] == "feature_view":
        found[str(row["subject_id"]).partition("@")[0]] = {}
    for one in detail.get("features", []):
        feature = str(one.get("feature", "")).partition(":")[2]
        found.setdefault(_view_of(one), {})[feature] = _sentence(one)
    return found


def _result(row: Row, detail: dict[str, Any], view: str) -> str:
    """The result for one of the views that a replay or an audit looked at: others are not its fault."""
    of_view = [one for one in detail.get("features", []) if _view_of(one) == view]
    if not of_view or row["kind"] not in (SKEW, AUDIT):
        return str(row["result"])
    return min((_finding(one) for one in of_view), key=_WORST_FIRST.index)


def _view_of(one: dict[str, Any]) -> str:
    return str(one.get("feature", "")).partition(":")[0].partition("@")[0]


def _finding(one: dict[str, Any]) -> str:
    if "mismatches" in one:
        return str(one["verdict"])
    if one.get("leak") or one.get("later"):
        return "fail"
    return "warn" if one.get("correction") or one.get("unexplained") else "pass"


def _sentence(one: dict[str, Any]) -> str:
    if "mismatches" in one:
        return f"{one['mismatches']:,} of {one['compared']:,} served otherwise, {one['verdict']}"
    wrong = [f"{one[name]:,} {name}" for name in ("leak", "correction", "unexplained") if one.get(name)]
    return ", ".join([*wrong, f"{one.get('clean', 0):,} clean"])


def _said(row: Row, detail: dict[str, Any]) -> str:
    if row["kind"] == _AGREEMENT:
        return f"{detail['differing']:,} of {detail['compared']:,} entities differ"
    if row["kind"] == SKEW:
        return f"endpoint {detail['endpoint']}" if "endpoint" in detail else ""
    return str(detail.get("found") or "")


def _short(row: Row) -> str:
    """What it is about, as people say it: the hash of rows in short."""
    return f"rows {row['subject_id'][:12]}" if row["subject_kind"] == "dataset" else str(row["subject_id"])
