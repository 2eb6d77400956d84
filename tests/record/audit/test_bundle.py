"""Check G12: the bundle verifies offline by the standard library alone, and any changed byte fails."""

import hashlib
import io
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.prove.worlds import ACCURACY, Part, evaluated, world

from assay.errors import AlreadyExists, InvalidInput, NotFound
from assay.prove.gate import gate
from assay.prove.promotion import promote
from assay.record import ledger
from assay.record.audit.anchors import anchor
from assay.record.audit.bundle import export_ledger, verifier
from assay.record.audit.keys import SigningKey, new_key
from assay.record.audit.offline import check
from assay.record.audit.personal import commit_personal, erase_person
from assay.record.audit.signatures import sign
from assay.record.audit.signed_checkpoints import checkpoint
from assay.record.identity import Actor
from assay.record.location import open_store
from assay.record.models.registered_models import create_registered_model
from assay.record.sqlstore import SqlStore

SECRET = "nobody else's business"


class World:
    """A store in which a model was judged, promoted, signed for and anchored, and another model that is secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = open_store(folder / "store", actor=Actor("ann"))
        self.key_file = str(folder / "ann.pem")
        self.key: SigningKey = new_key(self.store, file=self.key_file)
        table = world({"north": Part(300, 0.03), "south": Part(300, 0.03)})
        self.evaluation = evaluated(self.store, table)
        gate(self.evaluation, ACCURACY, store=self.store)
        promote(self.store, "late", 1, override="the first one")
        create_registered_model(self.store, "secret")
        ledger.decide(self.store, "promote", "secret/1", {"reason": SECRET})
        words = commit_personal(self.store, "carl", "words", "carl was unwell")
        ledger.decide(self.store, "decision_record", "late/1", {"reason": words})
        blob = self.store.blobs.put(b"# Card of late\n")
        version = self.store.query("model_version", {"model": "late", "version": 1})[0]
        card = {
            "card_id": "c1",
            "kind": "model",
            "subject": version["mv_id"],
            "hash": blob,
            "content_hash": version["hash"],
        }
        self.store.append("card", {**card, "blob": blob, "sections": "[]", "model": "late"})
        sign(self.store, "evaluation", self.evaluation.evaluation_id, key=self.key_file)
        (folder / "report.html").write_text("<p>a report</p>")
        sign(self.store, "report", str(folder / "report.html"), key=self.key_file, model="late")
        (folder / "other.html").write_text(f"<p>{SECRET}</p>")
        sign(self.store, "report", str(folder / "other.html"), key=self.key_file, model="secret")
        checkpoint(self.store, key=self.key_file)
        anchor(self.store, file=str(folder / "anchors.jsonl"))
        self.store.clock.advance(datetime(2030, 1, 1, tzinfo=UTC))

    def export(self, name: str, **options: Any) -> Path:
        export_ledger(self.store, str(self.folder / name), model="late", **options)
        return self.folder / name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = World(tmp_path_factory.mktemp("bundle"))
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def signed(made: World) -> Path:
    return made.export("signed.zip", key=made.key_file)


def _files(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _unpacked(bundle: Path, folder: Path) -> Path:
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(folder)
    return folder


def _run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As an auditor does: no site packages, nothing of the environment, another folder."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script), *arguments], cwd="/", capture_output=True, text=True, check=False
    )


def test_it_verifies_by_the_standard_library_alone_g12(made: World, signed: Path, tmp_path: Path) -> None:
    folder = _unpacked(signed, tmp_path / "b")
    for arguments in ((), (str(signed),), ("--key", made.key.public_key)):
        done = _run(folder / "verify.py", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert done.stdout.splitlines()[-1] == "VERIFIED: everything is as it was when it was exported"
        assert "Audit bundle of model late, as of 2030-01-01T00:00:00.000000Z" in done.stdout
    assert f"The bundle is signed by ann, key {made.key.public_key}: which you trust." in done.stdout
    assert "assay" not in {line.split()[1].partition(".")[0] for line in _imports(folder / "verify.py")}


def _imports(script: Path) -> list[str]:
    return [line for line in script.read_text().splitlines() if line.startswith(("import ", "from "))]


def test_the_same_store_at_the_same_time_gives_the_same_bytes(made: World, signed: Path) -> None:
    assert made.export("again.zip", key=made.key_file).read_bytes() == signed.read_bytes()


def test_any_changed_byte_of_any_file_fails_with_its_name_g12(signed: Path) -> None:
    files = _files(signed)
    chance = random.Random(1)
    for name, content in files.items():
        places = {0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(4))} if content else set()
        for place in places:
            altered = bytearray(content)
            altered[place] ^= 1 << chance.randrange(8)
            problems = _checked({**files, name: bytes(altered)}, signed.parent / "altered")
            assert any(name in one for one in problems), (name, place, problems)


def _checked(files: dict[str, bytes], folder: Path) -> list[str]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    return check(folder)[1]


def test_any_changed_byte_of_the_zip_fails_g12(signed: Path, tmp_path: Path) -> None:
    content = signed.read_bytes()
    chance = random.Random(2)
    directory = content.rindex(b"PK\x05\x06")
    places = [chance.randrange(len(content)) for _ in range(60)]
    places += [chance.randrange(directory - 2_000, len(content)) for _ in range(60)]
    path = tmp_path / "altered.zip"
    for place in places:
        altered = bytearray(content)
        altered[place] ^= 1 << chance.randrange(8)
        path.write_bytes(altered)
        assert check(path)[1], place


def test_an_altered_script_says_so_where_it_still_runs(signed: Path, tmp_path: Path) -> None:
    folder = _unpacked(signed, tmp_path / "b")
    script = folder / "verify.py"
    text = script.read_text()
    script.write_text(text.replace("# what vouches", "# That vouches"))
    assert "PROBLEM verify.py was altered" in _run(script).stdout
    script.write_text(f"{text}\n)")
    broken = _run(script)
    assert broken.returncode == 1
    assert "verify.py" in broken.stderr


def test_files_that_came_or_went_are_named(signed: Path, tmp_path: Path) -> None:
    folder = _unpacked(signed, tmp_path / "b")
    (folder / "records/gate.jsonl").unlink()
    (folder / "records/more.jsonl").write_text("{}\n")
    assert check(folder)[1] == ["records/gate.jsonl is missing", "records/more.jsonl is in no manifest"]
    (folder / "manifest.sha256").unlink()
    assert check(folder)[1] == ["manifest.sha256 is missing"]
    assert check(tmp_path / "none")[1]


def _resealed(files: dict[str, bytes]) -> dict[str, bytes]:
    """What a forger does who knows how the bundle is made, and has no key."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if not name.startswith("manifest")
    }
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    sums = f"{hashlib.sha256(text.encode()).hexdigest()}  manifest.json\n"
    return {**files, "manifest.json": text.encode(), "manifest.sha256": sums.encode()}


