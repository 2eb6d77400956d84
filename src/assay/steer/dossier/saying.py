"""`assay dossier write`: what people say of a point, for one model or for all."""

from pathlib import Path
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, nearest
from assay.operation import operation
from assay.record.canonical import digest_bytes
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.store import Store
from assay.steer.cards.texts import keep_text, known_model
from assay.steer.dossier.points import POINTS

__all__ = ["DOSSIER", "DossierText", "write_point"]

DOSSIER = "dossier"  # the kind of subject in `card_text`; the subject is a model, or empty for all of them
_MOST_BYTES = 50_000_000


class DossierText(msgspec.Struct, frozen=True):
    """What a person said of a point; `model` is empty where that is of all models, `file` the hash of what is kept."""

    point: str
    model: str
    text: str
    owner: str
    said: str
    valid_until: str | None
    file: str | None


@operation("dossier write", local=True)
def write_point(
    store: Store,
    point: str,
    text: str,
    *,
    model: Annotated[str | None, "Of this model only; without it of all models"] = None,
    file: Annotated[str | None, "A file that belongs to it, such as a signed report: it is kept under its hash"] = None,
    owner: Annotated[str | None, "Who answers for it; by default whoever writes"] = None,
    valid_until: Annotated[str | None, "A day, or a length such as 26w; by default 52w"] = None,
) -> DossierText:
    """Say what a point of Annex IV asks for and no record knows.

    POINT is 1, 2a to 2h, or 3 to 9. What was said before stays on record.
    """
    key = point.strip().lower().replace("(", "").replace(")", "")
    if key not in POINTS:
        close = nearest(key, list(POINTS))
        raise InvalidInput(
            f"Annex IV has no point {point!r}",
            expected=", ".join(POINTS),
            hint=f"did you mean {close!r}?" if close else None,
        )
    if model is not None:
        known_model(store, model)
    content = _content(file)
    with store.transaction():
        kept = None
        if content is not None:
            kept = digest_bytes(content)
            name = Path(str(file)).name
            text = f"{text.strip()}\n\nKept: {name}, SHA-256 {kept}"
            row = {"artifact_id": new_id(), "type": "report", "hash": kept, "name": name, "format": Path(name).suffix}
            store.append("artifact", {**row, "blob": store.blobs.put(content), "created": iso(store.clock.latest())})
        said = keep_text(store, DOSSIER, model or "", key, text, owner=owner, valid_until=valid_until)
    return DossierText(key, model or "", said["text"], said["owner"], said["said"], said["valid_until"], kept)


def _content(file: str | None) -> bytes | None:
    if file is None:
        return None
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise InvalidInput(f"the file cannot be read: {error.strerror}", where=file) from error
    if len(content) > _MOST_BYTES:
        raise InvalidInput(f"the file has {len(content):,} bytes", where=file, expected=f"at most {_MOST_BYTES:,}")
    return content
