"""The seal of a version: the hash of every file it stands for, and of the records it came from, as they stood.

Whatever happens to the files afterwards, the version keeps its own: they are blobs under their hashes.
"""

import json
from pathlib import Path

from assay.errors import Tampered
from assay.record.artifacts import SEALED, files_below
from assay.record.canonical import canonical_json, digest, digest_file
from assay.record.models.sources import Source
from assay.record.store import Row, Store

__all__ = ["EMPTY", "OUTSIDE", "WHOLE", "check_seal", "download_uri", "records_of", "seal_files"]

WHOLE, EMPTY, OUTSIDE = "sealed", "empty", "outside"
_checked: dict[tuple[str, int, int], bool] = {}  # (path, time changed, size) of blobs whose hash was seen to be right
_MOST_CHECKED = 100_000


def seal_files(store: Store, source: Source) -> tuple[str, str]:
    """(hash of the folder, state): `sealed`, `empty` where there is no file, `outside` where we cannot read."""
    if source.copy_of is not None:
        row = store.get("model_version", {"mv_id": source.copy_of})
        return row["hash"], row["sealed"]
    if source.folder is not None:
        if not source.folder.is_dir() or not any(path.is_file() for path in source.folder.rglob("*")):
            return "", EMPTY
        return store.blobs.put_folder(source.folder), WHOLE
    if source.path is None:
        return "", OUTSIDE
    files = files_below(store, source.path)
    manifest = {file.path[len(source.path) :].lstrip("/") or file.path.rsplit("/", 1)[-1]: file.blob for file in files}
    if not manifest:
        return "", EMPTY
    return store.blobs.put(canonical_json(manifest).encode()), WHOLE


def records_of(store: Store, run_id: str | None) -> str:
    """JSON of what the run said when a version was made of it: digests of its records, its code, environment, data."""
    if run_id is None:
        return "{}"
    key = {"run_id": run_id}
    run = store.get("run", key)
    texts = {
        kind: digest([[row["key"], row["value"]] for row in store.query(kind, where, order_by=["key"])])
        for kind, where in (("run_param", {**key, "layer": 0}), ("run_tag", key))
    }
    metrics = [
        [row["key"], row["step"], row["ts_ms"], str(row["value"]), row["count"]]
        for row in store.query("run_metric", {**key, "layer": 0}, order_by=["key"])
    ]
    inputs = [
        store.get("artifact", {"artifact_id": link["artifact_id"]})["hash"]
        for link in store.query("run_io", {**key, "role": "input"}, order_by=["name"])
    ]
    datasets = [[row["name"], row["digest"]] for row in store.query("run_dataset", key, order_by=["name", "digest"])]
    return canonical_json(
        {
            "params": texts["run_param"],
            "tags": texts["run_tag"],
            "metrics": digest(metrics),
            "code": run["code_sha"],
            "dirty": bool(run["dirty"]),
            "environment": run["env_hash"],
            "inputs": inputs,
            "datasets": datasets,
        }
    )


def check_seal(store: Store, version: Row) -> None:
    """Tampered, naming the file, where a sealed file is missing or differs from its hash.

    A blob that was seen to be right is read again only when its file changed.
    """
    if version["sealed"] != WHOLE:
        return
    name = f"{version['model']}/{version['version']}"
    if not _is_right(store.blobs.path(version["hash"]), version["hash"]):
        raise Tampered(f"the list of files of {name} is missing or altered", where=str(store.blobs.root))
    for file, blob in sorted(store.blobs.manifest(version["hash"]).items()):
        if not _is_right(store.blobs.path(blob), blob):
            raise Tampered(
                f"{file} of {name} is missing or does not match its sealed hash {blob[:12]}",
                hint="restore the blob from a backup; `assay doctor` shows what else is affected",
            )


def download_uri(store: Store, version: Row) -> str:
    """Where the sealed bytes of a version are read: its source while that still holds them, else under their hash."""
    check_seal(store, version)
    if version["sealed"] != WHOLE:
        return str(version["origin"] or "")
    path = json.loads(version["seal"] or "{}").get("path")
    if path is not None:
        manifest = {file.path[len(path) :].lstrip("/"): file.blob for file in files_below(store, path)}
        if manifest == store.blobs.manifest(version["hash"]):
            return f"mlflow-artifacts:/{path}"
    return f"mlflow-artifacts:/{SEALED}/{version['hash']}"


def _is_right(path: Path, expected: str) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    key = (str(path), found.st_mtime_ns, found.st_size)
    if key not in _checked:
        if len(_checked) >= _MOST_CHECKED:
            _checked.clear()
        _checked[key] = digest_file(path) == expected
    return _checked[key]
