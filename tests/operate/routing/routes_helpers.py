"""A store with a champion and challengers, for the tests of routes."""

from tests.operate.serving_helpers import ENDPOINT, add_version

from assay.prove.promotion import promote
from assay.record.models.registry import ModelVersion
from assay.record.models.routes import Split, Variant
from assay.record.store import Store

__all__ = ["SPLIT", "promoted", "variant"]

SPLIT = Split("test", 1, "salt")


def promoted(store: Store, versions: int = 2) -> list[ModelVersion]:
    """So many versions of the model of the endpoint; the first one is its champion."""
    made = [add_version(store) for _ in range(versions)]
    promote(store, ENDPOINT, 1, override="a test")
    return made


def variant(version: ModelVersion, weight: int = 1, name: str = "champion") -> Variant:
    """A version under a name."""
    return Variant(version.mv_id, version.hash, weight, name)
