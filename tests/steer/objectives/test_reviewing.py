from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from tests.steer.objectives.objective_world import BEGIN, MODEL, Shop, terms_with, value_with

from assay.errors import InvalidInput, NotFound, Refused
from assay.record.clock import iso
from assay.record.identity import Actor
from assay.record.ledger import entries, verify
from assay.record.objective_terms import Baseline, Cost, Guardrail, StopRule, Terms
from assay.record.objectives import decide_objective, objective_of
from assay.record.people import grant_role
from assay.steer.objectives.observing import observe
from assay.steer.objectives.reviewing import decide_review, review_objectives
from assay.steer.objectives.reviews import ObjectiveReview

FEBRUARY = datetime(2026, 2, 2, tzinfo=UTC)
FINE = terms_with(kpi=msgspec.structs.replace(terms_with().kpi, floor=0.0), segments=[])


def reviewed(shop: Shop, terms: Terms, at: datetime = FEBRUARY) -> ObjectiveReview | None:
    decide_objective(shop.store, MODEL, terms)
    shop.store.clock.advance(at)
    found = review_objectives(shop.store)
    assert len(found) <= 1
    return found[0] if found else None


def kinds(review: ObjectiveReview | None) -> list[str]:
    return [] if review is None else [cause.kind for cause in review.causes]


