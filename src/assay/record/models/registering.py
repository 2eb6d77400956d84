"""Registering what a run or a client kept: from its address to the next version of a model."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operation import operation
from assay.record.models.registered_models import ensure_registered_model
from assay.record.models.versions import create_version
from assay.record.store import Store
from assay.record.tracking.runs import find_run

__all__ = ["Registration", "register_model"]

_ADDRESSES = "runs:/RUN/NAME, models:/m-ID or models:/NAME/VERSION"


class Registration(msgspec.Struct, frozen=True):
    """A new version, where its files came from, and the hash they are sealed under."""

    model: str
    version: int
    source: str
    run_id: str | None
    hash: str


@operation("register")
def register_model(
    store: Store,
    model: Annotated[str, "Its name; a new one is made"],
    source: Annotated[str, "Where its files are: runs:/RUN/NAME, models:/m-ID, or models:/NAME/VERSION"],
    *,
    description: Annotated[str | None, "What is special about it"] = None,
) -> Registration:
    """Make the files that a run kept the next version of a model, sealed under their hash.

    The source is runs:/RUN/NAME, where the first characters of the run's id are enough, models:/m-ID of a logged model,
    or models:/NAME/VERSION of another model. InvalidInput for another kind of address; NotFound where no files are.
    """
    scheme, _, path, *_ = urlsplit(source)
    if scheme not in ("runs", "models"):
        raise InvalidInput(f"{source!r} names no model that is kept here", expected=_ADDRESSES)
    first, _, below = path.lstrip("/").partition("/")
    run_id = find_run(store, first)["run_id"] if scheme == "runs" else None
    address = f"runs:/{run_id}/{below}" if run_id else source
    logged_model_id = first if scheme == "models" and first.startswith("m-") else None
    with store.transaction():
        ensure_registered_model(store, model)
        made = create_version(
            store, model, address, run_id=run_id, logged_model_id=logged_model_id, description=description
        )
        if made.sealed != "sealed":
            hint = "NAME is the one that run.model, log_model or run.artifact was given"
            raise NotFound(f"there are no files at {source}", where=store.location, hint=hint)
    return Registration(made.model, made.version, address, made.run_id, made.hash)
