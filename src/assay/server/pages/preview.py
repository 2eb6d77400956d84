"""What a page shows of a file: an image, the head of a table or of a text. What a file says never runs here."""

import csv
import io
from pathlib import PurePosixPath

import msgspec
from starlette.responses import FileResponse, Response

from assay.errors import NotFound
from assay.record.store import Store

__all__ = ["Preview", "as_download", "preview"]

_IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
_HEAD = 64_000  # bytes
_ROWS = 50
_COLUMNS = 40
# Also an SVG or a page of HTML that somebody opens by its address is a document without an origin and scripts.
_INERT = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


class Preview(msgspec.Struct, frozen=True):
    """kind: image | table | text | none. `cut`: the file goes on after what is shown."""

    kind: str
    size: int
    text: str = ""
    header: list[str] = []
    rows: list[list[str]] = []
    cut: bool = False


def preview(store: Store, name: str, digest: str) -> Preview:
    """The beginning of a blob as `name` suggests to read it."""
    path = store.blobs.path(digest)
    if not path.is_file():
        raise NotFound(f"the content of {name} is gone", hint="`assay doctor` says what else is missing")
    size, ending = path.stat().st_size, PurePosixPath(name).suffix.lower()
    if ending in _IMAGES:
        return Preview("image", size)
    with path.open("rb") as opened:
        head = opened.read(_HEAD)
    cut = size > len(head)
    try:
        text = head.decode("utf-8", errors="strict" if not cut else "ignore")
    except UnicodeDecodeError:
        return Preview("none", size)
    if "\x00" in text or (cut and len(text.encode()) < len(head) - 4):  # more than half a letter was no text
        return Preview("none", size)
    if ending in (".csv", ".tsv"):
        return _table(text, "\t" if ending == ".tsv" else ",", size, cut=cut)
    return Preview("text", size, text=text, cut=cut)


def as_download(store: Store, name: str, digest: str, *, inline: bool) -> Response:
    """The blob; inline only where it is an image, everything else to be saved."""
    path = store.blobs.path(digest)
    if not path.is_file():
        raise NotFound(f"the content of {name} is gone", hint="`assay doctor` says what else is missing")
    image = _IMAGES.get(PurePosixPath(name).suffix.lower())
    return FileResponse(
        path,
        media_type=image if inline and image else "application/octet-stream",
        filename=PurePosixPath(name).name,
        content_disposition_type="inline" if inline and image else "attachment",
        headers=_INERT,
    )


def _table(text: str, delimiter: str, size: int, *, cut: bool) -> Preview:
    if cut:
        text = text[: text.rfind("\n") + 1]
    try:
        rows = [row[:_COLUMNS] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error:
        return Preview("text", size, text=text, cut=cut)
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    return Preview("table", size, header=header, rows=body[:_ROWS], cut=cut or len(body) > _ROWS)
