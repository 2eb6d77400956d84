"""Files of runs and logged models: a path below the artifact root points to a blob.

Writing a path again moves the pointer, deleting takes it away; the blob stays, and whatever else points to it. Equal
content is kept once. Below `sealed/<hash>/` stand the files of sealed versions, which can only be read.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.record.store import Row, Store

__all__ = [
    "SEALED",
    "ArtifactEntry",
    "ArtifactFile",
    "artifact_file",
    "checked_path",
    "delete_artifact",
    "files_below",
    "fully_decoded",
    "list_artifacts",
    "model_root",
    "point_to",
    "put_artifact",
    "put_artifact_folder",
    "read_pieces",
    "run_root",
]

SEALED = "sealed"
_PIECE = 1 << 20
_MOST_DECODINGS = 10
_LONGEST = 2_048


class ArtifactFile(msgspec.Struct, frozen=True):
    """A file below the artifact root: its whole path, the hash of its content, and its size in bytes."""

    path: str
    blob: str
    size: int


class ArtifactEntry(msgspec.Struct, frozen=True):
    """A file or a folder (without a size) inside a folder, by its name there."""

    name: str
    is_folder: bool
    size: int | None


def run_root(row: Row) -> str:
    """The folder of a run's files."""
    return f"{row['experiment_id']}/{row['run_id']}/artifacts"


def model_root(experiment_id: str, model_id: str) -> str:
    """The folder of a logged model's files."""
    return f"{experiment_id}/models/{model_id}/artifacts"


def fully_decoded(text: str) -> str:
    """The text with percent signs decoded until nothing changes, as somebody would write what is to be hidden."""
    for _ in range(_MOST_DECODINGS):
        once = unquote(text)
        if once == text:
            break
        text = once
    return text


def checked_path(path: str) -> str:
    """The path as it is kept, decoded; InvalidInput for one that leads outside, or could."""
    decoded = fully_decoded(path)
    parts = decoded.split("/")
    bad = any(letter in decoded for letter in "\\#\x00") or decoded.startswith("/") or len(decoded) > _LONGEST
    if bad or "%" in decoded or any(part in ("..", ".") for part in parts) or "" in parts[:-1]:
        raise InvalidInput("Invalid path", expected="a path below the artifact root, such as model/MLmodel")
    try:
        decoded.encode()
    except UnicodeEncodeError:
        raise InvalidInput("Invalid path", expected="a path in Unicode") from None
    return decoded.rstrip("/")


def point_to(store: Store, path: str, blob: str, size: int) -> ArtifactFile:
    """Let a path point to a blob that is there. InvalidInput where the path is a folder, or leads through a file."""
    path = checked_path(path)
    if not path or path.split("/")[0] == SEALED:
        raise InvalidInput("Invalid path", expected="a path of a run or a model")
    with store.transaction():
        if store.query("artifact_file", {"path prefix": f"{path}/"}, limit=1):
            raise InvalidInput(f"{path} is a folder", expected="the path of a file")
        parents = path.split("/")[:-1]
        above = ["/".join(parents[: depth + 1]) for depth in range(len(parents))]
        if above and store.query("artifact_file", {"path in": above}, limit=1):
            raise InvalidInput(f"{path} leads through a file", expected="folders before the last part")
        store.put_many("artifact_file", [{"path": path, "blob": blob, "size": size}])
    return ArtifactFile(path, blob, size)


def put_artifact(store: Store, path: str, pieces: Iterable[bytes]) -> ArtifactFile:
    """Keep content that comes in pieces under a path. An upload that breaks off leaves the file that was there."""
    checked_path(path)
    with store.blobs.writer() as writer:
        for piece in pieces:
            writer.write(piece)
        blob = writer.keep()
        size = writer.size
    return point_to(store, path, blob, size)


