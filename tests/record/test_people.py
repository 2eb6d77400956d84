from datetime import timedelta

import pytest

from assay.errors import Conflict, InvalidInput, NotFound
from assay.record.changes import changes
from assay.record.models.registered_models import create_registered_model
from assay.record.people import end_role, grant_role, list_roles, people_with, roles_at
from assay.record.store import Store


def test_a_role_counts_from_when_it_was_given_to_when_it_ended(store: Store) -> None:
    before = store.clock.now() - timedelta(seconds=1)
    given = grant_role(store, "ann", "validator")
    during = store.clock.now()
    assert roles_at(store, "ann", "churn", during) == {"validator"}
    assert roles_at(store, "ann", "churn", before) == set()
    ended = end_role(store, "ann", "validator")
    assert ended.owner_id == given.owner_id
    assert roles_at(store, "ann", "churn", during) == {"validator"}
    assert roles_at(store, "ann", "churn", store.clock.now()) == set()
    assert [one.person for one in list_roles(store)] == []
    assert [one.person for one in list_roles(store, ended=True)] == ["ann"]
    assert [row["what"] for row in changes(store, "person", "ann")] == ["role validator", "role validator"]


def test_a_role_for_one_model_says_nothing_of_another(store: Store) -> None:
    create_registered_model(store, "churn")
    grant_role(store, "ann", "product", model="churn")
    grant_role(store, "bob", "product")
    assert people_with(store, ["product", "ux"], "churn") == {"product": ["ann", "bob"], "ux": []}
    assert people_with(store, ["product"], "prices") == {"product": ["bob"]}


def test_what_cannot_be_a_role_is_refused_and_changes_nothing(store: Store) -> None:
    with pytest.raises(InvalidInput, match="did you mean 'validator'"):
        grant_role(store, "ann", "validater")
    with pytest.raises(InvalidInput, match="cannot name a person"):
        grant_role(store, " ", "ux")
    with pytest.raises(NotFound, match="no model 'churm'"):
        grant_role(store, "ann", "ux", model="churm")
    with pytest.raises(NotFound, match="ann does not have the role ux"):
        end_role(store, "ann", "ux")
    grant_role(store, "ann", "ux")
    with pytest.raises(Conflict, match="ann has the role ux already"):
        grant_role(store, "ann", "ux")
    assert len(list_roles(store)) == 1
