"""Requests read for the models of one endpoint: typed rows, and words for what is wrong with one.

JSON is read by a decoder that knows of each column what training had in it, so a row that breaks nothing costs no more
than reading it. What that decoder refuses is read once more as plain JSON, and value by value the policies decide.
Values that another protocol has decoded already go through the same checks.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.packaging import LoadedModel
from assay.errors import InvalidInput, nearest
from assay.operate.serving.policies import ColumnCheck, Count, SignatureError, in_words
from assay.record.identity import ordered_id
from assay.record.models.column_policy import ALL_COLUMNS, HARMLESS, ColumnPolicy, merged

if TYPE_CHECKING:
    from assay.operate.features.lookup import Lookup, RequestKey

__all__ = ["MAX_ROWS", "Checked", "Flags", "Inputs", "Request", "named"]

MAX_ROWS = 10_000
_MAX_ID_LENGTH = 200
_SHOWN = 100  # characters of somebody else's text in a message
Flags = dict[str, str]  # column to what it broke, with `:imputed` where another value was put in its place
Row = tuple[Any, ...]


class Checked(msgspec.Struct, frozen=True):
    """Rows in the order of `Inputs.names`, UNSET where one leaves a column out that may be; None for no value.

    `flags` has an entry for each row, None for one that broke nothing; it is None where no row did.
    """

    rows: list[Row]
    flags: list[Flags | None] | None = None


class Request(msgspec.Struct, frozen=True):
    """A request of Assay's own JSON: `rows` and `flags` as in `Checked`. `explain` asks for what was looked up."""

    rows: list[Row]
    ids: list[str]
    units: list[str | None]
    explain: bool
    flags: list[Flags | None] | None = None


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    rows: list[Any]
    ids: list[str] | None = None
    units: list[str | None] | None = None
    explain: bool = False


