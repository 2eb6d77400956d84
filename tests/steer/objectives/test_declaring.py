import io
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from tests.steer.objectives.objective_world import BEGIN, MODEL, TERMS, Shop, terms_with, value_with

from assay.errors import AlreadyExists, InvalidInput, NotFound
from assay.record.models.registered_models import create_registered_model
from assay.record.objective_terms import Guardrail, Terms
from assay.record.objectives import objective_of
from assay.record.store import Store
from assay.steer.objectives.asking import ask_terms
from assay.steer.objectives.declaring import list_objectives, new_objective, show_objective
from assay.steer.objectives.files import example_terms, read_terms, terms_as_toml
from assay.steer.objectives.reviewing import review_objectives

FULL = terms_with(
    statement='say "on time" with a \\ and an é',
    guardrails=[Guardrail(name="complaints", unit="a month", limit=20.0, direction="lower", said_by="the help desk")],
    value=value_with(
        outcomes={"late": 1.0, "on time": 0.0},
        matrix={"late": {"leave": 0.0, "warn": (1.5, 4.0, 6.0)}, "on time": {"leave": 0.0, "warn": -1.0}},
        times="features.people",
    ),
    outcome_after="3d",
    review_on=date(2026, 6, 1),
)


@pytest.mark.parametrize("terms", [TERMS, FULL, example_terms("late", "ann", date(2026, 1, 1))])
def test_what_is_written_is_read_as_the_same(terms: Terms, tmp_path: Path) -> None:
    (tmp_path / "objective.toml").write_text(terms_as_toml(terms))
    assert read_terms(tmp_path / "objective.toml") == terms


def test_an_objective_is_decided_from_a_file_and_the_same_file_changes_nothing(store: Store, tmp_path: Path) -> None:
    create_registered_model(store, MODEL)
    file = tmp_path / "objective.toml"
    written = new_objective(store, MODEL, str(file), template=True)
    assert written.written == str(file)
    assert "# What is done without the model" in file.read_text()
    with pytest.raises(AlreadyExists):
        new_objective(store, MODEL, str(file), template=True)
    first = new_objective(store, MODEL, str(file))
    assert (first.changed, first.objective) == (True, objective_of(store, MODEL))
    assert not new_objective(store, MODEL, str(file)).changed
    file.write_text(file.read_text().replace("floor = 10000", "floor = 12000"))
    second = new_objective(store, MODEL, str(file), reason="a year later")
    assert second.objective is not None
    assert (second.changed, second.objective.version, second.objective.terms.kpi.floor) == (True, 2, 12000.0)


WRONG = [
    ("floor = 10000", 'floor = "low"', "kpi.floor", None),
    ("floor = 10000", "flor = 10000", "kpi", "did you mean 'floor'"),
    ('source = "value"', 'source = "vale"', "kpi.source", "did you mean 'value'"),
    ("floor = 10000", "floor = 50000", "kpi.floor", None),
    ('action = "leave"', 'action = "leaf"', "baseline.action", "did you mean 'leave'"),
    ("call = [20, 40, 70]", "call = [70, 40, 20]", "value.matrix.leaves.call", None),
    ("call = [20, 40, 70]", 'call = "many"', "value.matrix.leaves.call", None),
    ("call = [-6, -4, -3]", 'call = "many"', "value.matrix.stays.call", None),
]


@pytest.mark.parametrize(("right", "wrong", "where", "hint"), WRONG, ids=[one[1] for one in WRONG])
def test_what_is_wrong_in_a_file_is_said_with_its_place(
    store: Store, tmp_path: Path, right: str, wrong: str, where: str, hint: str | None
) -> None:
    create_registered_model(store, MODEL)
    text = terms_as_toml(example_terms(MODEL, "ann", date(2026, 1, 1)))
    assert right in text
    (tmp_path / "objective.toml").write_text(text.replace(right, wrong, 1))
    with pytest.raises(InvalidInput) as caught:
        new_objective(store, MODEL, str(tmp_path / "objective.toml"))
    assert "objective.toml, line " in (caught.value.where or "")
    assert where in (caught.value.where or "")
    assert hint is None or hint in (caught.value.hint or "")
    assert objective_of(store, MODEL) is None


