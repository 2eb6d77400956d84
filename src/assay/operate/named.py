"""What people call by a name, or by the first characters of an id: monitors of endpoints, triggers of models."""

from collections.abc import Sequence
from typing import TypeVar

from assay.errors import NotFound, nearest
from assay.record.store import Store

__all__ = ["only_named"]

Named = TypeVar("Named")


def only_named(store: Store, every: Sequence[Named], name: str, *, kind: str, of: str, hint: str) -> Named:
    """The only one of that name, or whose id begins so. They are of a `kind`, such as `monitor`, and each is `of` an
    endpoint or a model; the command `hint` lists them. NotFound where there is none, or several.
    """
    found = [one for one in every if getattr(one, "name") == name]  # noqa: B009 - each kind has it
    found = found or [one for one in every if str(getattr(one, f"{kind}_id")).startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        owners = ", ".join(sorted({str(getattr(one, of)) for one in found}))
        raise NotFound(f"several {kind}s are called {name!r}", expected=f"--{of}, one of {owners}")
    close = nearest(name, sorted({str(getattr(one, "name")) for one in every}))  # noqa: B009 - as above
    said = f"did you mean {close!r}?" if close else f"`{hint}` lists what there is"
    raise NotFound(f"there is no {kind} {name!r}", where=store.location, hint=said)