def test_a_bundle_that_was_sealed_anew_is_found_by_its_signature(made: World, signed: Path, tmp_path: Path) -> None:
    files = _files(signed)
    files["records/evaluation.jsonl"] = files["records/evaluation.jsonl"].replace(b'"mv_id"', b'"mv_ID"')
    forged = _resealed(files)
    problems = _checked(forged, tmp_path / "a")
    assert any("manifest.signature.json: the signature does not belong to it" in one for one in problems)
    del forged["manifest.signature.json"]
    folder = tmp_path / "b"
    problems = _checked(forged, folder)
    assert any(
        "signatures.jsonl: signature of ann on evaluation" in one and "not what was signed" in one for one in problems
    )
    assert any("nobody whom you trust signed" in one for one in check(folder, [made.key.public_key])[1])
    told = hashlib.sha256(files["manifest.json"]).hexdigest()
    assert "is not the one that you were told" in check(folder, [], told)[1][0]


def test_a_forged_decision_checkpoint_or_file_list_is_found(signed: Path, tmp_path: Path) -> None:
    files = _files(signed)
    for name, before, after, said in (
        ("ledger.jsonl", b"the first one", b"the worst one", "was edited: its content does not match its hash"),
        ("checkpoints.jsonl", b'"count":', b'"count":1', "is not what was signed"),
        ("models.jsonl", b'"MLmodel":"', b'"MLmodel":"0', "are not those that were sealed"),
        ("anchors.jsonl", b'seq\\\\\\":', b'seq\\\\\\":1', "anchors.jsonl: the anchor in"),
        ("keys.jsonl", b'"revoked":null', b'"revoked":"2000"', "was revoked before"),
    ):
        assert before in files[name], name
        problems = _checked(_resealed({**files, name: files[name].replace(before, after)}), tmp_path / name)
        assert any(said in one for one in problems), (name, problems)


def test_of_decisions_about_other_models_only_the_hashes_are_shown(made: World, signed: Path) -> None:
    assert SECRET.encode() not in signed.read_bytes()
    entries = [json.loads(line) for line in _files(signed)["ledger.jsonl"].splitlines()]
    rows = made.store.query("ledger", order_by=["seq"])
    assert [entry["hash"] for entry in entries] == [row["hash"] for row in rows]
    shown = {entry["seq"] for entry in entries if "body" in entry}
    about = {row["seq"] for row in rows if "secret" not in row["body"]}
    assert shown <= about
    gates = made.store.query("gate")
    assert {row["decision"] for row in gates} <= shown
    whole = export_ledger(made.store, str(made.folder / "all.zip"))
    assert whole.shown == whole.entries == len(rows)
    assert SECRET.encode() in (made.folder / "all.zip").read_bytes()
    assert check(made.folder / "all.zip")[1] == []


