"""Models signed in the form of OpenSSF model signing: with the files and the public key anybody verifies them.

The signature is a Sigstore bundle over the list of a version's files and their hashes, made offline with an EC key:
`model_signing verify key FOLDER --signature FILE --public_key KEY.pem` checks the same.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import msgspec

from assay.errors import InvalidInput, MissingExtra, NotFound, Refused, Tampered
from assay.operation import operation
from assay.record.audit.keys import EC, ec_key_id, keys_by_id, named_key_file, read_private
from assay.record.clock import iso
from assay.record.files import write_whole
from assay.record.identity import ordered_id
from assay.record.ledger import decide
from assay.record.models.registry import find_version, model_folder
from assay.record.store import Row, Store

__all__ = ["MODEL", "ModelSignature", "ModelSignatureCheck", "sign_model", "verify_model_signature"]

MODEL = "model_version"  # what is signed, in the table of signatures


class ModelSignature(msgspec.Struct, frozen=True):
    """A signature on the files of a version. `path` is where it was written as well, None where nowhere."""

    signature_id: str
    model: str
    version: int
    hash: str
    actor: str
    key_id: str
    ts: str
    path: str | None


class ModelSignatureCheck(msgspec.Struct, frozen=True):
    """Whether the files of a version are those that were signed, by all who did; `signed_by`: whose signature holds."""

    sound: bool
    model: str
    version: int
    signed_by: list[str]
    problems: list[str]


@operation("model sign", local=True)
def sign_model(
    store: Store,
    model: Annotated[str, "Its name"],
    version: Annotated[str, "Its number, or an alias such as champion"],
    *,
    key: Annotated[str | None, "File of your EC key; else what ASSAY_SIGNING_KEY says"] = None,
    output: Annotated[str | None, "Also write the signature into this file, for those who get the model"] = None,
) -> ModelSignature:
    """Sign the files of a version with an EC key, in the form of OpenSSF model signing.

    Raises Refused for somebody else's key, Tampered where the files are not those that were sealed, MissingExtra
    without `assay-mlops[model-signing]`.
    """
    signing = _library().signing
    found, path = find_version(store, model, version), named_key_file(key)
    holder = _holder(store, ec_key_id(read_private(path)))
    if store.actor.kind != "human" or holder["holder"] != store.actor.name:
        raise Refused(f"key {holder['key_id'][:12]} is that of {holder['holder']}, and you are {store.actor.name}")
    if output and (Path(output).exists() or not Path(output).absolute().parent.is_dir()):
        raise InvalidInput(f"{output} is there already, or its folder is not", expected="a new file in a folder")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.sig"
        signing.Config().use_elliptic_key_signer(private_key=path).sign(model_folder(store, found), target)
        content = target.read_bytes()
    row: Row = {
        "signature_id": ordered_id(),
        "subject_kind": MODEL,
        "subject_id": found.mv_id,
        "content_hash": found.hash,
        "key_id": holder["key_id"],
        "signature": content.decode(),
        "actor": store.actor.name,
        "ts": iso(store.clock.now()),
    }
    with store.transaction():
        store.append("signature", row)
        detail = {"content_hash": found.hash, "key": row["key_id"]}
        decide(store, "signature", f"{found.model}/{found.version}", detail)
    if output:
        write_whole(Path(output).absolute(), content, mode=0o644)
    return ModelSignature(
        signature_id=row["signature_id"],
        model=found.model,
        version=found.version,
        hash=found.hash,
        actor=row["actor"],
        key_id=row["key_id"],
        ts=row["ts"],
        path=output,
    )


@operation("model verify-signature", local=True)
def verify_model_signature(
    store: Store,
    model: Annotated[str, "Its name"],
    version: Annotated[str, "Its number, or an alias such as champion"],
    *,
    key: Annotated[str | None, "PEM file of the public key that you trust; else those on record"] = None,
) -> ModelSignatureCheck:
    """Check that the files of a version are those that were signed, and by whom.

    Raises NotFound where nobody signed it.
    """
    _library()
    found = find_version(store, model, version)
    rows = store.query("signature", {"subject_kind": MODEL, "subject_id": found.mv_id}, order_by=["signature_id"])
    if not rows:
        raise NotFound(f"nobody signed {found.model}/{found.version}", hint=f"assay model sign {model} {version}")
    keys, trusted = keys_by_id(store), _public(key) if key else None
    signed_by, problems = list[str](), list[str]()
    for row in rows:
        public = trusted or keys.get(row["key_id"], {}).get("public_key")
        wrong = "its key is not on record" if public is None else _wrong(store, found, row["signature"], public)
        if wrong is None:
            signed_by.append(row["actor"])
        else:
            problems.append(f"the signature of {row['actor']} does not hold: {wrong}")
    return ModelSignatureCheck(not problems, found.model, found.version, signed_by, problems)


def _public(file: str) -> str:
    try:
        return Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read", expected="a public key in PEM") from error


def _wrong(store: Store, version: Any, signature: str, public: str) -> str | None:
    from cryptography.exceptions import InvalidSignature

    with tempfile.TemporaryDirectory() as folder:
        sig, pem = Path(folder) / "model.sig", Path(folder) / "key.pem"
        sig.write_text(signature)
        pem.write_text(public)
        try:
            verifier = _library().verifying.Config().use_elliptic_key_verifier(public_key=pem)
            verifier.verify(model_folder(store, version), sig)
        except Tampered as error:
            return error.what
        except InvalidSignature:
            return "it was not made with this key, or is another text"
        except (ValueError, TypeError, KeyError) as error:
            return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None


def _holder(store: Store, identity: str) -> Row:
    row = keys_by_id(store).get(identity)
    if row is None:
        raise NotFound(f"key {identity[:12]} is not on record", hint=f"`assay ledger key new --kind {EC}`")
    if row["revoked"]:
        raise Refused(f"key {identity[:12]} was revoked at {row['revoked']}: {row['reason']}")
    return row


def _library() -> Any:
    try:
        import model_signing.signing
        import model_signing.verifying
    except ImportError:
        raise MissingExtra("model-signing", "model-signing") from None
    return model_signing
