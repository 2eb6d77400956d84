"""CSV and its relatives, read so that nothing is lost: every value is text first, then what all of them can be.

A column becomes whole numbers, numbers, booleans, dates or times only where each of its values reads as one and says
no more than that: `007` and numbers of more than 15 digits stay text, and so do dates that are not written year first.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv

from assay.errors import InvalidInput, nearest
from assay.record.tables import THREADS_FROM_BYTES

__all__ = ["NULLS", "CsvOptions", "inferred", "parse_csv"]

NULLS = (*pa_csv.ConvertOptions().null_values, "<NA>")
_SAMPLE = 1_000  # values that decide what is worth trying on all of them
_SEPARATORS = ",;\t|"
_BLOCK = 1 << 22
_HEADER = 1 << 20  # bytes in which the names of all columns stand
_BYTE_ORDER = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SAYS_MORE = r"^[+-]?(0[0-9]|[0-9]{16,}$)"  # than a number: leading zeros, or more digits than a float holds
_NEVER_CLOSED = "is a quotation mark never closed?"
_TYPES = {
    **{"text": pa.string(), "int": pa.int64(), "number": pa.float64(), "float": pa.float64()},
    **{"date": pa.date32(), "time": pa.timestamp("us"), "bool": pa.bool_()},
}


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How to read it; `types` by column: an Arrow type, its name, or the form of a date such as `%d.%m.%Y`."""

    delimiter: str | None = None
    encoding: str = "utf-8"
    nulls: Sequence[str] = NULLS
    decimal: str = "."
    types: Mapping[str, pa.DataType | str] = field(default_factory=dict)


def parse_csv(content: pa.Buffer, where: str, options: CsvOptions) -> pa.Table:
    """The table of a CSV file with a header; InvalidInput with file and line for what is no such thing."""
    encoding = _BYTE_ORDER.get(bytes(content[:2]), options.encoding)
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        content = pa.py_buffer(_decoded(content, encoding, where).encode())
    delimiter, names = _header(content, options, where)
    if _quotes(content) % 2:  # Arrow would take the rest of the file for one value
        _check_closed(content, delimiter, where)
    try:
        texts = pa_csv.read_csv(
            pa.BufferReader(content),
            read_options=pa_csv.ReadOptions(
                column_names=names,
                skip_rows_after_names=1,
                block_size=_BLOCK,
                use_threads=content.size >= THREADS_FROM_BYTES,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,  # of one column, an empty line is a value that is missing
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=list(options.nulls),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,  # in R's files "NA" is a text and NA is none
            ),
        )
    except pa.ArrowInvalid as error:
        raise _fault(content, delimiter, len(names), where, str(error)) from None
    columns = []
    for name, column in zip(names, texts.columns, strict=True):
        wanted = options.types.get(name)
        try:
            columns.append(
                inferred(column, options.decimal) if wanted is None else _converted(column, wanted, options.decimal)
            )
        except _Bad as bad:
            line = next(line for row, (line, _) in enumerate(_rows(content, delimiter)) if row == bad.row + 1)
            what = f"column {name!r} holds {bad.value!r}, which is no {bad.kind}"
            raise InvalidInput(what, where=f"{where}, line {line}", hint=f"types={{{name!r}: 'text'}}") from None
    return pa.table(columns, names=names)


class _Bad(Exception):
    """A value that cannot become what it was said to be."""

    def __init__(self, row: int, value: str, kind: str) -> None:
        super().__init__(value)
        self.row, self.value, self.kind = row, value, kind


def _decoded(content: pa.Buffer, encoding: str, where: str) -> str:
    raw = content.to_pybytes()
    try:
        text: str = raw.decode(encoding)
        return text.removeprefix("\ufeff")
    except LookupError:
        raise InvalidInput(f"there is no encoding {encoding!r}", expected="utf-8, latin-1, cp1252, ...") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            f"byte {raw[error.start]:#04x} is not {encoding}",
            where=f"{where}, line {line}",
            hint="encoding='cp1252' or 'latin-1' reads what Excel and old programs write",
        ) from None


