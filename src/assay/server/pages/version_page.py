"""The page of a model's version: where it came from, what is known of it, where it went."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from assay.errors import AssayError, NotFound, Tampered
from assay.prove.approvals.policy import policy_of
from assay.prove.approvals.standing import ApprovalState, state_of
from assay.record.changes import changes
from assay.record.models.seals import check_seal
from assay.record.models.version_lineage import version_lineage
from assay.record.store import Row, Store
from assay.server.pages.editing import own_tags, version_state, version_tags
from assay.server.pages.forms import seen_of
from assay.server.pages.lineage import lineage
from assay.server.pages.model_pages import verdicts_of
from assay.server.pages.preview import as_download, preview
from assay.server.pages.rendering import render
from assay.server.pages.run_page import metric_lines
from assay.server.pages.wording import quoted, size

__all__ = ["show", "show_file"]

_SEALS = {
    "sealed": "sealed: every file is kept under its hash and checked when it is loaded",
    "empty": "there were no files to seal",
    "outside": "not sealed: the files lie outside this store",
}
_INDEX = 100
_MOST_VERSIONS = 2**31  # what a column holds


def show(store: Store, request: Request) -> Response:
    """A version of a model."""
    name = request.path_params["name"]
    version = _version(store, request)
    known = version_lineage(store, version["mv_id"])
    key = {"mv_id": version["mv_id"]}
    runs = store.query("run", {"run_id": version["run_id"]}) if version["run_id"] else []
    deployments = store.query("deployment", key, order_by=["-started"])
    gates = store.query("gate", key, order_by=["-decision"])
    decisions = store.query("ledger", {"seq in": known.decisions}, order_by=["-seq"]) if known.decisions else []
    models = store.query("logged_model", {"model_id": known.logged_model_id or "", "deleted": None})
    logged = models[0] if models else None
    tags = version_tags(store, version["mv_id"])
    manifest, trouble = _files(store, version)
    return render(
        store,
        request,
        "version.html",
        title=f"{name} {version['version']}",
        place="/models",
        name=name,
        version=version,
        aliases=[] if version["deleted"] else known.aliases,
        verdict_row=verdicts_of(store, [version["mv_id"]]).get(version["mv_id"]),
        run=runs[0] if runs else None,
        metrics=metric_lines(store, version["run_id"]) if runs else [],
        params=store.query("run_param", {"run_id": version["run_id"]}, order_by=["key"]) if runs else [],
        tags=own_tags(tags),
        seen=seen_of(version_state(version, tags)),
        changes=changes(store, "version", version["mv_id"])[-_INDEX:],
        known=known,
        logged=logged,
        drawing=lineage(store, known, name, logged),
        evaluations=_evaluations(store, version, gates),
        reasons=json.loads(gates[0]["detail"] or "{}").get("reasons", []) if gates else [],
        decisions=[{**row, **json.loads(row["body"])} for row in decisions],
        deployments=deployments,
        inputs=_columns(version, "inputs"),
        compiled=_compiled(store, version),
        approval=_approval(store, version),
        seal=_SEALS.get(version["sealed"], version["sealed"]),
        sealed_records=_records(version),
        checked=_checked(store, version) if "check" in request.query_params else None,
        manifest=manifest,
        trouble=trouble,
    )


def show_file(store: Store, request: Request) -> Response:
    """A file of a version as a page, or itself with `raw`."""
    version, path = _version(store, request), request.path_params["path"]
    manifest, _ = _files(store, version)
    if path not in manifest:
        raise NotFound(f"this version has no file {path}", hint="its page lists those it has")
    if "raw" in request.query_params:
        return as_download(store, path, manifest[path], inline=request.query_params["raw"] == "show")
    name = request.path_params["name"]
    return render(
        store,
        request,
        "file.html",
        title=path,
        place="/models",
        above=(f"/models/{quoted(name)}/{version['version']}", f"{name} {version['version']}"),
        name=path,
        blob=manifest[path],
        shown=preview(store, path, manifest[path]),
    )


def _approval(store: Store, version: Row) -> ApprovalState | None:
    """How its approval stands, where its model asks for one."""
    return state_of(store, version["mv_id"]) if policy_of(store, version["model"]).asks else None


def _version(store: Store, request: Request) -> Row:
    name, number = request.path_params["name"], request.path_params["version"]
    rows = store.query("model_version", {"model": name, "version": number}) if number < _MOST_VERSIONS else []
    if not rows:
        raise NotFound(f"{name} has no version {number}", hint="the page of the model lists its versions")
    return rows[0]


def _files(store: Store, version: Row) -> tuple[dict[str, str], str | None]:
    """Path -> hash of the version's files, and what is wrong where they cannot be listed."""
    if not version["hash"]:
        return {}, None
    try:
        return store.blobs.manifest(version["hash"]), None
    except AssayError as error:  # shown on the page, which has more to say
        return {}, str(error)


def _compiled(store: Store, version: Row) -> str:
    """The compiled form with its proof, or why there is none; empty where nobody tried to compile."""
    rows = store.query("compiled_form", {"mv_id": version["mv_id"]}, limit=1)
    if not rows:
        return ""
    report = json.loads(rows[0]["report"])
    proof = report["parity"]
    if report["outcome"] != "compiled":
        return f"not compiled: {report['reason']}"
    weight = f", {size(report['size'])}" if report.get("size") is not None else ""
    compared = f"{proof['rows']:,} rows of training and {proof['border']:,} at borders"
    return (
        f"{report['form']}{weight}: compared on {compared}, where answers differ by {proof['difference']:.2g} at most "
        f"and {proof['flips']:,} rows get another class; one row takes {report['compiled_us']:,.0f} µs, "
        f"the model itself {report['native_us']:,.0f} µs"
    )


def _records(version: Row) -> list[tuple[str, str]]:
    """What the run said when the version was made of it, as digests."""
    found = json.loads(version["seal"] or "{}")
    lines = []
    for name, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, list):
            said = ", ".join(" ".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
        else:
            said = "yes" if value is True else "no" if value is False else str(value or "")
        if said:
            lines.append((name, said))
    return lines


def _checked(store: Store, version: Row) -> str:
    """What reading every sealed file again says; empty where all are as they were."""
    try:
        check_seal(store, version)
    except Tampered as error:
        return str(error)
    return ""


def _evaluations(store: Store, version: Row, gates: list[Row]) -> list[Row]:
    outcomes = {row["evaluation_id"]: row["outcome"] for row in reversed(gates) if row["mode"] == "auto"}
    rows = store.query("evaluation", {"mv_id": version["mv_id"]}, order_by=["-ts"], limit=_INDEX)
    return [{**row, **json.loads(row["detail"]), "outcome": outcomes.get(row["evaluation_id"])} for row in rows]


def _columns(version: Row, side: str) -> list[dict[str, Any]]:
    """Columns of the signature; empty where it has another form."""
    found = json.loads(version["signature"] or "{}")
    columns = found.get(side) if isinstance(found, dict) else None
    if isinstance(columns, str):  # a client sends JSON inside JSON
        columns = json.loads(columns)
    return [one for one in columns or [] if isinstance(one, dict)]