def test_nothing_opens_a_review_where_nothing_speaks_against_going_on(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    assert reviewed(shop, FINE) is None


def test_expired_values_open_a_review(shop: Shop) -> None:
    """Governance G17."""
    shop.serve(BEGIN, 31)
    expired = msgspec.structs.replace(FINE, value=value_with(valid_until=date(2026, 1, 31)))
    found = reviewed(shop, expired, at=datetime(2026, 1, 31, 12, tzinfo=UTC))
    assert found is None, "they hold on that day"
    shop.store.clock.advance(FEBRUARY)
    (review,) = review_objectives(shop.store)
    assert kinds(review) == ["value_expired"]
    assert review.proposal == "rescope"
    assert "held until 2026-01-31" in review.causes[0].words
    assert review_objectives(shop.store) == [review], "looking again changes nothing"


def test_a_kpi_below_its_floor_and_a_broken_guardrail_open_a_review_together(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    guardrail = Guardrail(name="complaints", unit="a month", limit=5.0, direction="lower", said_by="the help desk")
    kpi = msgspec.structs.replace(terms_with().kpi, target=1e6, floor=9e5)
    decide_objective(shop.store, MODEL, msgspec.structs.replace(FINE, kpi=kpi, guardrails=[guardrail]))
    shop.store.clock.advance(FEBRUARY)
    observe(shop.store, MODEL, value=7.0, kpi="complaints", basis="observed", from_="2026-01-01", to="2026-02-01")
    (review,) = review_objectives(shop.store, MODEL)
    assert kinds(review) == ["kpi", "guardrail"]
    assert "below its floor of 900 k" in review.causes[0].words
    assert "complaints was 7 a month in January 2026 (observed), above its limit of 5" in review.causes[1].words


def test_decisions_that_cost_more_than_they_bring_open_a_review_and_twice_propose_to_retire(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    shop.serve(datetime(2026, 2, 1, tzinfo=UTC), 28)
    dear = msgspec.structs.replace(
        FINE,
        kpi=msgspec.structs.replace(FINE.kpi, floor=-1e9),
        cost=Cost(per_decision=5.0, source="x"),
        stop=StopRule(probability=0.3, reviews=2),
    )
    first = reviewed(shop, dear)
    assert first is not None
    assert kinds(first) == ["value_negative"]
    assert (first.probability, first.proposal) == (0.0, "retrain")
    decide_review(shop.store, MODEL, outcome="keep", reason="winter is special")
    assert review_objectives(shop.store) == [], "that month is decided on"
    shop.store.clock.advance(datetime(2026, 3, 2, tzinfo=UTC))
    (second,) = review_objectives(shop.store)
    assert second.proposal == "retire"
    assert "cost more than it brought in February 2026" in second.causes[0].words


def test_other_users_in_a_declared_segment_open_a_review(shop: Shop) -> None:
    shop.serve(BEGIN, 31, shops=["A", "B"])
    shop.serve(datetime(2026, 2, 1, tzinfo=UTC), 28, shops=["A", "B", "C"])
    shop.store.clock.advance(FEBRUARY)
    found = reviewed(shop, msgspec.structs.replace(FINE, segments=["shop"]), at=datetime(2026, 3, 2, tzinfo=UTC))
    assert kinds(found) == ["user_mix"]
    assert found is not None
    assert "C went from 0% to 3" in found.causes[0].words
    decide_review(shop.store, MODEL, outcome="keep", reason="the new shop belongs to it")
    shop.serve(datetime(2026, 3, 1, tzinfo=UTC), 31, shops=["A", "B", "C"])
    shop.store.clock.advance(datetime(2026, 4, 2, tzinfo=UTC))
    assert review_objectives(shop.store) == [], "the mix that was agreed on is the one to compare with"


def test_too_few_labels_and_a_date_that_is_past_open_a_review(shop: Shop) -> None:
    shop.serve(BEGIN, 31, labelled=0.05)
    found = reviewed(shop, msgspec.structs.replace(FINE, review_on=date(2026, 2, 1)))
    assert kinds(found) == ["coverage", "review_date"]
    assert found is not None
    assert found.due == iso(FEBRUARY + timedelta(days=14))


def test_what_is_found_later_joins_the_open_review(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    terms = msgspec.structs.replace(FINE, value=value_with(valid_until=date(2026, 2, 10)), review_on=date(2026, 2, 1))
    first = reviewed(shop, terms)
    assert kinds(first) == ["review_date"]
    assert first is not None
    assert first.proposal == "keep"
    shop.store.clock.advance(datetime(2026, 2, 11, tzinfo=UTC))
    (second,) = review_objectives(shop.store)
    assert second.review_id == first.review_id
    assert kinds(second) == ["review_date", "value_expired"]


def test_a_review_is_closed_by_a_person_with_a_role_and_a_reason(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    store = shop.store
    grant_role(store, "bob", "business-owner", model=MODEL)
    review = reviewed(shop, msgspec.structs.replace(FINE, review_on=date(2026, 2, 1)))
    assert review is not None
    assert review.asked == {"business-owner": ["bob"]}
    for actor, told in ((Actor("cron", "service"), "is a service"), (Actor("eve"), "none of the roles")):
        store.actor = actor
        with pytest.raises(Refused, match=told):
            decide_review(store, review.review_id, outcome="keep", reason="fine")
    store.actor = Actor("bob")
    with pytest.raises(InvalidInput, match="no review ends with 'kep'"):
        decide_review(store, review.review_id, outcome="kep", reason="fine")
    with pytest.raises(InvalidInput, match="the reason is empty"):
        decide_review(store, review.review_id, outcome="keep", reason=" ")
    closed = decide_review(store, review.review_id[:10], outcome="keep", reason="it earns its keep")
    assert (closed.outcome, closed.closed_by, closed.words) == ("keep", "bob", "it earns its keep")
    (entry,) = [one for one in entries(store, limit=20) if one.kind == "objective_review"]
    assert entry.seq == closed.decision
    assert verify(store).sound
    with pytest.raises(InvalidInput, match="was closed on 2026-02-02"):
        decide_review(store, review.review_id, outcome="keep", reason="again")
    with pytest.raises(NotFound, match="no review of late is open"):
        decide_review(store, MODEL, outcome="keep", reason="again")
    assert review_objectives(store) == [], "the next one is due thirteen weeks later"
    store.clock.advance(FEBRUARY + timedelta(weeks=13, days=1))
    assert "review_date" in kinds(review_objectives(store)[0])


def test_the_owner_of_the_objective_may_decide_whatever_roles_say(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    grant_role(shop.store, "bob", "management")
    assert reviewed(shop, msgspec.structs.replace(FINE, review_on=date(2026, 2, 1))) is not None
    shop.store.actor = Actor("ann")
    assert decide_review(shop.store, MODEL, outcome="retrain", reason="new data").outcome == "retrain"


def test_retiring_ends_the_objective_in_one_step(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    assert reviewed(shop, msgspec.structs.replace(FINE, review_on=date(2026, 2, 1))) is not None
    decide_review(shop.store, MODEL, outcome="retire", reason="nobody needs it")
    assert objective_of(shop.store, MODEL) is None
    assert review_objectives(shop.store) == []
    assert [one.kind for one in entries(shop.store, limit=2)] == ["objective", "objective_review"]


def test_people_are_told_of_a_review_when_it_opens(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    reviewed(shop, msgspec.structs.replace(FINE, review_on=date(2026, 2, 1)))
    (told,) = shop.store.query("outbox", {"event": "objective.review_opened"})
    assert "the review was due on 2026-02-01" in told["payload"]


def test_an_objective_that_cannot_be_looked_at_keeps_no_other_from_being(shop: Shop) -> None:
    from assay.record.models.registered_models import create_registered_model

    create_registered_model(shop.store, "broken")
    rule = msgspec.structs.replace(FINE, endpoint=MODEL, baseline=Baseline(words="x", rule="nonsense("))
    decide_objective(shop.store, "broken", rule)
    shop.serve(BEGIN, 31)
    decide_objective(shop.store, MODEL, msgspec.structs.replace(FINE, review_on=date(2026, 2, 1)))
    shop.store.clock.advance(FEBRUARY)
    with pytest.raises(InvalidInput, match="cannot be run"):
        review_objectives(shop.store)
    assert [row["model"] for row in shop.store.query("objective_review")] == [MODEL]


def test_a_changed_record_of_an_objective_or_its_review_is_noticed(shop: Shop) -> None:
    shop.serve(BEGIN, 31)
    review = reviewed(shop, msgspec.structs.replace(FINE, review_on=date(2026, 2, 1)))
    assert review is not None
    decide_review(shop.store, MODEL, outcome="keep", reason="fine")
    shop.store.amend("objective_review", {"review_id": review.review_id}, {"outcome": "retire"})
    assert any("how review" in problem for problem in verify(shop.store).problems)
    shop.store.amend("objective_review", {"review_id": review.review_id}, {"outcome": "keep"})
    assert verify(shop.store).sound
    (row,) = shop.store.query("objective")
    key = {"objective_id": row["objective_id"], "version": 1}
    shop.store.amend("objective", key, {"detail": row["detail"].replace('"ann"', '"eve"')})
    assert any("version 1 of what late is for" in problem for problem in verify(shop.store).problems)
