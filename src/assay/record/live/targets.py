"""Where a journal is sent: a store that this process opens, or a server. Sending again what arrived is harmless."""

import os
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from assay.record.blobs import Blobs
from assay.record.canonical import digest
from assay.record.live.fold import apply_frames
from assay.record.live.server_calls import ServerConnection, is_server
from assay.record.location import find_folder, open_store, stated_location
from assay.record.store import Store

__all__ = ["OpenTarget", "ServerTarget", "StoreTarget", "Target", "spool_blobs", "spool_folder", "target_of"]


class Target(Protocol):
    """Takes whole frames. Whatever is raised is said once, and the frames are sent again later."""

    @property
    def name(self) -> str:
        """Where it is, for messages: no passwords."""
        ...

    def send(self, frames: bytes) -> None:
        """When it returns, the frames are kept there."""
        ...

    def send_blobs(self, blobs: Blobs, digests: list[str]) -> None:
        """Bring content that the frames will point to."""
        ...

    def opened(self) -> Store | None:
        """The store itself, None where only its server can be asked."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class OpenTarget:
    """A store that is open already, and stays so."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def name(self) -> str:
        """Where the store is."""
        return self._store.location

    def send(self, frames: bytes) -> None:
        """One transaction."""
        apply_frames(self._store, frames)

    def send_blobs(self, blobs: Blobs, digests: list[str]) -> None:
        """Copy what is not there yet."""
        own = self._store.blobs
        if own.root.resolve() != blobs.root.resolve():
            for blob in digests:
                if own.has(blob):
                    own.renew(own.path(blob))
                else:
                    own.put_file(blobs.path(blob))

    def opened(self) -> Store:
        """The store."""
        return self._store

    def close(self) -> None:
        """Nothing: whoever opened it closes it."""


class StoreTarget:
    """A store of one's own: a folder or a database, opened when something is sent."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._store: Store | None = None

    @property
    def name(self) -> str:
        """The folder, or the address without its password."""
        if "://" not in self.location:
            return self.location
        parts = urlsplit(self.location)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"

    def send(self, frames: bytes) -> None:
        """One transaction."""
        OpenTarget(self.opened()).send(frames)

    def send_blobs(self, blobs: Blobs, digests: list[str]) -> None:
        """Copy what is not there yet."""
        OpenTarget(self.opened()).send_blobs(blobs, digests)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def opened(self) -> Store:
        """The store, opened once."""
        if self._store is None:
            self._store = open_store(self.location)
        return self._store


class ServerTarget:
    """A control plane over HTTP."""

    def __init__(self, url: str) -> None:
        self._connection = ServerConnection(url)

    @property
    def name(self) -> str:
        """The address."""
        return self._connection.name

    def send(self, frames: bytes) -> None:
        """One request."""
        self._connection.request("POST", "batches", frames)

    def send_blobs(self, blobs: Blobs, digests: list[str]) -> None:
        """A request for each."""
        for blob in digests:
            with blobs.open(blob) as content:
                self._connection.request("PUT", f"blobs/{blob}", content)

    def opened(self) -> None:
        """It is the server's."""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def target_of(location: str | Path | None) -> Target:
    """The target at a location; without one that which was stated, else the nearest `.assay`."""
    address = str(location or stated_location() or find_folder())
    if is_server(address):
        return ServerTarget(address)
    return StoreTarget(address if "://" in address else str(Path(address).absolute()))


def spool_folder(target: Target) -> Path:
    """Where journals for a target stand: in the folder of a store, else ASSAY_SPOOL or `.assay/spool` at home."""
    if isinstance(target, StoreTarget) and "://" not in target.location:
        return Path(target.location) / "spool"
    named = os.environ.get("ASSAY_SPOOL")
    base = Path(named) if named else Path.home() / ".assay" / "spool"
    shown = "".join(letter if letter.isalnum() else "-" for letter in target.name)
    return base / f"{shown}-{digest(getattr(target, 'location', target.name))[:8]}"


def spool_blobs(folder: Path) -> Blobs:
    """What journals in a spool folder point to: the blobs of the store whose folder it is in, else its own."""
    return Blobs(folder.parent / "blobs" if folder.name == "spool" else folder / "blobs")
