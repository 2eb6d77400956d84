import msgspec
import pytest
from tests.steer.objectives.objective_world import MODEL, terms_with

from assay.record.objective_terms import Kpi, Terms
from assay.record.objectives import KpiObservation, Objective
from assay.steer.objectives.sentence import sentence
from assay.steer.objectives.user_mix import MixChange, PartShare
from assay.steer.objectives.valuing import BasisValue, MonthValue, ValueReport
from assay.steer.objectives.wording import amount


def objective(terms: Terms) -> Objective:
    return Objective(
        objective_id="o",
        version=1,
        model=MODEL,
        hash="h",
        decided="2026-01-01T00:00:00.000000Z",
        decided_by="ann",
        decision=1,
        review_due="2026-04-01T00:00:00.000000Z",
        ended=None,
        terms=terms,
    )


def report(value: float, low: float, high: float, *, known: int = 38) -> ValueReport:
    part = BasisValue(
        basis="estimated",
        decisions=100,
        value=value,
        low=low,
        high=high,
        gain=value,
        cost=0.0,
        probability=0.9,
        words="",
    )
    month = MonthValue(
        month="2026-10",
        started="2026-10-01T00:00:00.000000Z",
        ended="2026-11-01T00:00:00.000000Z",
        is_over=True,
        decisions=100,
        known=known,
        other=0,
        parts=[part],
    )
    return ValueReport(
        model=MODEL,
        version=1,
        unit="EUR",
        baseline="nobody is warned",
        seed=0,
        months=[month],
        measured=[],
        notes=[],
    )


def mix(here: float | None) -> MixChange:
    part = PartShare(value="partners", before=0.08, now=0.21, rows=21, right_here=here, right_elsewhere=0.8)
    return MixChange(
        column="shop", before="2026-06", now="2026-10", moved=0.13, chance=0.01, is_beyond=True, parts=[part]
    )


TARGET = Kpi(name="net value", unit="EUR a month", target=40_000.0, floor=10_000.0, source="value")
KNOWN = objective(terms_with(kpi=TARGET))


def test_it_says_value_basis_target_users_and_what_is_not_known() -> None:
    assert sentence(KNOWN, report(49_000.0, 41_000.0, 58_000.0), [], [mix(0.74)]) == (
        "In October 2026 late added 41 k to 58 k EUR, beside a world where nobody is warned (estimated, 38% of "
        "outcomes known); target 40 k: on course. Users with shop partners rose from 8% to 21% of decisions since "
        "June 2026; the model is 6 points weaker there. Not known: what acting itself changes, no experiment measured "
        "it in that month."
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (41_000.0, 58_000.0, "target 40 k: on course"),
        (20_000.0, 58_000.0, "target 40 k: whether it is met is open."),
        (5_000.0, 58_000.0, "target 40 k: whether it is met is open, and so is the floor."),
        (20_000.0, 30_000.0, "target 40 k: the target is missed."),
        (5_000.0, 30_000.0, "target 40 k: the target is missed, perhaps the floor of 10 k."),
        (1_000.0, 5_000.0, "target 40 k: past the floor of 10 k."),
    ],
)
def test_it_is_on_course_only_where_the_whole_interval_says_so(low: float, high: float, said: str) -> None:
    assert said in sentence(KNOWN, report((low + high) / 2, low, high), [], [])


def test_a_loss_is_said_to_be_one() -> None:
    said = sentence(KNOWN, report(-2_000.0, -3_000.0, -1_000.0), [], [])
    assert "late cost 1,000 to 3,000 EUR more than it brought" in said


def test_users_for_whom_nothing_is_known_or_nothing_differs_are_said_so() -> None:
    assert "how well the model does there is not known" in sentence(KNOWN, None, [], [mix(None)])
    assert "as good there as elsewhere" in sentence(KNOWN, None, [], [mix(0.801)])


def test_a_kpi_from_outside_stands_first_and_its_absence_is_said() -> None:
    kpi = Kpi(name="complaints", unit="a month", target=10.0, floor=20.0, direction="lower", said_by="the help desk")
    outside = objective(terms_with(kpi=kpi, value=None))
    assert sentence(outside, None, [], []).startswith(
        "Nobody has said yet what complaints is; the target is 10 a month."
    )
    seen = KpiObservation(
        obs_id="1",
        model=MODEL,
        kpi="complaints",
        basis="measured",
        started="2026-10-01T00:00:00.000000Z",
        ended="2026-11-01T00:00:00.000000Z",
        value=8.0,
        low=None,
        high=None,
        link="test:x",
        note=None,
        recorded="2026-11-01T00:00:00.000000Z",
        recorded_by="ann",
    )
    said = sentence(outside, None, [seen], [])
    assert said.startswith(
        "In October 2026 complaints was 8 a month (measured in an experiment); target 10: on course."
    )
    worse = msgspec.structs.replace(seen, value=25.0)
    assert "past the floor of 20" in sentence(outside, None, [worse], [])


def test_where_nothing_was_decided_it_says_that() -> None:
    empty = msgspec.structs.replace(report(0.0, 0.0, 0.0), months=[])
    assert "is not known yet: no month is over" in sentence(KNOWN, empty, [], [])


def test_amounts_have_as_many_digits_as_they_deserve() -> None:
    written = [amount(one) for one in (41_234.0, 1_240.4, 12.0, 12.345, 0.0421, -58_000.0)]
    assert written == ["41 k", "1,240", "12", "12.3", "0.0421", "-58 k"]
