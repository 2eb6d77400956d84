"""Keys that sign: the private half in a file outside of the store, the public half on record and in the ledger.

Whoever may write the store should not hold the key that signs its checkpoints: then rewriting the chain leaves their
signatures behind.
"""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from assay.errors import AlreadyExists, Conflict, InvalidInput, MissingExtra, NotFound, Refused, nearest
from assay.operation import operation
from assay.record.audit.proofs import key_id
from assay.record.canonical import digest_bytes
from assay.record.clock import iso
from assay.record.ledger import decide
from assay.record.short_ids import only_row
from assay.record.store import Row, Store

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "KEY_VARIABLE",
    "Signer",
    "SigningKey",
    "ec_key_id",
    "keys_by_id",
    "list_keys",
    "named_key_file",
    "new_key",
    "outside",
    "read_private",
    "revoke_key",
    "signer",
]

KEY_VARIABLE = "ASSAY_SIGNING_KEY"
ED25519, EC = "ed25519", "ecdsa-p256"


class SigningKey(msgspec.Struct, frozen=True):
    """The public half of a key. `revoked` is when it ceased to count; what it signed before stays signed."""

    key_id: str
    algorithm: str
    public_key: str
    holder: str
    ts: str
    revoked: str | None
    reason: str | None


class Signer:
    """A private key that was read from a file. It is never shown and never kept."""

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        self._private = private
        self.key_id = _named(private)[0]

    def sign(self, text: str) -> str:
        """The signature in hexadecimal."""
        return self._private.sign(text.encode()).hex()


@operation("ledger key new", local=True)
def new_key(
    store: Store,
    *,
    file: Annotated[
        str | None, f"Where the private half goes, outside of the store; else what {KEY_VARIABLE} says"
    ] = None,
    holder: Annotated[str | None, "Whose it is; you if left out"] = None,
    kind: Annotated[str, f"{ED25519} for the ledger and records, {EC} for models"] = ED25519,
) -> SigningKey:
    """Make a key: the private half goes into a file that only you can read, the public half on record.

    Raises AlreadyExists where the file is there, MissingExtra without `assay-mlops[sign]`.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    except ImportError:
        raise MissingExtra("sign", "cryptography") from None
    if kind not in (ED25519, EC):
        close = nearest(kind, [ED25519, EC])
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"there is no kind of key {kind!r}", expected=f"{ED25519} or {EC}", hint=hint)
    target = outside(store, named_key_file(file), "the private key")
    private = ed25519.Ed25519PrivateKey.generate() if kind == ED25519 else ec.generate_private_key(ec.SECP256R1())
    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    identity, public_key = _named(private)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise AlreadyExists(f"{target} is there already", hint="another --file: no key is ever replaced") from None
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        return _enter(store, identity, kind, public_key, holder)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@operation("ledger key ls")
def list_keys(store: Store) -> list[SigningKey]:
    """List the keys that sign, oldest first."""
    return [_key(row) for row in store.query("signing_key", order_by=["ts"])]


@operation("ledger key revoke")
def revoke_key(store: Store, key: str, *, reason: Annotated[str, "Why, such as that it was lost"] = "") -> SigningKey:
    """Say that a key counts no more from now on; what it signed before stays signed."""
    if not reason.strip():
        raise InvalidInput("why the key is revoked is not said", expected="--reason TEXT")
    with store.transaction():
        row = only_row(store, "signing_key", "key_id", key, one="key", several="keys", hint="`assay ledger key ls`")
        if row["revoked"]:
            raise Conflict(f"key {row['key_id'][:12]} was revoked at {row['revoked']}")
        changes = {"revoked": iso(store.clock.latest()), "reason": reason}
        decide(store, "key_revoked", row["key_id"], changes)
        store.amend("signing_key", {"key_id": row["key_id"]}, changes)
    return _key({**row, **changes})


def _enter(store: Store, identity: str, algorithm: str, public_key: str, holder: str | None) -> SigningKey:
    """Put the public half of a key on record, and into the ledger: nobody slips another one in later."""
    row = {"key_id": identity, "algorithm": algorithm, "public_key": public_key, "holder": holder or store.actor.name}
    with store.transaction():
        decide(store, "signing_key", identity, {name: row[name] for name in ("algorithm", "public_key", "holder")})
        store.append("signing_key", row)
        return _key(store.get("signing_key", {"key_id": identity}))


def keys_by_id(store: Store) -> dict[str, Row]:
    """The rows of all keys."""
    return {row["key_id"]: row for row in store.query("signing_key")}


def signer(store: Store, file: str | None) -> Signer:
    """The key in a file, by default the one that ASSAY_SIGNING_KEY names, if it is on record and counts.

    Raises InvalidInput for what is no such key, or a file that others can read; Refused for a key that was revoked.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise MissingExtra("sign", "cryptography") from None
    content = read_private(named_key_file(file))
    try:
        private = load_pem_private_key(content, None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise InvalidInput(
            f"{named_key_file(file)} holds no private key of Ed25519", expected="what `assay ledger key new` wrote"
        )
    found = Signer(private)
    row = keys_by_id(store).get(found.key_id)
    if row is None:
        raise NotFound(
            f"key {found.key_id[:12]} is not on record", where=store.location, hint="`assay ledger key new` makes one"
        )
    if row["revoked"]:
        raise Refused(f"key {found.key_id[:12]} was revoked at {row['revoked']}: {row['reason']}")
    return found


def read_private(file: str) -> bytes:
    """The content of a file with a private key, which nobody but its owner may read."""
    path = Path(file).expanduser()
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise InvalidInput(f"others can read {path}, and it holds a private key", hint=f"chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", expected="the file of a private key") from error


def outside(store: Store, place: str, what: str) -> Path:
    """A path that is not inside the folders of the store, where whoever writes the store could reach it."""
    path = Path(place).expanduser().absolute()
    own = [store.blobs.root, *([Path(store.location)] if store.backend == "sqlite" else [])]
    if any(path.resolve().is_relative_to(folder.resolve()) for folder in own):
        raise InvalidInput(
            f"{path} is inside the store", expected=f"a place for {what} that whoever writes the store cannot reach"
        )
    return path


def ec_key_id(private_key: bytes) -> str:
    """How an EC key is named, of which this is the private half in PEM; InvalidInput for what is none."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(private_key, None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise InvalidInput("that is no EC key", expected=f"what `assay ledger key new --kind {EC}` wrote")
    return _named(private)[0]


def _named(private: "Ed25519PrivateKey | EllipticCurvePrivateKey") -> tuple[str, str]:
    """Id and public half: 32 bytes in hexadecimal for Ed25519, PEM for the other, whose hash names it elsewhere too."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(private, Ed25519PrivateKey):
        public = private.public_key().public_bytes_raw().hex()
        return key_id(public), public
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return digest_bytes(pem)[:32], pem.decode()


def named_key_file(file: str | None) -> str:
    """The path of a private key: the one given, else what the environment says."""
    found = file or os.environ.get(KEY_VARIABLE, "").strip()
    if not found:
        raise InvalidInput(
            "no file of a private key is named", expected=f"a path, or {KEY_VARIABLE} in the environment"
        )
    return found


def _key(row: Row) -> SigningKey:
    return SigningKey(**{name: row[name] for name in SigningKey.__struct_fields__})
