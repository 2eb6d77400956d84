"""Check G11: erasure of personal data held outside of the chain leaves it valid."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.errors import InvalidInput, NotFound
from assay.record import ledger
from assay.record.audit.personal import commit_personal, erase_person, revealed
from assay.record.audit.verification import verify
from assay.record.sqlstore import SqlStore

Meddle = Callable[[SqlStore, str], None]
WORDS = "carl asked for it, and signs with ☂"


def _decided(store: SqlStore) -> str:
    with store.transaction():
        reference = commit_personal(store, "carl", "words", WORDS)
        ledger.decide(store, "decision_record", "m", {"reason": f"because {reference}."})
    return reference


def test_a_decision_holds_a_reference_and_the_value_can_be_read(either_store: SqlStore) -> None:
    _decided(either_store)
    (entry,) = ledger.entries(either_store)
    assert WORDS not in str(entry)
    assert revealed(either_store, str(entry.detail["reason"])) == f"because {WORDS}."
    assert revealed(either_store, "nothing personal:abc") == "nothing personal:abc"
    assert verify(either_store).sound


def test_after_erasure_the_chain_still_verifies_and_nothing_is_left_g11(either_store: SqlStore, tmp_path: Path) -> None:
    reference = _decided(either_store)
    other = commit_personal(either_store, "dora", "words", "mine")
    erased = erase_person(either_store, "carl", reason="a request of 3 May")
    assert (erased.values, erased.decision) == (1, 2)
    found = verify(either_store)
    assert (found.sound, found.entries) == (True, 2)
    assert revealed(either_store, reference) == "(erased)"
    assert revealed(either_store, other) == "mine"
    row = either_store.get("personal_data", {"ref": reference})
    assert (row["person"], row["salt"], row["value"]) == ("(erased)", None, None)
    (entry,) = ledger.entries(either_store, kind="erasure")
    assert entry.detail == {"of": "a person", "values": 1, "fields": ["words"], "reason": "a request of 3 May"}
    assert "carl" not in "".join(str(row) for kind in ("ledger", "personal_data") for row in either_store.query(kind))


def test_the_same_value_has_another_reference_each_time(store: SqlStore) -> None:
    assert len({commit_personal(store, "carl", "name", "Carl") for _ in range(5)}) == 5


def test_an_erasure_that_cannot_be_is_refused_and_changes_nothing(store: SqlStore) -> None:
    _decided(store)
    with pytest.raises(InvalidInput, match="why it is erased"):
        erase_person(store, "carl")
    with pytest.raises(InvalidInput, match="names the person"):
        erase_person(store, "carl", reason="carl asked")
    with pytest.raises(NotFound):
        erase_person(store, "karl", reason="asked")
    assert ledger.verify(store).entries == 1
    erase_person(store, "carl", reason="asked")
    with pytest.raises(NotFound):
        erase_person(store, "carl", reason="asked again")


def test_what_the_person_did_is_counted_and_stays(store: SqlStore) -> None:
    from assay.record.identity import Actor

    store.actor = Actor("carl")
    _decided(store)
    store.actor = Actor("dpo")
    assert erase_person(store, "carl", reason="asked").named == {"ledger": 1, "personal_data": 1}
    commit_personal(store, "bob", "words", "x")
    assert erase_person(store, "bob", reason="asked").named == {}


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE personal_data SET value = 'other'", "is not the one that was kept"),
        ("UPDATE personal_data SET salt = '00'", "is not the one that was kept"),
        ("UPDATE personal_data SET value = NULL", "is not the one that was kept"),
        ("UPDATE personal_data SET commitment = 'x'", "is not that of its row"),
        ("DELETE FROM personal_data", "entry 1 refers to personal:"),
    ],
)
def test_another_value_is_found(store: SqlStore, meddle: Meddle, statement: str, problem: str) -> None:
    _decided(store)
    meddle(store, statement)
    assert problem in " ".join(verify(store).problems)
