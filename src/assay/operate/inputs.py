"""Requests read for one model: JSON straight into typed rows, and words for what is wrong with one."""

from collections.abc import Callable
from typing import Any

import msgspec

from assay.build.models.packaging import LoadedModel
from assay.errors import InvalidInput, nearest
from assay.record.identity import ordered_id

__all__ = ["MAX_ROWS", "Inputs"]

MAX_ROWS = 10_000
_MAX_ID_LENGTH = 200
_SHOWN = 100  # characters of somebody else's text in a message


class Inputs:
    """Reads requests for one model: JSON straight into typed rows in the order of its signature."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model
        self._names = [column.name for column in model.columns]
        fields = [f"column{position}" for position in range(len(self._names))]
        types = [(float if column.is_number else str) | None for column in model.columns]
        row = msgspec.defstruct(
            "Row",
            list(zip(fields, types, strict=True)),
            rename=dict(zip(fields, self._names, strict=True)),
            forbid_unknown_fields=True,
        )
        request = msgspec.defstruct(
            "Request",
            [("rows", list[row]), ("ids", list[str] | None, None), ("units", list[str | None] | None, None)],  # type: ignore[valid-type] # made just now
            forbid_unknown_fields=True,
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(request).decode

    def read(self, body: bytes) -> tuple[list[tuple[str | float | None, ...]], list[str], list[str | None]]:
        """Rows, their ids (made where the request has none) and units. InvalidInput names the row and the column."""
        try:
            request = self._decode(body)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(self._explain(body, error)) from None
        count = len(request.rows)
        if not 1 <= count <= MAX_ROWS:
            raise InvalidInput(f"the request has {count} rows", expected=f"1 to {MAX_ROWS}")
        ids = request.ids
        if ids is None:
            ids = [ordered_id() for _ in range(count)]
        else:
            _check_ids(ids, count)
        units = request.units
        if units is None:
            units = [None] * count
        elif len(units) != count:
            raise InvalidInput(f"there are {len(units)} units for {count} rows", expected="one for each row")
        return [msgspec.structs.astuple(row) for row in request.rows], ids, units

    def _explain(self, body: bytes, error: Exception) -> str:
        """What is wrong with a refused body, in the words of the model's columns."""
        try:
            request = msgspec.json.decode(body)
        except (ValueError, RecursionError) as reason:
            return f"the body is not JSON: {reason}"
        if not isinstance(request, dict) or not isinstance(request.get("rows"), list):
            return 'the body is not a request, expected {"rows": [{column: value, ...}, ...]}'
        for position, row in enumerate(request["rows"]):
            problem = self._row_problem(row)
            if problem:
                return f"row {position}: {problem}"
        return f"the request was refused: {error}"

    def _row_problem(self, row: object) -> str | None:
        if not isinstance(row, dict):
            return f"is {_kind(row)}, expected an object with the columns {', '.join(self._names)}"
        for name in row:
            if name not in self._names:
                close = nearest(name[:_SHOWN], self._names)
                return f"unexpected column {name[:_SHOWN]!r}" + (f", did you mean {close!r}?" if close else "")
        for column in self.model.columns:
            if column.name not in row:
                return f"column {column.name!r} is missing; null stands for a value that is not known"
            value = row[column.name]
            expected = (int, float) if column.is_number else (str,)
            if value is not None and (isinstance(value, bool) or not isinstance(value, expected)):
                return (
                    f"column {column.name!r} is {_kind(value)}, expected {'a number' if column.is_number else 'text'}"
                )
        return None


def _check_ids(ids: list[str], count: int) -> None:
    if len(ids) != count:
        raise InvalidInput(f"there are {len(ids)} ids for {count} rows", expected="one for each row")
    first: dict[str, int] = {}
    for position, id in enumerate(ids):
        if not 1 <= len(id) <= _MAX_ID_LENGTH:
            raise InvalidInput(
                f"row {position}: the id has {len(id)} characters", expected=f"1 to {_MAX_ID_LENGTH} characters"
            )
        if first.setdefault(id, position) != position:
            raise InvalidInput(f"row {position}: the id {id[:_SHOWN]!r} is that of row {first[id]} too")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
