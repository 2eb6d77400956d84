"""A story that is worked at: what a stage is given."""

from dataclasses import dataclass
from datetime import datetime

from assay.errors import AssayError
from assay.operate.project.settings import ProjectFile
from assay.operate.watching.story import Story
from assay.record.store import Store

__all__ = ["Work", "said"]


@dataclass(frozen=True, slots=True)
class Work:
    """A story that is worked at, the project that trains its model, and the moment."""

    store: Store
    story: Story
    project: ProjectFile
    now: datetime


def said(error: AssayError) -> str:
    """What an error says, in one line."""
    return error.what + (f" ({error.where})" if error.where else "")
