"""Time stamps (RFC 3161): an authority signs a hash and the time; what it answers is the anchor itself.

The text that was stamped stands beside the answer. Whether the authority is to be trusted is said by its certificate,
which comes from outside: `openssl ts -verify` checks the same answers.
"""

import http.client
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

from assay.errors import InvalidInput, MissingExtra, StoreUnavailable
from assay.record.canonical import digest_bytes

__all__ = ["stamp", "stamped", "wrong_stamp"]

_SECONDS, _MOST = 30, 1 << 20


def stamp(url: str, text: bytes) -> bytes:
    """What the authority answers to a request to stamp the text: DER, with the certificates it signs with.

    StoreUnavailable where it does not answer, or not with a stamp of this text; MissingExtra without the library.
    """
    client = _client()
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(f"{url} is no address of a time stamping authority", expected="http://... or https://...")
    request = client.TimestampRequestBuilder().data(text).hash_algorithm(client.HashAlgorithm.SHA256).build()
    headers = {"Content-Type": "application/timestamp-query", "User-Agent": "assay"}
    asked = urllib.request.Request(url, request.as_bytes(), headers)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310
            content: bytes = answer.read(_MOST)
    except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
        raise StoreUnavailable(f"{url} does not answer: {error}") from error
    try:
        found = client.decode_timestamp_response(content)
        said = found.tst_info
        right = said.message_imprint.message.hex() == digest_bytes(text) and said.nonce == request.nonce
    except ValueError as error:
        raise StoreUnavailable(f"{url} does not answer with a time stamp: {error}") from error
    if found.status != 0 or not right:
        raise StoreUnavailable(f"{url} answers with a time stamp of something else, or refuses")
    return content


def stamped(answer: bytes, text: bytes) -> datetime | None:
    """When the answer says that the text was there; None where it says nothing of it."""
    try:
        said = _client().decode_timestamp_response(answer).tst_info
        matches = said.message_imprint.message.hex() == digest_bytes(text)
        found: datetime = said.gen_time
    except ValueError:
        return None
    return found if matches else None


def wrong_stamp(answer: bytes, text: bytes, roots: Path) -> str | None:
    """Why the answer is no stamp of the text by an authority under one of these certificates (PEM); None if it is."""
    client = _client()
    from cryptography.x509 import load_pem_x509_certificates

    try:
        trusted = load_pem_x509_certificates(roots.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{roots} cannot be read", expected="certificates of authorities in PEM") from error
    try:
        client.VerifierBuilder(roots=trusted).build().verify_message(client.decode_timestamp_response(answer), text)
    except (client.VerificationError, ValueError) as error:
        return str(error)
    return None


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise MissingExtra("stamp", "rfc3161-client") from None
    return rfc3161_client
