import stat
from pathlib import Path

import pytest

from assay.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from assay.record.audit.keys import list_keys, new_key, revoke_key, signer
from assay.record.identity import Actor
from assay.record.ledger import entries
from assay.record.sqlstore import SqlStore


def test_the_private_half_is_in_a_file_of_ones_own_and_nowhere_else(store: SqlStore, tmp_path: Path) -> None:
    made = new_key(store, file=str(tmp_path / "k.pem"), holder="ann")
    content = (tmp_path / "k.pem").read_bytes()
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600
    assert list_keys(store) == [made]
    (entry,) = entries(store, kind="signing_key")
    assert entry.detail == {"algorithm": "ed25519", "holder": "ann", "public_key": made.public_key}
    secret = b"".join(content.splitlines()[1:-1])
    for path in (tmp_path / "store").rglob("*"):
        assert path.is_dir() or secret not in path.read_bytes()
    assert secret.decode() not in repr(made)


def test_the_file_may_be_named_by_the_environment(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match="no file of a private key is named"):
        new_key(store)
    monkeypatch.setenv("ASSAY_SIGNING_KEY", str(tmp_path / "k.pem"))
    made = new_key(store)
    assert signer(store, None).key_id == made.key_id


def test_what_cannot_be_a_place_of_a_key_is_refused_and_changes_nothing(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "there.pem").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "store")
    for place, error in (
        ("there.pem", AlreadyExists),
        ("store/k.pem", InvalidInput),
        ("link/k.pem", InvalidInput),
        ("no/folder/k.pem", InvalidInput),
    ):
        with pytest.raises(error):
            new_key(store, file=str(tmp_path / place))
    assert (tmp_path / "there.pem").read_text() == "x"
    assert not list((tmp_path / "store").rglob("*.pem"))
    assert list_keys(store) == []
    assert entries(store) == []


def test_a_key_that_others_can_read_or_nobody_knows_does_not_sign(store: SqlStore, tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    new_key(store, file=str(path))
    path.chmod(0o640)
    with pytest.raises(InvalidInput, match="others can read"):
        signer(store, str(path))
    path.chmod(0o600)
    path.write_text("-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")
    with pytest.raises(InvalidInput, match="holds no private key of Ed25519"):
        signer(store, str(path))
    with pytest.raises(InvalidInput, match="cannot be read"):
        signer(store, str(tmp_path / "none.pem"))


def test_a_key_of_another_store_is_not_known(store: SqlStore, tmp_path: Path) -> None:
    from assay.record.location import open_store

    other = open_store(tmp_path / "other")
    new_key(other, file=str(tmp_path / "k.pem"))
    other.close()
    with pytest.raises(NotFound, match="is not on record"):
        signer(store, str(tmp_path / "k.pem"))


def test_a_key_is_revoked_once_and_with_a_reason(store: SqlStore, tmp_path: Path) -> None:
    store.actor = Actor("ann")
    made = new_key(store, file=str(tmp_path / "k.pem"))
    with pytest.raises(InvalidInput, match="why"):
        revoke_key(store, made.key_id)
    with pytest.raises(NotFound, match="no key zz"):
        revoke_key(store, "zz", reason="lost")
    assert revoke_key(store, made.key_id[:6], reason="lost").reason == "lost"
    with pytest.raises(Conflict, match="was revoked at"):
        revoke_key(store, made.key_id, reason="lost")
    (entry,) = entries(store, kind="key_revoked")
    assert (entry.subject, entry.detail["reason"]) == (made.key_id, "lost")
