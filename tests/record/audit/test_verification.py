"""Checks G9 and G10 of the specification of governance, and maturity rule LEDGER-1."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.record.audit.conftest import Git

from assay.errors import InvalidInput, Refused
from assay.record import ledger
from assay.record.audit.anchors import anchor
from assay.record.audit.keys import list_keys, new_key, revoke_key
from assay.record.audit.signed_checkpoints import checkpoint
from assay.record.audit.verification import last_anchor, verify
from assay.record.clock import moment
from assay.record.identity import Actor
from assay.record.sqlstore import SqlStore

Meddle = Callable[[SqlStore, str], None]
Rewrite = Callable[[SqlStore, int], None]


def _more(store: SqlStore, count: int = 3) -> None:
    for _ in range(count):
        ledger.decide(store, "promote", "later", {"reason": "because"})


def test_an_edited_entry_is_named_g9(decided: SqlStore, key: str, meddle: Meddle) -> None:
    checkpoint(decided, key=key)
    meddle(decided, "DROP TRIGGER ledger_no_update")
    meddle(decided, "UPDATE ledger SET body = replace(body, 'because 2', 'because 9') WHERE seq = 2")
    found = verify(decided)
    assert not found.sound
    assert found.problems == ["entry 2 was edited: its content does not match its hash"]
    assert found.recent is False


def test_a_chain_rewritten_from_an_entry_on_is_found_by_the_last_anchor_before_g10(
    decided: SqlStore, git: Git, tmp_path: Path, rewrite: Rewrite, meddle: Meddle
) -> None:
    place = str(tmp_path / "anchors")
    first = anchor(decided, git=place)[0]
    _more(decided)
    second = anchor(decided, git=place)[0]
    _more(decided)
    assert (first.seq, second.seq) == (5, 8)
    rewrite(decided, 7)
    meddle(decided, f"DELETE FROM ledger_anchor WHERE anchor_id = '{second.anchor_id}'")
    unaware = verify(decided)
    assert unaware.sound, "whoever rewrites the chain rewrites the table of anchors too"
    assert unaware.notes[0].endswith("--anchors PLACE reads them where they were said")
    found = verify(decided, anchors=[place])
    assert not found.sound
    (problem,) = found.problems
    assert problem.startswith(f"the chain was rewritten before the anchor of entry 8 at {second.ts} in {place} commit ")
    assert problem.endswith(f"entry 8 had another hash then; entries up to 5 are those anchored at {first.ts}")
    assert (found.verifiable_up_to, found.verifiable_entries, found.outside) == (first.ts, 5, True)


def test_a_chain_rewritten_after_the_last_anchor_is_verifiable_up_to_there_only(
    decided: SqlStore, git: Git, tmp_path: Path, rewrite: Rewrite
) -> None:
    place = str(tmp_path / "anchors")
    made = anchor(decided, git=place)[0]
    _more(decided)
    rewrite(decided, 7)
    found = verify(decided, anchors=[place])
    assert found.sound
    assert (found.verifiable_up_to, found.verifiable_entries, found.entries) == (made.ts, 5, 8)


@pytest.mark.parametrize("first", [1, 3, 5])
def test_a_checkpoint_finds_the_same_where_its_key_is_not_the_writers(
    decided: SqlStore, key: str, rewrite: Rewrite, first: int
) -> None:
    made = checkpoint(decided, key=key)
    assert made.seq == 6
    assert verify(decided).signed_entries == 6
    rewrite(decided, first)
    found = verify(decided)
    assert "checkpoint of entry 6: entry 6 had another hash then" in found.problems
    assert found.signed_entries == 0


def test_a_chain_that_was_rewritten_and_signed_with_another_key_is_found_by_the_key_that_is_trusted(
    decided: SqlStore, key: str, tmp_path: Path, rewrite: Rewrite, meddle: Meddle
) -> None:
    checkpoint(decided, key=key)
    trusted = list_keys(decided)[0].public_key
    assert verify(decided, trust=[trusted]).signed_entries == 6
    meddle(decided, "DELETE FROM ledger_checkpoint")
    rewrite(decided, 2)
    new_key(decided, file=str(tmp_path / "own.pem"))
    checkpoint(decided, key=str(tmp_path / "own.pem"))
    assert verify(decided).sound
    found = verify(decided, trust=[trusted])
    assert (found.problems, found.signed_entries) == (["no key that you trust signed the chain"], 0)
    with pytest.raises(InvalidInput, match="is none"):
        verify(decided, trust=["ann"])


def test_a_chain_cut_short_is_found(decided: SqlStore, key: str, tmp_path: Path, meddle: Meddle) -> None:
    place = tmp_path / "elsewhere.jsonl"
    checkpoint(decided, key=key)
    anchor(decided, file=str(place))
    meddle(decided, "DROP TRIGGER ledger_no_delete")
    meddle(decided, "DELETE FROM ledger WHERE seq = 6")
    meddle(decided, "UPDATE ledger_head SET seq = 5, hash = (SELECT hash FROM ledger WHERE seq = 5)")
    problems = " ".join(verify(decided, anchors=[str(place)]).problems)
    assert "entry 6 was there then, and the chain now ends at 5" in problems
    assert "is not the one that the ledger says was made" in problems


def test_what_a_commit_took_out_of_the_repository_still_counts(
    decided: SqlStore, git: Git, tmp_path: Path, rewrite: Rewrite
) -> None:
    place = tmp_path / "anchors"
    anchor(decided, git=str(place))
    rewrite(decided, 2)
    (place / "ledger-anchors.jsonl").write_text("")
    git("commit", "--quiet", "-am", "tidy up")
    with pytest.raises(Refused, match="is not of this chain: entry 5 had another hash then"):
        anchor(decided, git=str(place))
    assert not verify(decided, anchors=[str(place)]).sound


def test_the_last_anchor_is_recent_for_seven_days_ledger_1(decided: SqlStore, tmp_path: Path) -> None:
    nothing = verify(decided)
    assert (nothing.recent, nothing.anchor_age_days, nothing.verifiable_up_to) == (False, None, None)
    assert "whoever owns the store could rewrite the whole chain unnoticed" in nothing.notes[0]
    made = anchor(decided, file=str(tmp_path / "elsewhere.jsonl"))[0]
    for days, recent in ((-1, False), (6.9, True), (7.1, False)):
        decided.clock.event = None
        decided.clock.advance(moment(made.ts) + timedelta(days=days))
        found = verify(decided)
        assert (found.recent, found.sound) == (recent, True)
        assert found.anchor_age_days == pytest.approx(days, abs=0.01)


def test_a_revoked_key_signs_no_more_and_what_it_signed_stays(decided: SqlStore, key: str, meddle: Meddle) -> None:
    made = checkpoint(decided, key=key)
    revoked = revoke_key(decided, made.key_id[:8], reason="lost")
    assert verify(decided).sound
    with pytest.raises(Refused, match=r"was revoked at .*: lost"):
        checkpoint(decided, key=key)
    meddle(decided, f"UPDATE signing_key SET revoked = NULL WHERE key_id = '{revoked.key_id}'")
    assert verify(decided).problems == [f"whether key {made.key_id[:12]} was revoked is not what the ledger says"]


def test_a_key_that_was_slipped_in_is_found(decided: SqlStore, key: str, meddle: Meddle) -> None:
    made = checkpoint(decided, key=key)
    meddle(decided, "UPDATE signing_key SET holder = 'bob'")
    assert verify(decided).problems == [f"key {made.key_id[:12]} is not the one that the ledger says was made"]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE ledger_checkpoint SET seq = 5", "checkpoint of entry 5 is not what was signed"),
        ("UPDATE ledger_checkpoint SET signature = upper(signature)", "the signature is not in its one form"),
        ("UPDATE ledger_checkpoint SET signature = 'x'", "the key or the signature is no hexadecimal number"),
        (
            'UPDATE ledger_checkpoint SET content = replace(content, \'"time":"20\', \'"time":"19\')',
            "the signature does not belong to it",
        ),
        ("UPDATE ledger_checkpoint SET content = 'x'", "is not what was signed"),
        ("DELETE FROM signing_key", "its key is not known"),
    ],
)
def test_an_altered_checkpoint_is_found(
    decided: SqlStore, key: str, meddle: Meddle, statement: str, problem: str
) -> None:
    checkpoint(decided, key=key)
    meddle(decided, statement)
    assert problem in " ".join(verify(decided).problems)


def test_nobody_vouches_for_a_chain_that_does_not_hold(
    decided: SqlStore, key: str, tmp_path: Path, meddle: Meddle
) -> None:
    meddle(decided, "DROP TRIGGER ledger_no_update")
    meddle(decided, "UPDATE ledger SET kind = 'x' WHERE seq = 3")
    for vouch in (lambda: checkpoint(decided, key=key), lambda: anchor(decided, file=str(tmp_path / "a.jsonl"))):
        with pytest.raises(InvalidInput, match="entry 3 was edited"):
            vouch()
    assert not (tmp_path / "a.jsonl").exists()
    assert not decided.query("ledger_checkpoint")


def test_a_place_without_anchors_is_no_proof(decided: SqlStore, git: Git, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "other.jsonl").write_text('{"purpose": "something else"}\n')
    for place, why in (
        ("empty.jsonl", "there is no anchor"),
        ("anchors", "there is no anchor|git log failed"),
        ("missing.jsonl", "cannot be read"),
        ("other.jsonl", "other.jsonl:1 is no anchor"),
    ):
        with pytest.raises(InvalidInput, match=why):
            verify(decided, anchors=[str(tmp_path / place)])


def test_the_last_anchor_for_pages_is_one_that_agrees(decided: SqlStore, tmp_path: Path, rewrite: Rewrite) -> None:
    assert last_anchor(decided) is None
    first = anchor(decided, file=str(tmp_path / "a.jsonl"))[0]
    _more(decided)
    second = anchor(decided, file=str(tmp_path / "a.jsonl"))[0]
    found = last_anchor(decided)
    assert found is not None
    assert found["anchor_id"] == second.anchor_id
    rewrite(decided, 7)
    found = last_anchor(decided)
    assert found is not None
    assert found["anchor_id"] == first.anchor_id


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_anchor SET seq = 4",
        "UPDATE ledger_anchor SET hash = 'x'",
        "UPDATE ledger_anchor SET proof = 'x'",
        'UPDATE ledger_anchor SET proof = replace(proof, \'\\"time\\":\\"20\', \'\\"time\\":\\"xx\')',
    ],
)
def test_an_altered_anchor_on_record_is_found_and_shown_to_nobody(
    decided: SqlStore, tmp_path: Path, meddle: Meddle, statement: str
) -> None:
    anchor(decided, file=str(tmp_path / "a.jsonl"))
    before = decided.query("ledger_anchor")
    meddle(decided, statement)
    assert decided.query("ledger_anchor") != before
    (problem,) = verify(decided).problems
    assert problem.endswith("on record is not what was said")
    assert last_anchor(decided) is None
    assert verify(decided, anchors=[str(tmp_path / "a.jsonl")]).verifiable_entries == 5


def test_an_anchor_names_the_checkpoint_that_says_the_same(decided: SqlStore, key: str, tmp_path: Path) -> None:
    decided.actor = Actor("cron", "service")
    signed = checkpoint(decided, key=key)
    made = anchor(decided, file=str(tmp_path / "a.jsonl"))[0]
    assert made.checkpoint_id == signed.checkpoint_id
    said = json.loads((tmp_path / "a.jsonl").read_text())
    assert (said["seq"], said["hash"], said["count"]) == (6, signed.hash, 6)
    assert said["time"] == made.ts


def test_postgres_is_verified_alike(either_store: SqlStore, tmp_path: Path) -> None:
    either_store.actor = Actor("ann")
    new_key(either_store, file=str(tmp_path / "k.pem"))
    checkpoint(either_store, key=str(tmp_path / "k.pem"))
    anchor(either_store, file=str(tmp_path / "a.jsonl"))
    found = verify(either_store, anchors=[str(tmp_path / "a.jsonl")])
    assert (found.sound, found.signed_entries, found.verifiable_entries, found.recent) == (True, 1, 1, True)
