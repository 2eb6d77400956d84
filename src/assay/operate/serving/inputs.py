"""Requests read for one model: JSON straight into typed rows, and words for what is wrong with one."""

from collections.abc import Callable
from typing import Any

import msgspec

from assay.build.models.packaging import LoadedModel
from assay.errors import InvalidInput, nearest
from assay.operate.features.lookup import Lookup
from assay.record.identity import ordered_id

__all__ = ["MAX_ROWS", "Inputs", "Request"]

MAX_ROWS = 10_000
_MAX_ID_LENGTH = 200
_SHOWN = 100  # characters of somebody else's text in a message


class Request(msgspec.Struct, frozen=True):
    """Rows in the order of the model's columns, and behind them of the keys that are none; UNSET where one is left to
    be looked up. `explain` asks for what was looked up.
    """

    rows: list[tuple[Any, ...]]
    ids: list[str]
    units: list[str | None]
    explain: bool


class Inputs:
    """Reads requests for one model: JSON straight into typed rows in the order of its signature.

    With a `lookup` a row may leave out the columns that are looked up, and brings the keys instead.
    """

    def __init__(self, model: LoadedModel, lookup: Lookup | None = None) -> None:
        self.model = model
        self._keys = {key.name: key for key in lookup.keys} if lookup else {}
        self._looked_up = lookup.looked_up if lookup else frozenset()
        self._columns = {column.name: column for column in model.columns}
        self._names = [*self._columns, *(name for name in self._keys if name not in self._columns)]
        fields = [f"column{position}" for position in range(len(self._names))]
        row = msgspec.defstruct(
            "Row",
            [self._field(field, name) for field, name in zip(fields, self._names, strict=True)],
            rename=dict(zip(fields, self._names, strict=True)),
            forbid_unknown_fields=True,
            kw_only=True,
        )
        request = msgspec.defstruct(
            "Request",
            [
                ("rows", list[row]),  # type: ignore[valid-type] # made just now
                ("ids", list[str] | None, None),
                ("units", list[str | None] | None, None),
                ("explain", bool, False),
            ],
            forbid_unknown_fields=True,
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(request).decode

    def _field(self, field: str, name: str) -> Any:
        if name in self._keys:
            return field, self._keys[name].type | None | msgspec.UnsetType, msgspec.UNSET
        kind = (float if self._columns[name].is_number else str) | None
        return (field, kind | msgspec.UnsetType, msgspec.UNSET) if name in self._looked_up else (field, kind)

    def read(self, body: bytes) -> Request:
        """The rows, their ids (made where the request has none) and units. InvalidInput names the row and the column.

        A key may be left out only where the row brings all that is looked up by it.
        """
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
        rows = [msgspec.structs.astuple(row) for row in request.rows]
        if self._keys:
            for position, row in enumerate(rows):
                problem = self._missing_key(row) if msgspec.UNSET in row else None
                if problem:
                    raise InvalidInput(f"row {position}: {problem}")
        return Request(rows, ids, units, request.explain)

    def _missing_key(self, row: tuple[Any, ...]) -> str | None:
        unset = {name for name, value in zip(self._names, row, strict=True) if value is msgspec.UNSET}
        for name in unset & self._keys.keys():
            if name in self._columns:
                return f"column {name!r} is missing; null stands for a value that is not known"
            wanted = [one for one in self._keys[name].needed_by if one in unset]
            if wanted:
                return (
                    f"the key {name!r} is missing, by which {', '.join(map(repr, wanted))} "
                    f"{'is' if len(wanted) == 1 else 'are'} looked up; null stands for a key that is not known"
                )
        return None

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
            needed = [name for name in self._names if name not in self._looked_up]
            return f"is {_kind(row)}, expected an object with the columns {', '.join(needed)}"
        for name in row:
            if name not in self._names:
                close = nearest(name[:_SHOWN], self._names)
                return f"unexpected column {name[:_SHOWN]!r}" + (f", did you mean {close!r}?" if close else "")
        for name in self._names:
            if name in row:
                problem = self._value_problem(name, row[name])
                if problem:
                    return problem
            elif name not in self._looked_up and name not in self._keys:
                return f"column {name!r} is missing; null stands for a value that is not known"
        return None

    def _value_problem(self, name: str, value: object) -> str | None:
        if name in self._keys:
            try:
                msgspec.convert(value, self._keys[name].type | None, builtin_types=())
            except ValueError:
                return f"the key {name!r} is {_kind(value)}, expected {self._keys[name].words}"
            return None
        is_number = self._columns[name].is_number
        expected = (int, float) if is_number else (str,)
        if value is not None and (isinstance(value, bool) or not isinstance(value, expected)):
            return f"column {name!r} is {_kind(value)}, expected {'a number' if is_number else 'text'}"
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