class Inputs:
    """Reads requests for one model, and for the `others` that answer some of its rows.

    A row has the columns of the model, then keys by which its `lookup` finds features, then what only others take, in
    the order of `names`. Columns that are looked up or only others take may be left out. `policies` of the endpoint go
    before those of the version. `count` is told of every value that breaks the signature.
    """

    def __init__(
        self,
        model: LoadedModel,
        lookup: "Lookup | None" = None,
        *,
        policies: Sequence[ColumnPolicy] = (),
        others: Sequence[LoadedModel] = (),
        count: Count | None = None,
    ) -> None:
        self.model = model
        self.width = len(model.columns)
        self._keys = {key.name: key for key in lookup.keys} if lookup else {}
        self._looked_up = lookup.looked_up if lookup else frozenset()
        self._count = count
        self._checks: dict[str, ColumnCheck] = {}
        for one in (model, *others):
            self._learn(one, policies)
        own = [column.name for column in model.columns]
        beside = [name for name in self._keys if name not in own]
        self.names = [*own, *beside, *(name for name in self._checks if name not in own and name not in beside)]
        self._extra = merged(ALL_COLUMNS, model.policies, policies).extra or HARMLESS.extra or "refuse"
        self._decode = self._decoder()
        own_checks = [self._checks[column.name] for column in model.columns]
        largest = float(np.finfo(np.float64).max)
        self._bounds = (
            np.array([-largest if one.low is None else one.low for one in own_checks]),
            np.array([largest if one.high is None else one.high for one in own_checks]),
            np.array([one.nullable or one.optional for one in own_checks], dtype=bool),
        )

    def _learn(self, model: LoadedModel, policies: Sequence[ColumnPolicy]) -> None:
        learned = {one.name: one for one in model.learned}
        for column in model.columns:
            if column.name not in self._checks:
                policy = merged(column.name, model.policies, policies)
                check = ColumnCheck(column, learned.get(column.name), policy)
                check.optional = model is not self.model or column.name in self._looked_up
                check.nullable = check.nullable or column.name in self._looked_up  # nothing may be found there either
                self._checks[column.name] = check

    def _decoder(self) -> Callable[[bytes], Any]:
        fields = [f"column{position}" for position in range(len(self.names))]
        row = msgspec.defstruct(
            "Row",
            [self._field(field, name) for field, name in zip(fields, self.names, strict=True)],
            rename=dict(zip(fields, self.names, strict=True)),
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
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
        return msgspec.json.Decoder(request).decode

    def _field(self, field: str, name: str) -> Any:
        if name in self._keys:
            return field, self._keys[name].type | None | msgspec.UnsetType, msgspec.UNSET
        check = self._checks[name]
        return (field, check.strict, msgspec.UNSET) if check.optional else (field, check.strict)

    def read(self, body: bytes) -> Request:
        """The rows, their ids (made where the request has none) and units.

        InvalidInput names the row and the column; SignatureError is one that says what was broken. A key may be left
        out only where the row brings all that is looked up by it.
        """
        flags: list[Flags | None] | None = None
        try:
            request = self._decode(body)
        except (ValueError, RecursionError):
            request = _plain(body)
            _check_count(len(request.rows))
            rows, flags = self._judged([self._as_dict(row, position) for position, row in enumerate(request.rows)])
        else:
            _check_count(len(request.rows))
            rows = [msgspec.structs.astuple(row) for row in request.rows]
        ids, units = named(request.ids, request.units, len(rows))
        self._check_keys(rows)
        return Request(rows, ids, units, request.explain, flags)

    def check(
        self,
        columns: Mapping[str, Sequence[Any] | NDArray[Any]] | None = None,
        matrix: NDArray[np.float64] | None = None,
    ) -> Checked:
        """Values that were decoded elsewhere, by the name of the column, lists or arrays of one length; or a matrix of
        the model's columns in their order. NaN is no value. InvalidInput as for `read`.
        """
        if matrix is not None:
            return self._matrix(matrix)
        given = dict(columns or {})
        lengths = {name: len(values) for name, values in given.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise InvalidInput(f"columns are not of one length: {said[:_SHOWN]}")
        count = next(iter(lengths.values()), 0)
        _check_count(count)
        flags: list[Flags | None] = [None] * count
        self._extra_columns(given, flags)
        ready = []
        for name in self.names:
            values = given.get(name)
            if name in self._keys:
                ready.append(self._key_values(name, values, count))
            else:
                ready.append(self._column(self._checks[name], values, count, flags))
        rows = list(zip(*ready, strict=True))
        self._check_keys(rows)
        return Checked(rows, flags if any(flags) else None)

    def _matrix(self, matrix: NDArray[np.float64]) -> Checked:
        text = [one.name for one in self.model.columns if not one.is_number]
        if text or matrix.ndim != 2 or matrix.shape[1] != self.width:
            what = f"column {text[0]!r} is text" if text else f"the matrix has the shape {list(matrix.shape)}"
            raise InvalidInput(what, expected=f"a matrix [rows, {self.width}] of numbers")
        _check_count(len(matrix))
        flags: list[Flags | None] = [None] * len(matrix)
        ready = np.array(matrix, dtype=np.float64)
        low, high, nullable = self._bounds
        good = ((ready >= low) & (ready <= high)) | (nullable & np.isnan(ready))
        suspect = () if good.all() else np.flatnonzero(~good.all(axis=0)).tolist()
        for place, column in ((place, self.model.columns[place]) for place in suspect):
            check = self._checks[column.name]
            for row in check.broken_places(ready[:, place]).tolist():
                value = self._settled(check, row, ready[row, place].item(), flags)
                ready[row, place] = np.nan if value is None else value
        rows = [tuple([None if math.isnan(value) else value for value in row]) for row in ready.tolist()]
        if len(self.names) > self.width:
            rest = (msgspec.UNSET,) * (len(self.names) - self.width)
            rows = [(*row, *rest) for row in rows]
            self._check_keys(rows)
        return Checked(rows, flags if any(flags) else None)

    def _column(self, check: ColumnCheck, values: Any, count: int, flags: list[Flags | None]) -> list[Any]:
        if values is None:
            values = [msgspec.UNSET] * count
        elif isinstance(values, np.ndarray):
            if check.is_number and values.dtype.kind in "iuf" and count > 1:
                numbers = values.astype(np.float64)
                ready = [None if math.isnan(one) else one for one in numbers.tolist()]
                for row in check.broken_places(numbers).tolist():
                    ready[row] = self._settled(check, row, ready[row], flags)
                return ready
            values = values.tolist()
        broken, low, high, categories = check.broken, check.low, check.high, check.categories
        ready = []
        for row, value in enumerate(values):
            if type(value) is float and low is not None and high is not None and low <= value <= high:
                ready.append(value)  # the usual case first: a call for each value takes longer than all the rest
            elif type(value) is str and categories is not None and value in categories:
                ready.append(value)
            elif broken(value) is None:
                ready.append(check.good(value))
            else:
                ready.append(self._settled(check, row, value, flags))
        return ready

    def _judged(self, rows: list[dict[str, Any]]) -> tuple[list[Row], list[Flags | None] | None]:
        flags: list[Flags | None] = [None] * len(rows)
        ready, known = [], set(self.names)
        for position, given in enumerate(rows):
            if not given.keys() <= known:
                self._extra_columns(given, flags, position)
            made: list[Any] = []
            for name in self.names:
                value = given.get(name, msgspec.UNSET)
                if name in self._keys:
                    made.append(_key(position, self._keys[name], value))
                    continue
                check = self._checks[name]
                if check.broken(value) is not None:
                    made.append(self._settled(check, position, value, flags))
                else:
                    made.append(check.good(value))
            ready.append(tuple(made))
        return ready, flags if any(flags) else None

    def _settled(self, check: ColumnCheck, row: int, value: Any, flags: list[Flags | None]) -> Any:
        broken = check.broken(value)
        assert broken is not None
        if self._count is not None:
            self._count(check.name, broken.kind, check.actions[broken.kind], 1)
        ready, flag = check.settled(row, value, broken)
        flags[row] = {**(flags[row] or {}), check.name: flag}
        return ready

    def _extra_columns(self, given: Mapping[str, Any], flags: list[Flags | None], row: int | None = None) -> None:
        """Refuse columns that no model takes, or flag them in a row, or in all rows."""
        for name in given:
            if name in self.names:
                continue
            touched = range(len(flags)) if row is None else (row,)
            shown = name[:_SHOWN]
            if self._count is not None:
                self._count(ALL_COLUMNS, "extra", self._extra, len(touched))  # not by names that callers make up
            if self._extra == "refuse":
                close = nearest(shown, self.names)
                hint = f", did you mean {close!r}?" if close else ""
                raise SignatureError(row or 0, shown, "extra", f"unexpected column {shown!r}{hint}")
            for one in touched:
                flags[one] = {**(flags[one] or {}), shown: "extra"}

    def _as_dict(self, row: object, position: int) -> dict[str, Any]:
        if isinstance(row, dict):
            return row
        needed = [name for name in self.names if name in self._keys or not self._checks[name].optional]
        raise InvalidInput(
            f"row {position}: is {in_words(row)}, expected an object with the columns {', '.join(needed)}"
        )

    def _key_values(self, name: str, values: Any, count: int) -> list[Any]:
        if values is None:
            return [msgspec.UNSET] * count
        listed = values.tolist() if isinstance(values, np.ndarray) else values
        return [_key(row, self._keys[name], value) for row, value in enumerate(listed)]

    def _check_keys(self, rows: Sequence[Row]) -> None:
        if not self._keys:
            return
        for position, row in enumerate(rows):
            problem = self._missing_key(row) if msgspec.UNSET in row else None
            if problem:
                raise InvalidInput(f"row {position}: {problem}")

    def _missing_key(self, row: Row) -> str | None:
        unset = {name for name, value in zip(self.names, row, strict=True) if value is msgspec.UNSET}
        for name in unset & self._keys.keys():
            if name in self._checks:
                return f"column {name!r} is missing; null stands for a value that is not known"
            wanted = [one for one in self._keys[name].needed_by if one in unset]
            if wanted:
                return (
                    f"the key {name!r} is missing, by which {', '.join(map(repr, wanted))} "
                    f"{'is' if len(wanted) == 1 else 'are'} looked up; null stands for a key that is not known"
                )
        return None


def named(ids: list[str] | None, units: list[str | None] | None, count: int) -> tuple[list[str], list[str | None]]:
    """An id and a unit for each row: ids are made where none are given, and units are None. InvalidInput where there
    are not as many as rows, or ids that cannot be.
    """
    if ids is None:
        ids = [ordered_id() for _ in range(count)]
    else:
        _check_ids(ids, count)
    if units is None:
        units = [None] * count
    elif len(units) != count:
        raise InvalidInput(f"there are {len(units)} units for {count} rows", expected="one for each row")
    return ids, units


def _check_ids(ids: Sequence[str], count: int) -> None:
    """InvalidInput unless there is one for each row, none too long and none twice."""
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


def _plain(body: bytes) -> _Envelope:
    """A request whose rows are whatever JSON says."""
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError) as reason:
        raise InvalidInput(f"the body is not JSON: {reason}") from None
    if not isinstance(found, dict) or not isinstance(found.get("rows"), list):
        raise InvalidInput('the body is not a request, expected {"rows": [{column: value, ...}, ...]}')
    for name in found:
        if name not in _Envelope.__struct_fields__:
            close = nearest(name[:_SHOWN], list(_Envelope.__struct_fields__))
            raise InvalidInput(
                f"the request was refused: unknown field {name[:_SHOWN]!r}",
                expected=", ".join(_Envelope.__struct_fields__),
                hint=f"did you mean {close!r}?" if close else None,
            )
    try:
        return msgspec.convert(found, _Envelope)
    except ValueError as reason:
        raise InvalidInput(f"the request was refused: {reason}") from None


def _check_count(count: int) -> None:
    if not 1 <= count <= MAX_ROWS:
        raise InvalidInput(f"the request has {count} rows", expected=f"1 to {MAX_ROWS}")


def _key(row: int, key: "RequestKey", value: Any) -> Any:
    if value is msgspec.UNSET:
        return value
    try:
        return msgspec.convert(value, key.type | None, builtin_types=())
    except ValueError:
        raise InvalidInput(f"row {row}: the key {key.name!r} is {in_words(value)}, expected {key.words}") from None
