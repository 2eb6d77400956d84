"""`assay ledger`, `sign` and `model sign` as people type them."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.cli.conftest import CommandLine

from assay.record.audit.personal import commit_personal
from assay.record.location import open_store


@pytest.fixture
def key(assay: CommandLine, tmp_path: Path) -> str:
    said = assay("ledger", "key", "new", "--file", str(tmp_path / "k.pem"))
    assert said.code == 0
    assert said.out.startswith("key ")
    assert "PRIVATE" not in said.out
    return str(tmp_path / "k.pem")


def test_keys_are_made_listed_and_revoked(assay: CommandLine, key: str) -> None:
    (one,) = assay("ledger", "key", "ls", "--json").document
    assert one["public_key"] in assay("ledger", "key", "ls").out
    assert "why the key is revoked is not said" in assay.refused("ledger", "key", "revoke", one["key_id"][:8])
    assert "REVOKED" in assay("ledger", "key", "revoke", one["key_id"][:8], "--reason", "lost").out
    assert "revoked" in assay("ledger", "key", "ls").out
    assert "was revoked at" in assay.refused("ledger", "checkpoint", "--key", key, code=1)


def test_groups_within_groups_help_and_correct(assay: CommandLine) -> None:
    assert "Keys that sign: make, list, revoke" in assay("ledger", "--help").out
    assert "List the keys that sign" in assay("ledger", "key", "--help").out
    assert "did you mean 'new'?" in assay.refused("ledger", "key", "nwe")
    assert "did you mean 'key'?" in assay.refused("ledger", "kez", "ls")


def test_a_ledger_is_signed_anchored_and_verified(assay: CommandLine, key: str, tmp_path: Path) -> None:
    assert "no file of a private key is named" in assay.refused("ledger", "checkpoint")
    assert assay("ledger", "checkpoint", "--key", key).out.startswith("signed entries 1 to 3, hash ")
    place = str(tmp_path / "anchors.jsonl")
    said = assay("ledger", "anchor", "--file", place)
    assert said.out.startswith("anchored entries 1 to 3, hash ")
    said = assay("ledger", "verify", "--anchors", place)
    assert said.code == 0
    assert "verifiable up to 20" in said.out
    assert "(entry 3, 0.0 days ago); 1 anchors read where they were said" in said.out
    assert "signed up to entry 3, 1 checkpoints" in said.out
    document = assay("ledger", "verify", "--anchors", place, "--json").document
    assert (document["recent"], document["outside"], document["verifiable_entries"]) == (True, True, 3)
    assert "there is no anchor" in assay.refused("ledger", "verify", "--anchors", str(_empty(tmp_path)))


def _empty(folder: Path) -> Path:
    (folder / "empty.jsonl").write_text("")
    return folder / "empty.jsonl"


def test_a_bundle_is_exported_and_its_script_verifies_it(assay: CommandLine, key: str, tmp_path: Path) -> None:
    said = assay("ledger", "export", str(tmp_path / "b.zip"), "--model", "delays", "--key", key)
    assert said.code == 0
    assert "tell its reader besides: the SHA-256 of manifest.json is " in said.out
    with zipfile.ZipFile(tmp_path / "b.zip") as opened:
        opened.extractall(tmp_path / "b")
    script = [sys.executable, "-I", "-S", str(tmp_path / "b/verify.py")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = subprocess.run(
        [sys.executable, "-m", "assay.record.audit.bundle"], capture_output=True, text=True, check=True
    )
    assert printed.stdout == (tmp_path / "b/verify.py").read_text()
    assert "is there already" in assay.refused("ledger", "export", str(tmp_path / "b.zip"))
    assert "no model 'delay'" in assay.refused("ledger", "export", str(tmp_path / "c.zip"), "--model", "delay")


def test_a_person_is_erased(assay: CommandLine) -> None:
    store = open_store(assay.place)
    commit_personal(store, "carl", "words", "unwell")
    store.close()
    assert "why it is erased" in assay.refused("ledger", "erase", "carl")
    said = assay("ledger", "erase", "carl", "--reason", "request 17")
    assert said.code == 0
    assert said.out.splitlines()[0] == "1 values erased (decision 3); the chain verifies as before"
    assert assay("ledger", "verify").code == 0


def test_a_report_is_signed(assay: CommandLine, key: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>")
    said = assay("sign", "report", str(tmp_path / "report.html"), "--model", "delays", "--key", key)
    assert " signed report " in said.out
    (one,) = assay("signatures", "--json").document
    assert one["content_hash"][:12] in assay("signatures").out
    assert "cannot be signed" in assay.refused("sign", "run", "x", "--key", key)


def test_a_model_is_signed(assay: CommandLine, tmp_path: Path) -> None:
    path = str(tmp_path / "ec.pem")
    assert assay("ledger", "key", "new", "--file", path, "--kind", "ecdsa-p256").code == 0
    assert "nobody signed delays/1" in assay.refused("model", "verify-signature", "delays", "1")
    said = assay("model", "sign", "delays", "1", "--key", path, "--output", str(tmp_path / "m.sig"))
    assert " signed delays/1 (" in said.out
    assert assay("model", "verify-signature", "delays", "1").out.startswith("the files of delays/1 are those that ")
    (tmp_path / "other.pem").write_text("no key")
    said = assay("model", "verify-signature", "delays", "1", "--key", str(tmp_path / "other.pem"))
    assert said.code == 1
    assert said.out.startswith("NOT as signed: delays/1")
