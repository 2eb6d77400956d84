"""`assay model show`: a version, and whether it is compiled."""

from typing import Annotated

import msgspec

from assay.build.models.compiling import CompileReport, report_of
from assay.operation import operation
from assay.record.models.registry import ModelSummary, find_version, list_models
from assay.record.store import Store

__all__ = ["VersionDetail", "show_version"]


class VersionDetail(msgspec.Struct, frozen=True):
    """A version, and what came of compiling it; None where nobody tried, as with files that `assay register` took."""

    summary: ModelSummary
    compiling: CompileReport | None


@operation("model show")
def show_version(
    store: Store,
    model: Annotated[str, "Its name"],
    version: Annotated[str, "Its number, or an alias such as champion"],
) -> VersionDetail:
    """Show a version of a model: where it came from, and its compiled form with the proof, or why it has none."""
    found = find_version(store, model, version)
    (summary,) = (one for one in list_models(store, model=found.model) if one.version == found.version)
    return VersionDetail(summary, report_of(store, found))
