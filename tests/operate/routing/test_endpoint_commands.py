import os

import pytest
from tests.operate.routing.routes_helpers import promoted
from tests.operate.serving_helpers import ENDPOINT, add_version

from assay.errors import AssayError, Conflict, InvalidInput, NotFound, Refused
from assay.operate import (
    list_endpoints,
    reset_endpoint,
    shadow_endpoint,
    show_endpoint,
    split_endpoint,
    variant_of_unit,
)
from assay.operate.routing.assignment import assigner
from assay.operate.routing.workers import end_worker, register_worker
from assay.prove.promotion import promote
from assay.record import ledger
from assay.record.models.routes import acknowledge, current_route
from assay.record.sqlstore import SqlStore

VARIANTS = ["champion=delays@1:90", "challenger=delays@2:10"]


def test_a_split_by_hand_of_what_did_not_pass_the_gate_needs_a_reason(store: SqlStore) -> None:
    promoted(store)
    before = store.query("ledger")
    with pytest.raises(Refused, match="delays/2 has no verdict against the champion, version 1") as raised:
        split_endpoint(store, ENDPOINT, variant=VARIANTS)
    assert "--override REASON" in str(raised.value)
    with pytest.raises(InvalidInput, match="gives no reason"):
        split_endpoint(store, ENDPOINT, variant=VARIANTS, override=" ")
    assert store.query("ledger") == before

    detail = split_endpoint(store, ENDPOINT, variant=VARIANTS, coverage=20, override="a try", reason="to see")
    assert [(one.name, one.version) for one in detail.variants] == [("champion", 1), ("challenger", 2)]
    assert [one.share for one in detail.variants] == pytest.approx([0.98, 0.02])
    assert detail.split is not None
    assert (detail.split.experiment, detail.split.phase, detail.split.coverage) == ("by hand", 1, 2_000)
    (override,) = [one for one in ledger.entries(store, kind="override") if one.subject == "delays/2"]
    assert override.detail["reason"] == "a try"
    (entry,) = ledger.entries(store, kind="split")
    assert (entry.detail["reason"], entry.detail["allowed"]) == ("to see", {"challenger": "override: a try"})


def test_the_next_split_by_hand_is_a_phase_and_moves_no_unit(store: SqlStore) -> None:
    promoted(store)
    first = split_endpoint(store, ENDPOINT, variant=VARIANTS, coverage=1, override="a try").split
    small = assigner(current_route(store, ENDPOINT))
    second = split_endpoint(store, ENDPOINT, variant=VARIANTS, coverage=50, override="a try").split
    large = assigner(current_route(store, ENDPOINT))
    assert first is not None
    assert second is not None
    assert (second.salt, second.phase) == (first.salt, 2)
    taking_part = [unit for unit in map(str, range(2_000)) if small.assign(unit).reason == "hash"]
    assert taking_part
    assert all(small.assign(unit)[:2] == large.assign(unit)[:2] for unit in taking_part)
    named = split_endpoint(store, ENDPOINT, variant=VARIANTS, experiment="other", salt="mine", override="x").split
    assert named is not None
    assert (named.experiment, named.phase, named.salt) == ("other", 1, "mine")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variant": []}, "0 variants"),
        ({"variant": VARIANTS[:1]}, "--variant champion=delays@1:90"),
        ({"variant": ["champion", *VARIANTS]}, "NAME=MODEL@VERSION:WEIGHT"),
        ({"variant": ["champion=delays", *VARIANTS]}, "MODEL@VERSION, such as"),
        ({"variant": ["champion=delay@1", *VARIANTS]}, "did you mean 'delays'"),
        ({"variant": ["champion=delays@9", *VARIANTS]}, "it has the versions 1, 2"),
        ({"variant": VARIANTS[::-1]}, "is not its champion"),
        ({"variant": [VARIANTS[0], "champion=delays@2"]}, "each under a name"),
        ({"variant": ["champion=delays@1:-3", VARIANTS[1]]}, "the weight -3"),
        ({"hash": "murmur"}, "did you mean 'murmur3'"),
        ({"coverage": 101.0}, "0 to 100"),
        ({"coverage": 0.001}, "hundredths of a percent"),
        ({"segment": "distnce > 3"}, "did you mean distance"),
    ],
)
def test_what_cannot_be_is_refused_with_the_right_spelling(
    store: SqlStore, options: dict[str, object], said: str
) -> None:
    promoted(store)
    before = store.query("ledger")
    with pytest.raises(AssayError) as raised:
        split_endpoint(store, ENDPOINT, **{"variant": VARIANTS, "override": "a try", **options})  # type: ignore[arg-type] # as given
    assert said in str(raised.value)
    assert store.query("ledger") == before


def test_shadows_need_no_verdict(store: SqlStore) -> None:
    promoted(store, 3)
    assert [one.name for one in shadow_endpoint(store, ENDPOINT, "delays@2").variants] == ["champion", "shadow"]
    detail = shadow_endpoint(store, ENDPOINT, "delays@3")
    assert [(one.name, one.role, one.share) for one in detail.variants] == [
        ("champion", "live", 1.0),
        ("shadow", "shadow", 0.0),
        ("shadow-2", "shadow", 0.0),
    ]
    with pytest.raises(Conflict, match="delays/3 is a shadow of endpoint 'delays' already"):
        shadow_endpoint(store, ENDPOINT, "delays@3")
    with pytest.raises(InvalidInput, match="delays@1 is no shadow"):
        shadow_endpoint(store, ENDPOINT, "delays@1", off=True)
    assert len(shadow_endpoint(store, ENDPOINT, "delays@2", off=True).variants) == 2
    assert len(shadow_endpoint(store, ENDPOINT, off=True).variants) == 1
    with pytest.raises(Conflict, match="has no shadow"):
        shadow_endpoint(store, ENDPOINT, off=True)
    with pytest.raises(InvalidInput, match="no version is named"):
        shadow_endpoint(store, ENDPOINT)


