"""A store with a model, people with roles, and a clock that a test moves."""

import copy
from datetime import UTC, datetime, timedelta

from assay.record.identity import Actor
from assay.record.models.registered_models import create_registered_model
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore
from assay.record.store import Store

MODEL = "churn"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def begin(store: SqlStore, **roles: str) -> None:
    """Set the clock, register the model, and give each person a role (`_` in it stands for `-`)."""
    store.clock.advance(START)
    create_registered_model(store, MODEL)
    for person, role in roles.items():
        grant_role(store, person, role.replace("_", "-"))


def acting(store: SqlStore, name: str, *, service: bool = False) -> Store:
    """The same store with somebody else as the actor."""
    found = copy.copy(store)
    found.actor = Actor(name, "service" if service else "human")
    return found


def later(store: SqlStore, by: timedelta) -> None:
    """Let time pass."""
    store.clock.advance(store.clock.latest() + by)
