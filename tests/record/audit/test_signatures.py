"""People sign evaluations and reports: Annex IV 2(g) asks for them dated and signed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.errors import InvalidInput, NotFound, Refused
from assay.record.audit.signatures import list_signatures, sign
from assay.record.audit.verification import verify
from assay.record.contract import version_row
from assay.record.identity import Actor
from assay.record.ledger import entries
from assay.record.models.registered_models import create_registered_model
from assay.record.sqlstore import SqlStore

Meddle = Callable[[SqlStore, str], None]


@pytest.fixture
def evaluation(decided: SqlStore) -> str:
    decided.append("model_version", version_row("v", 1))
    decided.append(
        "evaluation",
        {"evaluation_id": "e" * 32, "mv_id": "v", "dataset_hash": "d", "profile_blob": "p", "detail": "{}"},
    )
    return "e" * 32


def test_a_signature_says_who_signed_what_and_when(decided: SqlStore, key: str, evaluation: str) -> None:
    made = sign(decided, "evaluation", "eee", key=key)
    assert (made.actor, made.subject_kind, made.subject_id) == ("ann", "evaluation", evaluation)
    assert list_signatures(decided, evaluation) == list_signatures(decided) == [made]
    assert list_signatures(decided, "x") == []
    (entry,) = entries(decided, kind="signature")
    assert entry.subject == f"evaluation/{evaluation}"
    found = verify(decided)
    assert (found.sound, found.signatures) == (True, 1)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE evaluation SET detail = '{\"x\":1}'", "the record is not what was signed"),
        ("DELETE FROM evaluation", "the record is not what was signed"),
        ("UPDATE signature SET actor = 'bob'", "the signature does not belong to it"),
        ("UPDATE signature SET ts = '2001'", "the signature does not belong to it"),
        ("UPDATE signature SET content_hash = 'x'", "the signature does not belong to it"),
        ("UPDATE signature SET key_id = 'x'", "its key is not known"),
    ],
)
def test_what_was_altered_since_is_found(
    decided: SqlStore, key: str, evaluation: str, meddle: Meddle, statement: str, problem: str
) -> None:
    sign(decided, "evaluation", evaluation, key=key)
    meddle(decided, statement)
    assert problem in " ".join(verify(decided).problems)


def test_a_report_is_kept_with_its_signature(decided: SqlStore, key: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>all is well</p>")
    create_registered_model(decided, "churn")
    made = sign(decided, "report", str(tmp_path / "report.html"), key=key, model="churn")
    assert made.subject_id == f"churn/{made.content_hash}"
    assert decided.blobs.get(made.content_hash) == b"<p>all is well</p>"
    assert verify(decided).sound
    decided.blobs.path(made.content_hash).unlink()
    assert "the record is not what was signed" in verify(decided).problems[0]


def test_people_sign_with_their_own_keys(decided: SqlStore, key: str, evaluation: str) -> None:
    decided.actor = Actor("bob")
    with pytest.raises(Refused, match="is that of ann, and you are bob"):
        sign(decided, "evaluation", evaluation, key=key)
    decided.actor = Actor("ann", "service")
    with pytest.raises(Refused, match="people sign"):
        sign(decided, "evaluation", evaluation, key=key)
    assert list_signatures(decided) == []


def test_what_cannot_be_signed_is_refused(decided: SqlStore, key: str, evaluation: str, tmp_path: Path) -> None:
    create_registered_model(decided, "churn")
    with pytest.raises(InvalidInput, match="did you mean 'evaluation'"):
        sign(decided, "evalation", evaluation, key=key)
    with pytest.raises(NotFound, match="no evaluation 123"):
        sign(decided, "evaluation", "123", key=key)
    with pytest.raises(InvalidInput, match="cannot be read"):
        sign(decided, "report", str(tmp_path / "none.html"), key=key, model="churn")
    with pytest.raises(NotFound, match="no model 'chorn'"):
        sign(decided, "report", str(tmp_path / "none.html"), key=key, model="chorn")
    for kind, given in (("report", None), ("evaluation", "churn")):
        with pytest.raises(InvalidInput, match="which model a report is about"):
            sign(decided, kind, evaluation, key=key, model=given)
    assert list_signatures(decided) == []
