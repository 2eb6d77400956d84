"""Time stamps of an authority made here: certificates by `cryptography`, answers by `openssl ts`, on loopback."""

import base64
import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from assay.errors import InvalidInput, StoreUnavailable
from assay.record.audit.anchors import anchor
from assay.record.audit.bundle import export_ledger
from assay.record.audit.offline import check
from assay.record.audit.time_stamps import stamp
from assay.record.audit.verification import verify
from assay.record.sqlstore import SqlStore

Meddle = Callable[[SqlStore, str], None]
CONFIG = """
[tsa]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def _certificate(
    name: str, key: rsa.RSAPrivateKey, issuer: x509.Name | None, issuer_key: rsa.RSAPrivateKey
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


class Authority:
    """A folder with root certificate and key of an authority, and its address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        root_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
        root = _certificate("A root", root_key, None, root_key)
        signer = _certificate("An authority of time", key, root.subject, root_key)
        pem = serialization.Encoding.PEM
        self.root = folder / "root.pem"
        self.root.write_bytes(root.public_bytes(pem))
        (folder / "signer.pem").write_bytes(signer.public_bytes(pem))
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "key.pem").write_bytes(private)
        (folder / "serial").write_text("01")
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
        self.garbled = False
        self.url = ""

    def answer(self, query: bytes) -> bytes:
        """A time stamp in answer to a query."""
        (self.folder / "query.tsq").write_bytes(query)
        command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query.tsq"]
        command += ["-inkey", "key.pem", "-signer", "signer.pem", "-out", "answer.tsr"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return b"nothing" if self.garbled else (self.folder / "answer.tsr").read_bytes()


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    made = Authority(tmp_path / "authority")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = made.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *given: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_time_stamp_is_an_anchor_that_openssl_verifies_too(
    decided: SqlStore, authority: Authority, tmp_path: Path
) -> None:
    made = anchor(decided, tsa=authority.url)[0]
    assert (made.kind, made.place, made.seq) == ("rfc3161", authority.url, 5)
    unchecked = verify(decided)
    assert unchecked.sound
    assert "1 time stamps: --tsa-certificate FILE checks who made them" in unchecked.notes
    found = verify(decided, tsa_certificate=str(authority.root))
    assert (found.sound, found.recent) == (True, True)
    assert any(note.startswith("entries 1 to 5 were there at 20") and authority.url in note for note in found.notes)
    export_ledger(decided, str(tmp_path / "b.zip"))
    assert check(tmp_path / "b.zip")[1] == []
    proof = json.loads(decided.query("ledger_anchor")[0]["proof"])
    (tmp_path / "x.txt").write_text(proof["text"])
    (tmp_path / "x.tsr").write_bytes(base64.b64decode(proof["answer"]))
    command = ["openssl", "ts", "-verify", "-data", str(tmp_path / "x.txt"), "-in", str(tmp_path / "x.tsr")]
    done = subprocess.run([*command, "-CAfile", str(authority.root)], capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


def test_another_authority_or_another_text_does_not_hold(
    decided: SqlStore, authority: Authority, tmp_path: Path
) -> None:
    anchor(decided, tsa=authority.url)
    other = Authority(tmp_path / "other")
    found = verify(decided, tsa_certificate=str(other.root))
    assert not found.sound
    assert "the time stamp of entry 5 by" in found.problems[0]
    row = decided.query("ledger_anchor")[0]
    proof = json.loads(row["proof"])
    changed = json.dumps({**proof, "text": proof["text"].replace('"time":"20', '"time":"19')})
    decided.amend("ledger_anchor", {"anchor_id": row["anchor_id"]}, {"proof": changed})
    assert "Mismatch" in verify(decided, tsa_certificate=str(authority.root)).problems[0]
    with pytest.raises(InvalidInput, match="cannot be read"):
        verify(decided, tsa_certificate=str(tmp_path / "none.pem"))


def test_an_answer_that_is_no_stamp_of_this_is_not_kept(decided: SqlStore, authority: Authority) -> None:
    authority.garbled = True
    with pytest.raises(StoreUnavailable, match="does not answer with a time stamp"):
        anchor(decided, tsa=authority.url)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        stamp("http://127.0.0.1:1", b"x")
    with pytest.raises(InvalidInput, match="no address"):
        stamp("file:///etc/hosts", b"x")
    assert decided.query("ledger_anchor") == []


def test_a_stamp_of_another_request_is_refused(decided: SqlStore, authority: Authority) -> None:
    stamp(authority.url, b"one")
    replayed = (authority.folder / "answer.tsr").read_bytes()
    authority.answer = lambda query: replayed  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="of something else"):
        stamp(authority.url, b"two")