def _header(content: pa.Buffer, options: CsvOptions, where: str) -> tuple[str, list[str]]:
    """What separates values, and the names of the columns."""
    head = content[:_HEADER].to_pybytes().removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if not head.strip():
        raise InvalidInput("the file is empty", where=where, expected="a line with the names of the columns")
    text = head.decode(errors="replace")
    first = text.splitlines()[0]
    delimiter = options.delimiter or max(_SEPARATORS, key=lambda mark: (first.count(mark), -_SEPARATORS.index(mark)))
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    names = [name or f"column_{position}" for position, name in enumerate(names, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        places = ", ".join(str(place) for place, name in enumerate(names, 1) if name == twice[0])
        raise InvalidInput(
            f"more than one column is called {twice[0]!r}: columns {places}",
            where=f"{where}, line 1",
            hint="give each column a name of its own",
        )
    for name in options.types:
        if name not in names:
            close = nearest(name, names)
            hint = f"did you mean {close!r}?" if close else None
            what = f"types names the column {name!r}, which is not there"
            raise InvalidInput(what, where=where, expected=", ".join(names), hint=hint)
    return delimiter, names


def _rows(content: pa.Buffer, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of its first line, as Python reads them: slow, and exact about lines."""
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    begins = 1
    for row in reader:
        if row:
            yield begins, row
        begins = reader.line_num + 1


def _quotes(content: pa.Buffer) -> int:
    values = np.frombuffer(content, np.uint8)
    return sum(int(np.count_nonzero(values[at : at + _BLOCK] == ord('"'))) for at in range(0, len(values), _BLOCK))


def _check_closed(content: pa.Buffer, delimiter: str, where: str) -> None:
    line = 0
    try:
        for begins, _ in _rows(content, delimiter):
            line = begins
    except csv.Error as error:
        place = f"{where}, after line {line}"
        raise InvalidInput(f"a row cannot be read: {error}", where=place, hint=_NEVER_CLOSED) from None


def _fault(content: pa.Buffer, delimiter: str, width: int, where: str, said: str) -> InvalidInput:
    """What is wrong with a file that Arrow does not read, with the line."""
    if "UTF8" in said:
        try:
            _decoded(content, "utf-8", where)
        except InvalidInput as fault:
            return fault
    line = 0
    try:
        for line, row in _rows(content, delimiter):
            if len(row) != width:
                values = f"{len(row)} value{'s' if len(row) != 1 else ''}"
                hint = "put quotation marks around a value with the separator in it" if len(row) > width else None
                what = f"the line has {values}, the header has {width}"
                return InvalidInput(what, where=f"{where}, line {line}", hint=hint)
    except csv.Error as error:
        return InvalidInput(f"a row cannot be read: {error}", where=f"{where}, after line {line}")
    return InvalidInput(f"the file cannot be read: {said}", where=where)


def inferred(column: pa.ChunkedArray, decimal: str = ".") -> pa.ChunkedArray:
    """The column as the narrowest kind that loses nothing."""
    sample = column.drop_null()[:_SAMPLE]
    if not len(sample):
        return pa.chunked_array([pa.nulls(len(column))])
    trims = pc.utf8_trim_whitespace
    for kind in (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        if _read_as(trims(sample), kind, decimal) is None:
            continue
        read = _read_as(column, kind, decimal)
        if read is None:
            read = _read_as(trims(column), kind, decimal)
        if read is not None:
            return read
    return column


def _read_as(column: pa.ChunkedArray, kind: pa.DataType, decimal: str) -> pa.ChunkedArray | None:
    """The column as that kind, quoted nothing as null; None where a value is no such thing or says more."""
    if pc.any(pc.equal(column, "")).as_py():
        column = pc.if_else(pc.equal(column, ""), None, column)
    if pa.types.is_floating(kind):
        column = _with_point(column, decimal)
    try:
        read = column.cast(kind)
    except pa.ArrowInvalid:
        return None
    if pa.types.is_integer(kind):
        return read if pc.all(pc.equal(read.cast(pa.string()), column)).as_py() in (True, None) else None
    if pa.types.is_floating(kind):
        return None if pc.any(pc.match_substring_regex(column, _SAYS_MORE)).as_py() else read
    if pa.types.is_boolean(kind):  # 1 and 0 are numbers
        return None if pc.any(pc.is_in(column, pa.array(["0", "1"]))).as_py() else read
    return read


def _with_point(column: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Numbers such as 1,5 with a point in them."""
    return column if decimal == "." else pc.replace_substring(column, decimal, ".", max_replacements=1)


def _converted(column: pa.ChunkedArray, wanted: pa.DataType | str, decimal: str) -> pa.ChunkedArray:
    """The column as it was asked for; _Bad names the first value that is no such thing."""
    if isinstance(wanted, str) and "%" in wanted:
        kind, name = pa.timestamp("us"), f"time in the form {wanted}"
    else:
        kind = _named(wanted)
        name = str(kind)
    if pa.types.is_string(kind):
        return column

    def convert(part: pa.ChunkedArray) -> pa.ChunkedArray:
        part = pc.utf8_trim_whitespace(part)
        part = pc.if_else(pc.equal(part, ""), None, part)
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            part = _with_point(part, decimal)
        return pc.strptime(part, wanted, "us") if isinstance(wanted, str) and "%" in wanted else part.cast(kind)

    try:
        return convert(column)
    except pa.ArrowInvalid:
        low, high = 0, len(column)  # the first bad value stands in [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            try:
                convert(column[low:middle])
                low = middle
            except pa.ArrowInvalid:
                high = middle
        raise _Bad(low, column[low].as_py(), name) from None


def _named(wanted: pa.DataType | str) -> pa.DataType:
    if isinstance(wanted, pa.DataType):
        return wanted
    if wanted in _TYPES:
        return _TYPES[wanted]
    try:
        return pa.type_for_alias(wanted)
    except ValueError:
        close = nearest(wanted, list(_TYPES))
        raise InvalidInput(
            f"there is no type {wanted!r}",
            expected=f"{', '.join(_TYPES)}, a name of Arrow's, or the form of a date such as %d.%m.%Y",
            hint=f"did you mean {close!r}?" if close else None,
        ) from None
