"""One file of a web address, fetched to a temporary place, read and taken away again."""

import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from assay.errors import InvalidInput
from assay.progress import tell

__all__ = ["fetched", "shown_address"]

_PIECE = 1 << 20
_TIMEOUT_S = 60  # without a byte


def shown_address(address: str) -> str:
    """The address without user, password and what is behind the question mark, which may be a secret."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


@contextmanager
def fetched(address: str, most_mb: float) -> Iterator[Path]:
    """The file of an address, under the name it has there, as long as the block lasts.

    InvalidInput where the server does not give it, gives only a part, or gives more than `most_mb` megabytes.
    """
    shown = shown_address(address)
    most = int(most_mb * 1e6)
    too_large = InvalidInput(
        f"the file is larger than {most_mb:g} MB", where=shown, hint=f"source(..., most_mb={most_mb * 10:g}) takes more"
    )
    name = PurePosixPath(urlsplit(address).path).name or "file"
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        path = Path(folder) / name
        try:
            request = urllib.request.Request(address, headers={"User-Agent": "assay"})  # noqa: S310 - http or https
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310
                length = int(answer.headers.get("Content-Length") or 0)
                if length > most:
                    raise too_large
                size = 0
                while piece := answer.read(_PIECE):
                    size += len(piece)
                    if size > most:
                        raise too_large
                    file.write(piece)
                    if length:
                        tell("fetching", size / length, name)
        except HTTPError as error:
            error.close()
            hint = "is a password or a token needed?" if error.code in (401, 403) else None
            raise InvalidInput(f"the server answers {error.code} {error.reason}", where=shown, hint=hint) from None
        except (URLError, OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise InvalidInput(f"the file cannot be fetched: {reason}", where=shown) from None
        if length and size < length:
            raise InvalidInput(
                f"the connection ended after {size:,} of {length:,} bytes", where=shown, hint="try again"
            )
        yield path
