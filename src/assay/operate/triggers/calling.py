"""A trigger that somebody else fires: a person, or a program over HTTP, under a key of its own."""

from typing import Annotated

from assay.errors import InvalidInput
from assay.operate.triggers.firing import Firing, fire_called
from assay.operate.triggers.records import LOOPS_OWN, find_trigger
from assay.operation import operation
from assay.record.identity import new_id
from assay.record.store import Store

__all__ = ["fire_trigger"]


@operation("triggers fire")
def fire_trigger(
    store: Store,
    trigger: Annotated[str, "Its name, or the first characters of its id"],
    *,
    reason: Annotated[str, "Why, for the record"] = "it was called",
    key: Annotated[str | None, "The caller's own name of what happened: the same again fires nothing more"] = None,
    model: Annotated[str | None, "Of this model, where several have one of that name"] = None,
) -> Firing:
    """Fire a trigger, whatever its condition says; what else keeps it back still does, and whoever watches trains.

    The outcome is `fired`, or `blocked` with the rule in words: then the same key may be sent again later. A key that
    has fired gives its firing again.
    """
    for name, value in (("reason", reason), ("key", key)):
        if value is not None and not value.strip():
            raise InvalidInput(f"the {name} is empty", expected="words" if name == "reason" else "a name, or none")
    found = find_trigger(store, trigger, model)
    if found.name in LOOPS_OWN:
        raise InvalidInput(
            f"{found.name!r} is the loop's own trigger",
            expected="one that a project declares",
            hint=f"assay retrain {found.model}",
        )
    if not found.enabled:
        raise InvalidInput(f"trigger {found.name!r} of {found.model} is off", expected="one that may fire")
    return fire_called(store, found, key or new_id(), reason)
