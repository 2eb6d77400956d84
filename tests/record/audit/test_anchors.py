import os
import subprocess
from pathlib import Path

import pytest
from tests.record.audit.conftest import Git

from assay.errors import InvalidInput, Refused, StoreUnavailable
from assay.record import ledger
from assay.record.audit.anchors import anchor
from assay.record.audit.verification import verify
from assay.record.location import open_store
from assay.record.sqlstore import SqlStore


def test_an_anchor_is_a_commit_of_one_line_and_leaves_what_is_staged(
    decided: SqlStore, git: Git, tmp_path: Path
) -> None:
    place = tmp_path / "anchors"
    (place / "mine.txt").write_text("not ready")
    git("add", "mine.txt")
    made = anchor(decided, git=str(place / "."))[0]
    assert git("log", "--format=%s").splitlines() == [f"Ledger anchor: entry 5, {made.hash[:16]}"]
    assert git("show", "--format=", "--name-only").split() == ["ledger-anchors.jsonl"]
    assert git("diff", "--cached", "--name-only").split() == ["mine.txt"]
    anchor(decided, git=str(place))
    assert verify(decided, anchors=[str(place)]).anchors == 2
    assert [row["kind"] for row in decided.query("ledger_anchor")] == ["git", "git"]


def test_a_commit_is_pushed_where_its_branch_is_pushed_to(decided: SqlStore, git: Git, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "far")], check=True)
    git("remote", "add", "origin", str(tmp_path / "far"))
    git("commit", "--quiet", "--allow-empty", "-m", "begin")
    git("push", "--quiet", "-u", "origin", "main")
    anchor(decided, git=str(tmp_path / "anchors"), push=True)
    assert git("rev-parse", "HEAD") == git("rev-parse", "origin/main")
    assert verify(decided, anchors=[str(tmp_path / "far")]).anchors == 1, "a bare repository is read as well"


def test_hooks_of_the_repository_are_not_run(decided: SqlStore, git: Git, tmp_path: Path) -> None:
    hook = tmp_path / "anchors/.git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    anchor(decided, git=str(tmp_path / "anchors"))
    assert not (tmp_path / "ran").exists()


def test_the_repository_that_is_meant_is_used_inside_a_hook_of_another(
    decided: SqlStore, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other/.git/index"))
    anchor(decided, git=str(tmp_path / "anchors"))
    assert len(git("log", "--format=%s").splitlines()) == 1


def test_another_ledgers_place_is_refused_and_stays_as_it_is(decided: SqlStore, git: Git, tmp_path: Path) -> None:
    other = open_store(tmp_path / "other")
    ledger.decide(other, "note", "x", {})
    places = {"file": str(tmp_path / "a.jsonl"), "git": str(tmp_path / "anchors")}
    for kind, place in places.items():
        anchor(other, **{kind: place})  # type: ignore[arg-type]
    other.close()
    before = (tmp_path / "a.jsonl").read_text(), git("rev-parse", "HEAD")
    for kind, place in places.items():
        with pytest.raises(Refused, match="is not of this chain: entry 1 had another hash then"):
            anchor(decided, **{kind: place})  # type: ignore[arg-type]
    assert ((tmp_path / "a.jsonl").read_text(), git("rev-parse", "HEAD")) == before
    assert decided.query("ledger_anchor") == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "no place is named"),
        ({"push": True, "file": "x"}, "only a commit is pushed"),
        ({"file": "{folder}/store/a.jsonl"}, "is inside the store"),
        ({"git": "{folder}/plain"}, "git log failed"),
        ({"git": "{folder}/none"}, "git rev-parse failed"),
        ({"tsa": "ftp://example.org"}, "no address"),
    ],
)
def test_what_is_no_place_is_refused(
    decided: SqlStore, tmp_path: Path, options: dict[str, str | bool], why: str
) -> None:
    (tmp_path / "plain").mkdir()
    given = {name: one.format(folder=tmp_path) if isinstance(one, str) else one for name, one in options.items()}
    with pytest.raises(InvalidInput, match=why):
        anchor(decided, **given)  # type: ignore[arg-type]
    assert decided.query("ledger_anchor") == []


def test_a_place_that_cannot_be_written_is_told(decided: SqlStore, git: Git, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        anchor(decided, file=str(tmp_path / "no/folder.jsonl"))
    git("config", "user.name", "")
    environment = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
    assert not {"GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"} & environment.keys()
    with pytest.raises(InvalidInput, match=r"git commit failed in .*empty ident name"):
        anchor(decided, git=str(tmp_path / "anchors"))
    assert decided.query("ledger_anchor") == []
    assert git("status", "--porcelain") == "", "nothing of it is left"


def test_an_empty_ledger_has_nothing_to_anchor(store: SqlStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing was decided yet"):
        anchor(store, file=str(tmp_path / "a.jsonl"))
