"""Models signed in the form of OpenSSF model signing, also checked by that library's own command."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.prove.worlds import add_version

from assay.errors import InvalidInput, NotFound, Refused
from assay.record.audit.bundle import export_ledger
from assay.record.audit.keys import list_keys, new_key, revoke_key
from assay.record.audit.offline import check
from assay.record.audit.signed_models import sign_model, verify_model_signature
from assay.record.audit.verification import verify
from assay.record.identity import Actor
from assay.record.models.registry import ModelVersion, model_folder
from assay.record.sqlstore import SqlStore


@pytest.fixture
def version(store: SqlStore, tmp_path: Path) -> ModelVersion:
    store.actor = Actor("ann")
    new_key(store, file=str(tmp_path / "ec.pem"), kind="ecdsa-p256")
    return add_version(store)


def test_a_signed_version_verifies_here_and_by_the_library_alone(
    store: SqlStore, version: ModelVersion, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="nobody signed late/1"):
        verify_model_signature(store, "late", "1")
    made = sign_model(store, "late", "1", key=str(tmp_path / "ec.pem"), output=str(tmp_path / "late.sig"))
    assert (made.actor, made.hash) == ("ann", version.hash)
    found = verify_model_signature(store, "late", "1")
    assert (found.sound, found.signed_by, found.problems) == (True, ["ann"], [])
    assert verify(store).sound
    (key,) = list_keys(store)
    (tmp_path / "public.pem").write_text(key.public_key)
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(model_folder(store, version))]
    command += ["--signature", str(tmp_path / "late.sig"), "--public_key", str(tmp_path / "public.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    export_ledger(store, str(tmp_path / "b.zip"), model="late")
    assert check(tmp_path / "b.zip")[1] == []


def test_other_files_another_key_or_another_text_do_not_verify(
    store: SqlStore, version: ModelVersion, tmp_path: Path, meddle: Callable[[SqlStore, str], None]
) -> None:
    sign_model(store, "late", "1", key=str(tmp_path / "ec.pem"))
    other = new_key(store, file=str(tmp_path / "other.pem"), kind="ecdsa-p256")
    (tmp_path / "other.pub").write_text(other.public_key)
    found = verify_model_signature(store, "late", "1", key=str(tmp_path / "other.pub"))
    assert not found.sound
    assert "Key mismatch" in found.problems[0]
    second = add_version(store, "old")
    meddle(store, f"UPDATE signature SET subject_id = '{second.mv_id}'")
    assert "Signature mismatch" in verify_model_signature(store, "late", "2").problems[0]
    bundle = json.loads(store.query("signature")[0]["signature"])
    payload = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    payload["predicate"]["resources"][0]["digest"] = "0" * 64
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    store.amend_all("signature", {"subject_kind": "model_version"}, {"signature": json.dumps(bundle)})
    assert "was not made with this key" in verify_model_signature(store, "late", "2").problems[0]
    store.amend_all("signature", {"subject_kind": "model_version"}, {"signature": "{}"})
    assert not verify_model_signature(store, "late", "2").sound


def test_a_file_that_was_altered_does_not_verify(store: SqlStore, version: ModelVersion, tmp_path: Path) -> None:
    sign_model(store, "late", "1", key=str(tmp_path / "ec.pem"))
    changed = model_folder(store, version) / "MLmodel"
    changed.chmod(0o600)
    changed.write_text(changed.read_text() + "\n")
    found = verify_model_signature(store, "late", "1")
    assert not found.sound
    assert "MLmodel does not match its recorded hash" in found.problems[0]


def test_only_the_holder_of_a_key_that_counts_signs(store: SqlStore, version: ModelVersion, tmp_path: Path) -> None:
    made = new_key(store, file=str(tmp_path / "ed.pem"))
    with pytest.raises(InvalidInput, match="no EC key"):
        sign_model(store, "late", "1", key=str(tmp_path / "ed.pem"))
    with pytest.raises(InvalidInput, match="did you mean 'ed25519'"):
        new_key(store, file=str(tmp_path / "x.pem"), kind="ed2551")
    store.actor = Actor("bob")
    with pytest.raises(Refused, match="is that of ann, and you are bob"):
        sign_model(store, "late", "1", key=str(tmp_path / "ec.pem"))
    store.actor = Actor("ann")
    for key in list_keys(store):
        if key.key_id != made.key_id:
            revoke_key(store, key.key_id, reason="lost")
    with pytest.raises(Refused, match="was revoked"):
        sign_model(store, "late", "1", key=str(tmp_path / "ec.pem"))
    assert store.query("signature") == []


def test_what_cannot_be_read_or_written_is_refused_before_anything_is_signed(
    store: SqlStore, version: ModelVersion, tmp_path: Path
) -> None:
    for output in ("no/folder/late.sig", "ec.pem"):
        with pytest.raises(InvalidInput, match="is there already, or its folder is not"):
            sign_model(store, "late", "1", key=str(tmp_path / "ec.pem"), output=str(tmp_path / output))
    assert store.query("signature") == []
    sign_model(store, "late", "1", key=str(tmp_path / "ec.pem"))
    with pytest.raises(InvalidInput, match="cannot be read"):
        verify_model_signature(store, "late", "1", key=str(tmp_path / "none.pem"))
