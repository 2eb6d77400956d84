"""Where the files of a version are said to be, checked: nobody registers what lies outside the run or model named."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.record.artifacts import checked_path, fully_decoded, model_root, run_root
from assay.record.models.alias_moves import pointed_to
from assay.record.models.logged_models import logged_model
from assay.record.store import Row, Store
from assay.record.tracking.run_changes import run_row

__all__ = ["PROMPT_SOURCES", "Source", "checked_source"]

PROMPT_SOURCES = ("dummy-source", "prompt-template")
_PROXY = "/mlflow-artifacts/artifacts/"
_MANAGED = "mlflow-artifacts:/"


class Source(msgspec.Struct, frozen=True):
    """A checked source: the run and the logged model it belongs to, and where its files are.

    `path` is below our artifact root, `folder` on this machine, `copy_of` the id of another version; none of them: it
    lies outside, and is kept as it was given.
    """

    given: str
    run_id: str | None = None
    logged_model_id: str | None = None
    path: str | None = None
    folder: Path | None = None
    copy_of: str | None = None


def checked_source(
    store: Store,
    source: str,
    *,
    run_id: str | None,
    logged_model_id: str | None,
    prompt: bool = False,
    files_in: Path | None = None,
) -> Source:
    """The source, or InvalidInput for one that does not belong to the run or model named.

    `files_in` is the folder of this machine into which clients write artifacts themselves, where they do.
    """
    if prompt:
        if source not in PROMPT_SOURCES:
            raise _invalid(source, f"the source of a prompt must be {' or '.join(PROMPT_SOURCES)}")
        return Source(source, run_id, logged_model_id)
    _check_references(source)
    found = _of_scheme(store, source, run_id, logged_model_id, files_in)
    if files_in is not None and found.path is not None and (files_in / found.path).is_dir():
        return msgspec.structs.replace(found, path=None, folder=files_in / found.path)
    return found


def _of_scheme(
    store: Store, source: str, run_id: str | None, logged_model_id: str | None, files_in: Path | None
) -> Source:
    scheme = urlsplit(source).scheme
    if scheme == "runs":
        return _of_run(store, source, run_id, logged_model_id)
    if scheme == "models":
        return _of_model(store, source, run_id, logged_model_id)
    if scheme == "mlflow-artifacts" or _PROXY in source:
        return _of_artifacts(store, source, run_id, logged_model_id)
    if scheme in ("", "file"):
        return _of_folder(store, source, run_id, logged_model_id, files_in)
    return Source(source, run_id, logged_model_id)


def _of_run(store: Store, source: str, run_id: str | None, logged_model_id: str | None) -> Source:
    named, _, below = urlsplit(source).path.lstrip("/").partition("/")
    if not run_id or named != run_id:
        raise _invalid(source, "The run_id request parameter must identify the resource that contains the source.")
    root = run_root(run_row(store, run_id))
    path = checked_path(f"{root}/{below}" if below else root)
    if not store.query("artifact_file", {"path prefix": f"{path}/"}, limit=1):
        found = _model_of_run(store, run_id, below)
        if found is not None:
            return Source(source, run_id, found["model_id"], model_root(found["experiment_id"], found["model_id"]))
    return Source(source, run_id, logged_model_id, path)


def _model_of_run(store: Store, run_id: str, name: str) -> Row | None:
    """The model a run logged under that name: today's clients keep its files there, not under the run."""
    where = {"source_run_id": run_id, "name": name, "deleted": None}
    found = store.query("logged_model", where, order_by=["-created"], limit=1)
    return found[0] if found else None


def _of_model(store: Store, source: str, run_id: str | None, logged_model_id: str | None) -> Source:
    rest = urlsplit(source).path.lstrip("/")
    if rest.startswith("m-"):
        model_id = rest.split("/", maxsplit=1)[0]
        if not logged_model_id or logged_model_id != model_id:
            raise _invalid(
                source, "The model_id request parameter must identify the resource that contains the source."
            )
        model = logged_model(store, model_id)
        return Source(source, run_id or model.source_run_id, model_id, model.root)
    name, at, alias = rest.partition("@")
    model_name, _, number = (name, "", alias) if at else rest.partition("/")
    rows = store.query("model_version", {"model": model_name, "deleted": None})
    if at:
        target = pointed_to(store, model_name, alias)
        rows = [row for row in rows if row["mv_id"] == target]
    else:
        rows = [row for row in rows if str(row["version"]) == number]
    if not rows:
        raise NotFound(f"Model Version (name={model_name}, version={alias or number}) not found")
    row = rows[0]
    if store.query("model_version_tag", {"mv_id": row["mv_id"], "key": "mlflow.prompt.is_prompt", "value": "true"}):
        raise _invalid(source, "a prompt is no model")
    if (run_id and run_id != row["run_id"]) or (logged_model_id and logged_model_id != row["logged_model_id"]):
        raise _invalid(source, "run_id and model_id must be those of the version that is copied")
    return Source(source, row["run_id"], row["logged_model_id"], copy_of=row["mv_id"])


def _of_artifacts(store: Store, source: str, run_id: str | None, logged_model_id: str | None) -> Source:
    whole = unquote(urlsplit(source).path)
    path = checked_path(whole.split(_PROXY, 1)[1] if _PROXY in whole else whole.strip("/"))
    if logged_model_id and _inside(path, logged_model(store, logged_model_id).root):
        return Source(source, run_id or logged_model(store, logged_model_id).source_run_id, logged_model_id, path)
    if run_id and _inside(path, run_root(run_row(store, run_id))):
        return Source(source, run_id, logged_model_id, path)
    raise _invalid(
        source,
        "To use a source in the artifact store, it must lie in the artifact directory of the run or model named.",
    )


def _of_folder(
    store: Store, source: str, run_id: str | None, logged_model_id: str | None, files_in: Path | None
) -> Source:
    """A path on this machine, only where the artifact root of the run's experiment is one too and holds it."""
    folder = Path(unquote(urlsplit(source).path) if source.startswith("file:") else source)
    roots = []
    if run_id:
        location = _location(store, run_row(store, run_id)["experiment_id"], files_in)
        roots = [f"{location}/{run_id}/artifacts"]
    if logged_model_id:
        location = _location(store, logged_model(store, logged_model_id).experiment_id, files_in)
        roots.append(f"{location}/models/{logged_model_id}/artifacts")
    for root in roots:
        if urlsplit(root).scheme in ("", "file"):
            base = Path(urlsplit(root).path).resolve()
            if folder.resolve().is_relative_to(base):
                return Source(source, run_id, logged_model_id, folder=folder)
    raise _invalid(
        source,
        "To use a local path as a model version source, the run_id request parameter has to be specified and the local "
        "path has to be contained within the artifact directory of the run specified by the run_id.",
    )


def _location(store: Store, experiment_id: str, files_in: Path | None) -> str:
    """Where the artifacts of an experiment are, as its clients are told."""
    location = str(store.get("experiment", {"experiment_id": experiment_id})["artifact_location"])
    if files_in is not None and location.startswith(_MANAGED):
        return f"{files_in}/{location.removeprefix(_MANAGED)}"
    return location


def _check_references(source: str) -> None:
    decoded = fully_decoded(source)
    if "\x00" in decoded or ".." in decoded.replace("\\", "/").split("/"):
        raise _invalid(
            source,
            "If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an "
            "absolute path must be provided without relative path references present. Please provide an absolute path.",
        )


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _invalid(source: str, why: str) -> InvalidInput:
    return InvalidInput(f"Invalid model version source: '{source}'. {why}")
