"""Content under its hash: a blob is written once, never changed, and checked when it is read.

A folder is kept as a manifest (path -> hash of each file); the hash of the manifest is the hash of the folder.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from assay.errors import InvalidInput, NotFound, StoreUnavailable, Tampered
from assay.record.canonical import canonical_json, digest_bytes, digest_file
from assay.record.faults import storage_faults
from assay.record.files import write_whole

__all__ = ["BlobWriter", "Blobs"]

_PIECE = 1 << 20
_OLD_S = 3600


class Blobs:
    """A folder of blobs. Any number of processes may write: the same content lands in the same place."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where the blob of that hash is, or would be."""
        return self.root / digest[:2] / digest

    def has(self, digest: str) -> bool:
        """Whether a blob is recorded under that hash; its content is not read."""
        return self.path(digest).is_file()

    def put(self, content: bytes) -> str:
        """Keep the content and return its hash. When it returns, the content is on disk."""
        digest = digest_bytes(content)
        target = self.path(digest)
        if target.is_file() and target.read_bytes() == content:  # a damaged one is written anew
            self.renew(target)
            return digest
        with storage_faults(str(self.root)):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, content)
        return digest

    def renew(self, target: Path) -> None:
        """Let an old blob count as new: whoever clears away takes none that somebody is about to point to."""
        with contextlib.suppress(OSError):
            if time.time() - target.stat().st_mtime > _OLD_S:
                os.utime(target)

    def put_file(self, path: Path) -> str:
        """Keep the content of a file, whatever its size, and return its hash."""
        with path.open("rb") as file, self.writer() as writer:
            while piece := file.read(_PIECE):
                writer.write(piece)
            return writer.keep()

    @contextmanager
    def writer(self) -> Iterator["BlobWriter"]:
        """Takes content piece by piece; nothing is kept unless its `keep` was called inside the block."""
        with storage_faults(str(self.root)):
            self.root.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.root, prefix=".new-")
        try:
            with os.fdopen(handle, "wb", buffering=0) as file:
                yield BlobWriter(self, file, Path(name))
        finally:
            with contextlib.suppress(OSError):
                Path(name).unlink()

    def open(self, digest: str) -> BinaryIO:
        """The content for reading in pieces, not checked. NotFound where it is missing."""
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise NotFound(f"no blob with hash {digest[:12]}", where=str(self.root)) from None
        except OSError as error:
            raise StoreUnavailable(f"a blob cannot be read: {error.strerror}", where=str(self.path(digest))) from error

    def get(self, digest: str) -> bytes:
        """The content, after its hash was checked. NotFound where it is missing, Tampered where it differs."""
        path = self.path(digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"no blob with hash {digest[:12]}", where=str(self.root)) from None
        except OSError as error:
            raise StoreUnavailable(f"a blob cannot be read: {error.strerror}", where=str(path)) from error
        if digest_bytes(content) != digest:
            raise Tampered(
                f"the content of blob {digest[:12]} does not match its hash",
                where=str(path),
                hint="run `assay doctor` to see what else is affected",
            )
        return content

    def put_folder(self, folder: Path) -> str:
        """Keep every file below the folder; returns the hash of the manifest."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            raise InvalidInput("the folder is empty", where=str(folder), expected="at least one file")
        manifest = {path.relative_to(folder).as_posix(): self.put_file(path) for path in files}
        return self.put(canonical_json(manifest).encode())

    def manifest(self, digest: str) -> dict[str, str]:
        """Relative path -> hash of each file of a folder."""
        found: dict[str, str] = json.loads(self.get(digest))
        for name in found:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise Tampered(f"the folder {digest[:12]} names a file outside itself: {name}", where=str(self.root))
        return found

    def folder(self, digest: str, target: Path) -> Path:
        """Make sure that `target` holds exactly the folder of that hash, every file checked; returns `target`.

        Raises Tampered where a file of an existing target differs or does not belong there.
        """
        manifest = self.manifest(digest)
        if target.is_dir():
            self._check_folder(manifest, target)
            return target
        with storage_faults(str(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as temporary:
                fresh = Path(temporary) / "folder"
                for name, file_digest in manifest.items():
                    path = fresh / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(self.get(file_digest))
                try:
                    fresh.rename(target)
                except OSError:  # another process was first
                    self._check_folder(manifest, target)
        return target

    def _check_folder(self, manifest: dict[str, str], target: Path) -> None:
        found = {p.relative_to(target).as_posix(): p for p in target.rglob("*") if p.is_file()}
        for name in sorted(manifest.keys() | found.keys()):
            expected = manifest.get(name)
            if expected is None:
                raise Tampered("a file was added that is not recorded", where=str(target / name), hint="remove it")
            if name not in found or digest_file(found[name]) != expected:
                raise Tampered(
                    f"{name} does not match its recorded hash {expected[:12]}",
                    where=str(target / name),
                    hint=f"remove the folder {target}; it is made again from the store",
                )


class BlobWriter:
    """Content that comes in pieces; the memory it takes does not grow with them."""

    def __init__(self, blobs: Blobs, file: FileIO, path: Path) -> None:
        self._blobs = blobs
        self._file = file
        self._path = path
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        with storage_faults(str(self._blobs.root)):
            rest = memoryview(piece)
            while rest:  # a nearly full disk may take a part
                rest = rest[self._file.write(rest) :]
        self._hash.update(piece)
        self.size += len(piece)

    def keep(self) -> str:
        """Put what was written into its place on disk and return its hash.

        The same content that stands there is not touched, unless it is damaged.
        """
        digest = self._hash.hexdigest()
        target = self._blobs.path(digest)
        with storage_faults(str(self._blobs.root)):
            if target.is_file() and target.stat().st_size == self.size and digest_file(target) == digest:
                self._blobs.renew(target)
                return digest
            os.fsync(self._file.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            self._path.replace(target)
        return digest
