"""Files written whole: a reader sees the old content or the new one, never a part; text in them for spreadsheets."""

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(target: Path, content: bytes, mode: int | None = None) -> None:
    """Write beside the target, flush to the disk and rename; `mode` are the permissions, by default the owner's alone.

    A process that is killed meanwhile leaves a file `.new-…` beside the target. OSError as the disk reports it; then
    nothing is left behind.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
