"""The doctor: is everything there that was ever acknowledged, and is it what it was?"""

from typing import Annotated

import msgspec

from assay.errors import StoreUnavailable
from assay.operate.predictions.checking import check_log
from assay.operate.predictions.folder import log_folders
from assay.operate.predictions.recovering import recover
from assay.operation import operation
from assay.record import soundness
from assay.record.audit.verification import verify
from assay.record.store import Store

__all__ = ["Examination", "examine"]


class Examination(msgspec.Struct, frozen=True):
    """What was found. Problems mean lost or changed content; notes are harmless traces of interruptions."""

    sound: bool
    problems: list[str]
    notes: list[str]
    mended: list[str]
    runs: int
    blobs: int
    ledger_entries: int
    predictions: int


@operation("doctor")
def examine(
    store: Store, *, mend: Annotated[bool, "Also clear away what interrupted processes left"] = False
) -> Examination:
    """Check the store, its blobs, the ledger and the prediction logs.

    Mending marks unfinished runs as killed and cuts off torn ends of logs; nothing that was acknowledged is touched.
    """
    folders = log_folders(store)
    mended = [*soundness.mend(store), *(line for folder in folders for line in recover(folder))] if mend else []
    found = soundness.check(store)
    logs = [check_log(store, folder.name) for folder in folders]
    ledger = [text for text in _ledger(store) if text not in found.problems]
    problems = [*found.problems, *ledger, *(text for log in logs for text in log.problems)]
    return Examination(
        sound=not problems,
        problems=problems,
        notes=[*found.notes, *(text for log in logs for text in log.notes)],
        mended=mended,
        runs=found.runs,
        blobs=found.blobs,
        ledger_entries=found.ledger_entries,
        predictions=sum(log.predictions for log in logs),
    )


def _ledger(store: Store) -> list[str]:
    """What is wrong with signatures, checkpoints and anchors, beside the chain itself."""
    try:
        return [f"ledger: {text}" for text in verify(store).problems]
    except StoreUnavailable as error:  # damage that keeps the rows from being read
        return [error.what]
