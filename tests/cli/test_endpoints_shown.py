import os
from contextlib import closing

from tests.cli.conftest import CommandLine
from tests.operate.serving_helpers import ENDPOINT

from assay.operate.routing.workers import register_worker
from assay.record.location import open_store
from assay.record.models.routes import acknowledge

SPLIT = ["endpoint", "split", ENDPOINT, "--variant", "champion=delays@1:90", "--variant", "challenger=delays@2:10"]


def test_endpoints_are_listed_shown_split_and_reset(assay: CommandLine) -> None:
    assert "delays/1" in assay("endpoint", "ls").out
    refused = assay.refused(*SPLIT, code=1)
    assert "delays/2 has no verdict against the champion, version 1" in refused
    said = assay(*SPLIT, "--override", "a try", "--coverage", "20", "--segment", "distance > 500")
    assert said.code == 0, said
    for part in ("challenger", "2 % of the units", "20 % of the units", "distance > 500", "murmur3", "no workers"):
        assert part in said.out
    found = assay("endpoint", "show", ENDPOINT, "--json").document
    assert [(one["name"], one["version"], one["weight"]) for one in found["variants"]] == [
        ("champion", 1, 90),
        ("challenger", 2, 10),
    ]
    (listed,) = assay("endpoint", "ls", "--json").document
    assert (listed["experiment"], listed["workers"]) == ("by hand", 0)
    assert "0.98" in assay("endpoint", "ls").out
    assert assay("endpoint", "reset", ENDPOINT).code == 0
    assert assay("endpoint", "show", ENDPOINT, "--json").document["split"] is None


def test_the_variant_of_a_unit_is_said_in_a_sentence(assay: CommandLine) -> None:
    assay(*SPLIT, "--override", "a try", "--segment", "distance > 500", "--salt", "fixed")
    found = assay("endpoint", "variant", ENDPOINT, "--unit", "7", "--value", "distance=600")
    assert "7 has champion, delays/1: it takes part in 'by hand'" in found.out
    outside = assay("endpoint", "variant", ENDPOINT, "--unit", "7")
    assert "outside of the segment distance > 500" in outside.out
    assert "did you mean 'delays'" in assay.refused("endpoint", "variant", "delay", "--unit", "7")


def test_shadows_and_workers_are_shown(assay: CommandLine) -> None:
    with closing(open_store(assay.place)) as store:
        register_worker(store, ENDPOINT, "one", "http://127.0.0.1:8080", os.getpid())
        acknowledge(store, ENDPOINT, "one", 1)
        register_worker(store, ENDPOINT, "lost", "http://127.0.0.1:8081", os.getpid())
        store.amend("serving_worker", {"endpoint": ENDPOINT, "worker": "lost"}, {"seen": "2026-01-01T00:00:00.000000Z"})
    said = assay("endpoint", "shadow", ENDPOINT, "delays@2").out
    for part in ("a copy, for the log", "http://127.0.0.1:8080", "revision 1", "lost"):
        assert part in said
    assert "0 of 1" in assay("endpoint", "ls").out
    assert "delays/2" in assay("endpoint", "ls").out
    assert "a copy" not in assay("endpoint", "shadow", ENDPOINT, "--off").out
