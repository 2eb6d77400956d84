"""The loop asks for the approval that the model's policy wants, waits for it, and goes on when it is there."""

import json
from pathlib import Path

import pytest
from tests.operate.loop_helpers import at, write_table

from assay.errors import InvalidInput, Refused
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.watching.commands import approve_story, show_story
from assay.operate.watching.story import Story
from assay.operate.watching.ticking import declare, tick
from assay.prove.approvals.answering import give_approval, reject_request
from assay.prove.approvals.policy import declare_policy, policy_of
from assay.record.identity import Actor
from assay.record.models.registry import CHAMPION, alias
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore


@pytest.fixture
def asking(project: ProjectFile, store: SqlStore) -> ProjectFile:
    """The project asks for a peer; peter is one, and the loop runs as a service."""
    with Path("assay.toml").open("a") as file:
        file.write('\n[approval]\ntier = "medium"\ndays = 14\n')
    store.actor = Actor("loop", "service")
    grant_role(store, "peter", "data-scientist")
    return load_project()


@pytest.fixture
def waiting(store: SqlStore, asking: ProjectFile) -> Story:
    at(store, 0.3)
    (told,) = tick(store, [asking]).stories
    return told


def as_peter(store: SqlStore) -> None:
    store.actor = Actor("peter")


def test_it_asks_waits_and_goes_on_when_a_peer_has_agreed(store: SqlStore, asking: ProjectFile, waiting: Story) -> None:
    assert (waiting.status, waiting.stage) == ("open", "approve")
    assert policy_of(store, asking.model_name).days == 14, "declared by the file as soon as there is a version"
    (request,) = store.query("approval_request")
    assert (request["mv_id"], request["requester"]) == (waiting.mv_id, "loop")
    told = [json.loads(row["payload"]) for row in store.query("outbox", {"event": "approval.requested"})]
    assert [one["waits_for"] for one in told] == [["peter"]]
    for hour in range(3):
        at(store, 0.4 + hour / 24)
        tick(store, [asking])
    events = show_story(store, waiting.story_id).events
    assert [one.outcome for one in events if one.stage == "approve"] == ["waiting"]
    assert len(store.query("approval_request")) == 1
    as_peter(store)
    version = int(str(waiting.detail["version"]))
    with pytest.raises(Refused, match="waits for an approval of all that it is, not of its story") as refused:
        approve_story(store, waiting.story_id, "yes")
    assert refused.value.hint == f"assay approve give {asking.model_name} {version}"
    give_approval(store, asking.model_name, version)
    (done,) = tick(store, [asking]).stories
    assert done.status == "promoted"
    champion = alias(store, asking.model_name, CHAMPION)
    assert champion is not None
    assert champion.mv_id == waiting.mv_id


def test_who_rejects_it_ends_the_story(store: SqlStore, asking: ProjectFile, waiting: Story) -> None:
    as_peter(store)
    reject_request(store, asking.model_name, int(str(waiting.detail["version"])), comment="the evening is worse")
    at(store, 0.4)
    (done,) = tick(store, [asking]).stories
    assert (done.status, "the evening is worse" in (done.reason or "")) == ("refused", True)


def test_what_has_changed_is_asked_for_anew(store: SqlStore, asking: ProjectFile, waiting: Story) -> None:
    card = {"card_id": "c", "kind": "model", "subject": waiting.mv_id, "hash": "c" * 64, "content_hash": ""}
    store.append("card", {**card, "blob": "", "sections": "[]"})
    at(store, 0.4)
    (told,) = tick(store, [asking]).stories
    assert told.stage == "approve"
    first, second = store.query("approval_request", order_by=["decision"])
    assert first["subject_hash"] != second["subject_hash"]


def test_an_approval_that_ran_out_is_asked_for_again(store: SqlStore, asking: ProjectFile, waiting: Story) -> None:
    at(store, 15)
    tick(store, [asking])
    assert len(store.query("approval_request", {"mv_id": waiting.mv_id})) == 2


def test_a_file_that_asks_for_less_changes_nothing(store: SqlStore, asking: ProjectFile, waiting: Story) -> None:
    declare_policy(store, asking.model_name, tier="high")
    grant_role(store, "olga", "owner")
    declare(store, asking)
    assert policy_of(store, asking.model_name).tier == "high"
    store.actor = Actor("olga")
    declare(store, asking)
    assert policy_of(store, asking.model_name).tier == "medium"


def test_a_wrong_tier_is_refused_with_its_line(project: ProjectFile) -> None:
    write_table()
    with Path("assay.toml").open("a") as file:
        file.write('\n[approval]\ntier = "hihg"\n')
    with pytest.raises(InvalidInput, match="no risk tier 'hihg'") as refused:
        load_project()
    assert "assay.toml" in str(refused.value.where)
    assert refused.value.hint == "did you mean 'high'?"
