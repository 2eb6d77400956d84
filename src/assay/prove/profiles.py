"""Profiles of rows with answers, wherever they lie, and profiles in files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.errors import InvalidInput, StoreUnavailable
from assay.prove.asked import Asked
from assay.prove.contribution import Contribution
from assay.prove.predictions import Model
from assay.prove.segments import Segments, segments_of
from assay.prove.sources import source_of
from assay.prove.tasks import completed
from assay.record.files import write_whole
from assay.stats import BINARY, Profile, Task

__all__ = ["load_profile", "profile", "save_profile"]

_READABLE = 0o644


def profile(
    models: Mapping[str, Model],
    data: object,
    *,
    label: str | None = None,
    task: str | Task = "binary",
    unit: str | Sequence[str] = (),
    segments: Segments | Sequence[str] = (),
    weight: str | None = None,
    query: str | Sequence[str] = (),
    contributions: Sequence[Contribution] = (),
    level: float = 0.5,
    threshold: float = 0.5,
    seed: int = 0,
) -> Profile:
    """The profile of several models by name on the same rows, to be added to others of other days or machines.

    Models, data and the other arguments are those of `assay.evaluate`. Profiles that are to be added must be of the
    same task: give `Task("regression", scale=...)` or `Task("multiclass", classes=...)` rather than a name, which is
    completed from these rows. A part on its own may have labels of one class, or none. InvalidInput as there.
    """
    source = source_of(data)
    asked = Asked(
        models=models,
        task=task if isinstance(task, Task) else BINARY,
        label=label,
        unit=[unit] if isinstance(unit, str) else list(unit),
        query=[query] if isinstance(query, str) else list(query),
        weight=weight,
        segments=segments_of(segments),
        contributions=contributions,
        threshold=threshold,
        seed=seed,
    )
    asked, said = completed(asked, task, {"data": source}, level=level)
    return asked.profile(source, "data", said)


def save_profile(profile: Profile, path: str | Path) -> None:
    """Write a profile to a file, whole or not at all; StoreUnavailable where that cannot be."""
    try:
        write_whole(Path(path), profile.to_bytes(), _READABLE)
    except OSError as error:
        raise StoreUnavailable(f"the profile cannot be written: {error.strerror}", where=str(path)) from error


def load_profile(path: str | Path) -> Profile:
    """The profile in a file; InvalidInput where there is none, or one of another format."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"the profile cannot be read: {error.strerror}", where=str(path)) from error
    return Profile.from_bytes(content)
