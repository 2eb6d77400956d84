"""Segments read as they grow, record by record."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from assay.errors import StoreMismatch
from assay.operate.predictions.folder import segments
from assay.operate.predictions.frames import HEADER_BYTES, frames, is_gap
from assay.operate.predictions.prediction import Gap, Prediction
from assay.record.faults import storage_faults

__all__ = ["LogReader", "Piece", "read_all", "segment_pieces"]

_AT_ONCE = 1 << 22  # bytes of a segment that are read in one go, or as many as one record has

_decode = msgspec.msgpack.Decoder(Prediction).decode
_decode_gap = msgspec.msgpack.Decoder(Gap).decode


class Piece(NamedTuple):
    """Some records of a segment. `ends` tells where the frame of each prediction ends, `end` where all of them do."""

    predictions: list[Prediction]
    ends: list[int]
    gaps: list[Gap]
    end: int


class LogReader:
    """Reads what was appended since the last call, in all segments of a folder; one thread reads.

    It goes through the segments in order of their names and stops in each at the first frame that is not whole: one
    being written comes with the next call. It remembers only where it stands, not what it read. It knows no parts: for
    an endpoint whose log is compacted there is `tail.Tail`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ends: dict[str, int] = {}

    def read_new(self) -> list[Prediction]:
        """Records in the order of segments and then of writing; empty where the folder does not exist."""
        found: list[Prediction] = []
        for path in segments(self.folder):
            for piece in segment_pieces(path, self._ends.get(path.name, 0)):
                found += piece.predictions
                self._ends[path.name] = piece.end
        return found


def read_all(folder: Path) -> list[Prediction]:
    """Every whole record of all segments; empty where the folder does not exist."""
    return LogReader(folder).read_new()


def segment_pieces(path: Path, begin: int = 0) -> Iterator[Piece]:
    """What a segment holds from the frame that starts at `begin`, some records at a time.

    StoreMismatch for a record of an unknown form.
    """
    with storage_faults(str(path)):
        if path.stat().st_size == begin:
            return
        with path.open("rb", buffering=0) as file:
            most = _AT_ONCE
            while True:
                file.seek(begin)
                if not any(file.read(HEADER_BYTES)):  # the end, or space that was set aside: no need to read all of it
                    return
                file.seek(begin)
                content = _read(file, most)
                piece, end = _piece(content, begin, path)
                if end:
                    yield piece
                    begin, most = piece.end, _AT_ONCE
                elif len(content) == most:
                    most *= 2
                else:
                    return


def _read(file: io.FileIO, most: int) -> bytes:
    pieces = []
    while most and (piece := file.read(most)):  # a large read may come in pieces
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _piece(content: bytes, begin: int, path: Path) -> tuple[Piece, int]:
    predictions, ends, gaps, end = [], [], [], 0
    try:
        for payload, end in frames(memoryview(content)):
            if is_gap(payload):
                gaps.append(_decode_gap(payload))
            else:
                predictions.append(_decode(payload))
                ends.append(begin + end)
    except msgspec.DecodeError as error:
        raise StoreMismatch(
            f"a prediction was logged in a form this version does not know: {error}",
            where=str(path),
            hint="read it with the version of Assay that served the endpoint",
        ) from error
    return Piece(predictions, ends, gaps, begin + end), end