def put_artifact_folder(store: Store, path: str, source: Path) -> list[ArtifactFile]:
    """Keep a file, or every file below a folder, under a path."""
    if source.is_file():
        return [point_to(store, path, store.blobs.put_file(source), source.stat().st_size)]
    if not source.is_dir():
        raise NotFound(f"there is no file {source}", hint="give the path of a file or a folder")
    found = sorted(file for file in source.rglob("*") if file.is_file())
    kept = [(f"{path}/{file.relative_to(source).as_posix()}", file) for file in found]
    blobs = [(target, store.blobs.put_file(file), file.stat().st_size) for target, file in kept]
    with store.transaction():
        return [point_to(store, *one) for one in blobs]


def artifact_file(store: Store, path: str) -> ArtifactFile:
    """The file under a path; NotFound where there is none, InvalidInput for a folder."""
    path = checked_path(path)
    if path.startswith(f"{SEALED}/"):
        _, digest, name = [*path.split("/", 2), ""][:3]
        manifest = _sealed(store, digest)
        if name in manifest:
            return ArtifactFile(path, manifest[name], store.blobs.path(manifest[name]).stat().st_size)
        is_folder = any(file.startswith(f"{name}/" if name else "") for file in manifest)
    else:
        rows = store.query("artifact_file", {"path": path})
        if rows:
            return _file(rows[0])
        is_folder = bool(store.query("artifact_file", {"path prefix": f"{path}/"}, limit=1))
    if is_folder:
        raise InvalidInput(f"'{path}' is a folder", expected="the path of a file")
    raise NotFound(f"No such artifact: '{path}'")


def files_below(store: Store, folder: str) -> list[ArtifactFile]:
    """Every file below a folder, or the one file of that path, in order of path."""
    path = checked_path(folder)
    if path.startswith(f"{SEALED}/"):
        _, digest, name = [*path.split("/", 2), ""][:3]
        manifest = _sealed(store, digest)
        inside = [file for file in sorted(manifest) if not name or file == name or file.startswith(f"{name}/")]
        return [artifact_file(store, f"{SEALED}/{digest}/{file}") for file in inside]
    rows = store.query("artifact_file", {"path": path})
    rows += store.query("artifact_file", {"path prefix": f"{path}/" if path else ""}, order_by=["path"])
    return [_file(row) for row in rows]


def list_artifacts(store: Store, folder: str) -> list[ArtifactEntry]:
    """What stands in a folder, in order of name; nothing for a file or a path that is not there."""
    path = checked_path(folder)
    start = len(path) + 1 if path else 0
    entries: dict[str, ArtifactEntry] = {}
    for file in files_below(store, path):
        if file.path == path:
            continue
        name, _, below = file.path[start:].partition("/")
        if below:
            entries[name] = ArtifactEntry(name, is_folder=True, size=None)
        else:
            entries[name] = ArtifactEntry(name, is_folder=False, size=file.size)
    return [entries[name] for name in sorted(entries)]


def delete_artifact(store: Store, path: str) -> int:
    """Take a file, or a folder with all in it, away; returns how many files. NotFound where there is nothing."""
    path = checked_path(path)
    if not path or path.split("/")[0] == SEALED:
        raise InvalidInput("Invalid path", expected="a path of a run or a model")
    with store.transaction():
        count = store.remove("artifact_file", {"path": path})
        count += store.remove("artifact_file", {"path prefix": f"{path}/"})
    if not count:
        raise NotFound(f"No such artifact: '{path}'")
    return count


def read_pieces(store: Store, file: ArtifactFile, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The content from byte `start` up to `end` in pieces of a megabyte."""
    with store.blobs.open(file.blob) as content:
        content.seek(start)
        left = (file.size if end is None else end) - start
        while left > 0 and (piece := content.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece


def _sealed(store: Store, digest: str) -> dict[str, str]:
    if not digest or not store.blobs.has(digest):
        raise NotFound(f"No such artifact: '{SEALED}/{digest}'")
    return store.blobs.manifest(digest)


def _file(row: Row) -> ArtifactFile:
    return ArtifactFile(row["path"], row["blob"], row["size"])
