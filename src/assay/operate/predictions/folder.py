"""Where the log of an endpoint lies: segments beside each other, parts in a folder of their own."""

import fcntl
from pathlib import Path

from assay.errors import InvalidInput, NotFound
from assay.record.store import Store

__all__ = ["existing_log", "is_closed", "log_folder", "log_folders", "segments"]


def log_folder(store: Store, endpoint: str) -> Path:
    """The folder of an endpoint's log, beside the store's blobs; it need not exist."""
    if not endpoint or endpoint.startswith(".") or "/" in endpoint or "\0" in endpoint:
        raise InvalidInput(f"{endpoint!r} cannot name an endpoint", expected="a name without a slash or leading dot")
    return store.blobs.root.parent / "predictions" / endpoint


def existing_log(store: Store, endpoint: str) -> Path:
    """The same of an endpoint that has a log; NotFound for one without."""
    folder = log_folder(store, endpoint)
    if not folder.is_dir():
        raise NotFound(f"endpoint {endpoint!r} has no prediction log", where=str(folder))
    return folder


def log_folders(store: Store) -> list[Path]:
    """The folders of all endpoints that have a log, by name."""
    root = store.blobs.root.parent / "predictions"
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def segments(folder: Path) -> list[Path]:
    """The segments of a log in order of their beginnings."""
    return sorted(folder.glob("*.log"))


def is_closed(path: Path) -> bool:
    """Whether no process writes it any more; never where the file system has no locks to tell."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
