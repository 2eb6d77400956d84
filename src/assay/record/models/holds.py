"""What is relied on is not deleted: versions a guarded alias points at, that are deployed, that a decision names."""

import json
import os

from assay.errors import Conflict
from assay.record.models.alias_moves import pointed_to
from assay.record.store import Row, Store

__all__ = ["HOLD_ALIASES", "check_free", "held_by", "hold_aliases"]

HOLD_ALIASES = ("champion", "production", "prod")


def hold_aliases() -> tuple[str, ...]:
    """Names of aliases that keep a version from being deleted; ASSAY_HOLD_ALIASES lists others, with commas."""
    named = os.environ.get("ASSAY_HOLD_ALIASES")
    return HOLD_ALIASES if named is None else tuple(name.strip() for name in named.split(",") if name.strip())


def held_by(store: Store, version: Row) -> list[str]:
    """What relies on a version of a model, in words."""
    holders = []
    for name in hold_aliases():
        if pointed_to(store, version["model"], name) == version["mv_id"]:
            holders.append(f"alias {name}")
    for deployment in store.query("deployment", {"mv_id": version["mv_id"], "ended": None}):
        holders.append(f"endpoint {deployment['endpoint']}")
    for endpoint in sorted({row["endpoint"] for row in store.query("route")}):
        last = store.query("route", {"endpoint": endpoint}, order_by=["-revision"], limit=1)[0]
        served = {variant["mv_id"] for variant in json.loads(last["detail"]).get("variants", [])}
        if version["mv_id"] in served and f"endpoint {endpoint}" not in holders:
            holders.append(f"endpoint {endpoint}")
    for gate in store.query("gate", {"mv_id": version["mv_id"]}, order_by=["-decision"], limit=1):
        holders.append(f"decision {gate['decision']}")
    return holders


def check_free(store: Store, version: Row) -> None:
    """Conflict where something relies on the version."""
    holders = held_by(store, version)
    if holders:
        raise Conflict(
            f"version {version['version']} of {version['model']} is held by: {', '.join(holders)}; "
            "move or release them first"
        )