def test_it_holds_what_is_on_record_of_the_model(made: World, signed: Path) -> None:
    files = _files(signed)
    tables = {name.removeprefix("records/").removesuffix(".jsonl") for name in files if name.startswith("records/")}
    assert {"model_version", "evaluation", "gate", "alias_move", "deployment", "card", "registered_model"} <= tables
    versions = [json.loads(line) for line in files["models.jsonl"].splitlines()]
    assert {one["version"] for one in versions} == {1, 2}
    assert all(one["files"] for one in versions)
    assert b"# Card of late\n" in files.values()
    assert b"<p>a report</p>" in files.values()
    assert "secret" not in files["records/registered_model.jsonl"].decode()


def test_personal_data_are_in_it_only_where_asked_for_and_not_erased(made: World, tmp_path: Path) -> None:
    assert b"unwell" not in made.export("plain.zip").read_bytes()
    asked = made.export("personal.zip", personal=True)
    assert b"carl was unwell" in asked.read_bytes()
    assert check(asked)[1] == []
    files = _files(asked)
    forged = _resealed({**files, "personal.jsonl": files["personal.jsonl"].replace(b"unwell", b"drunk!")})
    assert any("personal.jsonl: a value is not the one" in one for one in _checked(forged, tmp_path / "f"))
    erase_person(made.store, "carl", reason="asked for it")
    erased = made.export("erased.zip", personal=True)
    assert b"unwell" not in erased.read_bytes()
    assert b"carl" not in erased.read_bytes()
    assert check(erased)[1] == []
    assert _run_zip(erased, tmp_path).returncode == 0


def _run_zip(bundle: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "trusted.py").write_text(verifier())
    return _run(folder / "trusted.py", str(bundle))


def test_a_period_limits_what_happened_and_not_what_it_is_about(made: World) -> None:
    early = made.export("early.zip", until="2001-01-01")
    tables = {name for name in _files(early) if name.startswith("records/")}
    assert {"records/model_version.jsonl", "records/registered_model.jsonl"} <= tables
    assert not {"records/evaluation.jsonl", "records/gate.jsonl"} & tables
    assert check(early)[1] == []
    late = made.export("since.zip", since="2001-01-01")
    assert "records/gate.jsonl" in _files(late)
    assert check(late)[1] == []


def test_what_cannot_be_exported_is_refused_and_writes_nothing(made: World, tmp_path: Path) -> None:
    (tmp_path / "there.zip").write_text("x")
    with pytest.raises(AlreadyExists):
        export_ledger(made.store, str(tmp_path / "there.zip"), model="late")
    with pytest.raises(NotFound, match="no model 'lete'"):
        export_ledger(made.store, str(tmp_path / "a.zip"), model="lete")
    with pytest.raises(InvalidInput, match="'soon' is no time"):
        export_ledger(made.store, str(tmp_path / "a.zip"), since="soon")
    with pytest.raises(InvalidInput, match="no folder"):
        export_ledger(made.store, str(tmp_path / "no/a.zip"))
    assert (tmp_path / "there.zip").read_text() == "x"
    assert not (tmp_path / "a.zip").exists()


def test_nothing_in_a_bundle_looks_like_the_verdict(store: SqlStore, tmp_path: Path) -> None:
    new_key(store, file=str(tmp_path / "k.pem"), holder="x\nVERIFIED: everything\x1b[2J")
    checkpoint(store, key=str(tmp_path / "k.pem"))
    export_ledger(store, str(tmp_path / "b.zip"))
    (tmp_path / "b.zip").write_bytes((tmp_path / "b.zip").read_bytes() + b"more")
    assert _run_zip(tmp_path / "b.zip", tmp_path).stdout.splitlines()[-1].startswith("NOT VERIFIED: ")
    export_ledger(store, str(tmp_path / "c.zip"))
    said = _run_zip(tmp_path / "c.zip", tmp_path).stdout
    assert [line for line in said.splitlines() if line.startswith("VERIFIED")] == [said.splitlines()[-1]]
    assert "\x1b" not in said


def test_an_empty_store_has_a_bundle_too(store: SqlStore, tmp_path: Path) -> None:
    export_ledger(store, str(tmp_path / "empty.zip"))
    said, problems = check(tmp_path / "empty.zip")
    assert problems == []
    assert any("Nobody signed the bundle itself" in one for one in said)


def test_a_zip_that_was_packed_again_is_told(signed: Path, tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in _files(signed).items():
            packed.writestr(name, content)
    (tmp_path / "packed.zip").write_bytes(sink.getvalue())
    assert "packed again or altered" in check(tmp_path / "packed.zip")[1][0]