def test_shadows_stay_when_the_split_is_changed_by_hand(store: SqlStore) -> None:
    promoted(store, 3)
    shadow_endpoint(store, ENDPOINT, "delays@3")
    split_endpoint(store, ENDPOINT, variant=VARIANTS, override="a try")
    assert [one.name for one in current_route(store, ENDPOINT).shadows] == ["shadow"]


def test_a_reset_gives_everything_to_the_champion(store: SqlStore) -> None:
    promoted(store, 3)
    split_endpoint(store, ENDPOINT, variant=VARIANTS, override="a try")
    shadow_endpoint(store, ENDPOINT, "delays@3")
    detail = reset_endpoint(store, ENDPOINT, reason="enough")
    assert [(one.name, one.version, one.share) for one in detail.variants] == [("champion", 1, 1.0)]
    assert detail.split is None
    with pytest.raises(Conflict, match="answers everything already"):
        reset_endpoint(store, ENDPOINT)


def test_what_a_test_decides_is_not_changed_by_hand_but_can_be_stopped_at_once(store: SqlStore) -> None:
    promoted(store)
    split_endpoint(store, ENDPOINT, variant=VARIANTS, override="a try")
    row = {"test_id": "t", "name": "colours", "endpoint": ENDPOINT, "model": "delays", "kind": "ab", "decision": 1}
    store.append("online_test", {**row, "status": "running", "detail": "{}", "started": "2026-01-01T00:00:00.000000Z"})
    with pytest.raises(Conflict, match="test colours decides who answers"):
        split_endpoint(store, ENDPOINT, variant=VARIANTS, override="x")
    with pytest.raises(Conflict, match="test colours decides who answers"):
        shadow_endpoint(store, ENDPOINT, off=True)
    reset_endpoint(store, ENDPOINT)
    (entry,) = ledger.entries(store, kind="reset")
    assert entry.detail["interrupts"] == ["test colours"]


def test_an_endpoint_shows_workers_with_what_they_serve_and_its_last_decisions(store: SqlStore) -> None:
    promoted(store)
    for worker in ("one", "two", "lost", "ended"):
        register_worker(store, ENDPOINT, worker, f"http://127.0.0.1/{worker}", os.getpid())
        acknowledge(store, ENDPOINT, worker, 1)
    store.amend("serving_worker", {"endpoint": ENDPOINT, "worker": "lost"}, {"seen": "2026-01-01T00:00:00.000000Z"})
    end_worker(store, ENDPOINT, "ended")
    split_endpoint(store, ENDPOINT, variant=VARIANTS, override="a try", reason="to see")
    acknowledge(store, ENDPOINT, "two", 2)
    detail = show_endpoint(store, ENDPOINT)
    assert [(one.worker, one.live, one.revision) for one in detail.workers] == [
        ("lost", False, 1),
        ("one", True, 1),
        ("two", True, 2),
    ]
    assert [(one.revision, one.kind, one.reason) for one in detail.decisions] == [
        (2, "split", "to see"),
        (1, "promotion", "override: a test"),
    ]
    (summary,) = list_endpoints(store)
    assert (summary.endpoint, summary.revision, summary.experiment) == (ENDPOINT, 2, "by hand")
    assert (summary.workers, summary.serving) == (2, 1)


def test_all_endpoints_are_listed_and_unknown_ones_are_named(store: SqlStore) -> None:
    assert list_endpoints(store) == []
    promoted(store)
    add_version(store, model="prices")
    promote(store, "prices", 1, override="a test")
    assert [one.endpoint for one in list_endpoints(store)] == ["delays", "prices"]
    for ask in (show_endpoint, reset_endpoint, shadow_endpoint):
        with pytest.raises(NotFound, match="did you mean 'prices'"):
            ask(store, "price")


def test_the_variant_of_a_unit_is_told_with_the_reason(store: SqlStore) -> None:
    promoted(store)
    with pytest.raises(InvalidInput, match="no unit is named"):
        variant_of_unit(store, ENDPOINT)
    assert variant_of_unit(store, ENDPOINT, unit="u").words == "there is no split, the champion answers everybody"
    split_endpoint(
        store, ENDPOINT, variant=VARIANTS, coverage=40, segment="distance > 500 or carrier = 'UA'", override="a try"
    )
    asking = assigner(current_route(store, ENDPOINT))
    inside = next(u for u in map(str, range(1000)) if asking.assign(u, {"distance": 501.0})[:2] == (1, "hash"))
    outside = next(u for u in map(str, range(1000)) if asking.assign(u, {"distance": 501.0}).reason == "outside")
    found = variant_of_unit(store, ENDPOINT, unit=inside, value=["distance=501"])
    assert (found.variant, found.version, found.reason, found.propensity) == ("challenger", 2, "hash", 0.04)
    assert found.words == "it takes part in 'by hand', with 40 % of the units, and its hash says so"
    assert variant_of_unit(store, ENDPOINT, unit=inside, value=["carrier='UA'"]).variant == "challenger"
    assert variant_of_unit(store, ENDPOINT, unit=inside).words.startswith("it is outside of the segment distance > 500")
    said = variant_of_unit(store, ENDPOINT, unit=outside, value=["distance=501"]).words
    assert said == "it is not among the 40 % of the units that take part in 'by hand'"
    with pytest.raises(InvalidInput, match="the value 'distnce=3'"):
        variant_of_unit(store, ENDPOINT, unit="u", value=["distnce=3"])
