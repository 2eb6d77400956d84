"""The doctor: is everything there that was ever acknowledged, and is it what it was?"""

from pathlib import Path
from typing import Annotated

import msgspec

from assay.operate.predictions.log import inspect, recover
from assay.operation import operation
from assay.record import soundness
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
    folders = _log_folders(store)
    mended = [*soundness.mend(store), *(line for folder in folders for line in recover(folder))] if mend else []
    found = soundness.check(store)
    logs = {folder.name: inspect(folder) for folder in folders}
    damaged = [f"predictions of {name}: {text}" for name, log in logs.items() for text in log.damaged]
    torn = [f"predictions of {name}: {text}" for name, log in logs.items() for text in log.torn]
    problems = [*found.problems, *damaged]
    return Examination(
        sound=not problems,
        problems=problems,
        notes=[*found.notes, *torn],
        mended=mended,
        runs=found.runs,
        blobs=found.blobs,
        ledger_entries=found.ledger_entries,
        predictions=sum(log.records for log in logs.values()),
    )


def _log_folders(store: Store) -> list[Path]:
    root = store.blobs.root.parent / "predictions"
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
