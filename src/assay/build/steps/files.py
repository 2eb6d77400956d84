"""Files and folders as values of steps: by what is in them, wherever they lie.

The hash of a file is that of its bytes; of a folder that of a sorted manifest of its files. A file is read once as long
as inode, size and both times stay the same, unless it was changed within two seconds before it was read: then its
times may not tell the next change.
"""

import time
from pathlib import Path

from assay.errors import InvalidInput
from assay.record.blobs import Blobs
from assay.record.canonical import canonical_json, digest_bytes, digest_file
from assay.record.files import write_whole

__all__ = ["hash_of_path", "keep_path", "restored"]

_SETTLED_NS = 2_000_000_000
_read: dict[str, tuple[tuple[int, ...], str]] = {}  # absolute path -> how it was, and its hash
_MOST_READ = 100_000


def hash_of_path(path: Path, where: str = "value") -> str:
    """The hash of a file, or of all files of a folder. InvalidInput, beginning with `where`, where there is none."""
    try:
        if path.is_dir():
            return digest_bytes(canonical_json(_manifest(path)).encode())
        if path.is_file():
            return _hash(path)
    except OSError as error:
        raise InvalidInput(f"{where}: {path} cannot be read: {error.strerror}") from error
    raise InvalidInput(
        f"{where}: there is no file or folder {path}",
        expected="a path counts by its content, so that the file must be there",
        hint="pass a text where the step is to write",
    )


def keep_path(path: Path, blobs: Blobs, where: str) -> dict[str, str]:
    """Keep what is at a path; says as JSON how to get it back."""
    digest = hash_of_path(path, where)
    kept = blobs.put_folder(path) if path.is_dir() else blobs.put_file(path)
    if kept != digest:
        raise InvalidInput(f"{where}: {path} changes while it is read", hint="return it when it is complete")
    return {"as": "folder" if path.is_dir() else "file", "path": str(path), "blob": kept}


def restored(kept: dict[str, str], blobs: Blobs) -> Path:
    """The path with what was kept in it, written again where it is gone.

    InvalidInput where something else is there now, NotFound or Tampered where the content is lost.
    """
    path, digest = Path(kept["path"]), kept["blob"]
    if path.exists():
        if hash_of_path(path) != digest:
            raise InvalidInput(f"{path} is not what the step has made any more")
    elif kept["as"] == "folder":
        blobs.folder(digest, path)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, blobs.get(digest))
    return path


def _manifest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _hash(path) for path in files}


def _hash(path: Path) -> str:
    name = str(path.absolute())
    began = time.time_ns()
    before = _state(path)
    known = _read.get(name)
    if known is not None and known[0] == before:
        return known[1]
    digest = digest_file(path)
    if _state(path) == before and max(before[3:]) < began - _SETTLED_NS:
        if len(_read) >= _MOST_READ:
            _read.clear()
        _read[name] = (before, digest)
    return digest


def _state(path: Path) -> tuple[int, ...]:
    """What tells that a file is another one: device, inode, size, and times, of which ctime cannot be set back."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