def test_without_a_file_and_a_terminal_it_says_what_to_do(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    create_registered_model(store, MODEL)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(InvalidInput, match="--template"):
        new_objective(store, MODEL)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


ANSWERS = [
    "fewer customers wait",  # the sentence
    "",  # owner
    "who is warned",
    "leave, warn",
    "",  # without the model: leave
    "nobody is warned",
    "yes",
    "EUR",
    "late",
    "late",  # refused: the same name
    "on time",
    "0",
    "2, 4, 6",
    "",
    "3, 2, 1",  # refused: not in order
    "-2, -1, 0",
    "a guess",
    "",
    "",
    "",  # the KPI is the value
    "",
    "300",
    "400",  # refused: better than the target
    "100",
    "1d",
    "",
]


def test_the_terminal_asks_in_words_and_asks_again_where_an_answer_cannot_be(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create_registered_model(store, MODEL)
    store.clock.advance(datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr("sys.stdin", _Terminal("\n".join(ANSWERS) + "\n"))
    found = new_objective(store, MODEL).objective
    assert found is not None
    assert found.terms.value is not None
    assert found.terms.value.matrix["late"] == {"leave": 0.0, "warn": (2.0, 4.0, 6.0)}
    assert (found.terms.kpi.source, found.terms.kpi.floor, found.terms.outcome_after) == ("value", 100.0, "1d")
    assert found.terms.owner == store.actor.name
    said = capsys.readouterr().err
    for refused in ("both outcomes have one name", "least, likeliest, most in order", "400 is better than the target"):
        assert refused in said


def test_an_answer_that_never_ends_keeps_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    create_registered_model(store, MODEL)
    monkeypatch.setattr("sys.stdin", _Terminal("half\n"))
    with pytest.raises(KeyboardInterrupt):
        new_objective(store, MODEL)
    assert objective_of(store, MODEL) is None
    with pytest.raises(NotFound, match="no model 'lat'"):
        new_objective(store, "lat")


def test_who_knows_no_values_is_asked_for_a_figure() -> None:
    answers = iter(
        ["s", "", "d", "a, b, c", "0.2, 0.6", "", "", "no", "returns", "percent", "lower", "5", "8", "finance", "", ""]
    )
    terms = ask_terms(MODEL, "ann", date(2026, 1, 1), ask=lambda _: next(answers))
    assert terms.value is None
    assert (terms.kpi.name, terms.kpi.direction, terms.kpi.target, terms.kpi.floor) == ("returns", "lower", 5.0, 8.0)
    assert terms.decision.thresholds == [0.2, 0.6]


def test_an_objective_is_shown_with_all_that_is_known_and_as_it_was(shop: Shop, tmp_path: Path) -> None:
    shop.serve(BEGIN, 31)
    shop.store.clock.advance(datetime(2026, 1, 15, tzinfo=UTC))
    file = tmp_path / "objective.toml"
    file.write_text(terms_as_toml(TERMS))
    new_objective(shop.store, MODEL, str(file))
    shop.store.clock.advance(datetime(2026, 2, 2, tzinfo=UTC))
    review_objectives(shop.store)
    file.write_text(terms_as_toml(msgspec.structs.replace(TERMS, statement="nobody waits")))
    new_objective(shop.store, MODEL, str(file))
    now = show_objective(shop.store, MODEL)
    assert [one.version for one in now.versions] == [1, 2]
    assert len(now.observations) == 1
    assert now.sentence.startswith("In January 2026 late added ")
    then = show_objective(shop.store, MODEL, at="2026-01-20")
    assert (then.objective.version, then.observations) == (1, [])
    with pytest.raises(NotFound, match="had no objective at 2026-01-10"):
        show_objective(shop.store, MODEL, at="2026-01-10")
    (line,) = list_objectives(shop.store)
    assert (line.model, line.version, line.overdue, line.open_review) == (MODEL, 2, False, None)
    assert line.last is not None
