"""Files as one table: a path, a pattern or a folder of CSV, JSON lines, Parquet or Arrow files, here or in a bucket.

Folders such as `day=2013-01-01` become columns. Files of CSV may differ in what their values look like: a column is
then what all of them can be. In the other formats types are stated, and files that state different ones are refused.
"""

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs, ipc
from pyarrow import json as pa_json

from assay.build.data.source_csv import CsvOptions, inferred, parse_csv
from assay.errors import InvalidInput, nearest
from assay.progress import tell
from assay.record.canonical import digest
from assay.record.tables import THREADS_FROM_BYTES, read_parquet

__all__ = ["FORMATS", "Files", "files_at", "format_of"]

FORMATS = {
    **{"csv": "csv", "tsv": "tsv", "tab": "tsv", "txt": "csv", "parquet": "parquet", "pq": "parquet"},
    **{"jsonl": "json", "ndjson": "json", "json": "json", "arrow": "arrow", "ipc": "arrow", "feather": "arrow"},
}
_COMPRESSED = {"gz": "gzip", "bz2": "bz2", "zst": "zstd", "lz4": "lz4"}
_READING = 1  # raised when the same file would be read to another table than before
_SETTLES_NS = 2_000_000_000  # a file changed within two seconds may change again without its times telling
_MOST_BLOCK = 2**31 - 1
_LISTED = 8
_COLUMN_BYTES = 1 << 20
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class Files:
    """Files of one format, in order of their paths; `keys` are the columns that their folders say, a row a file."""

    filesystem: fs.FileSystem
    paths: tuple[str, ...]
    format: str
    csv: CsvOptions
    keys: pa.Table

    def read(self) -> pa.Table:
        """All rows, in order of the paths."""
        return pa.concat_tables(self.read_some(self.paths))

    def read_some(self, paths: Sequence[str], known: pa.Schema | None = None) -> list[pa.Table]:
        """The tables of some of the files, all with one schema: what they and `known` have in common."""
        found = []
        for count, path in enumerate(paths, 1):
            found.append(self._table(path, self.csv))
            if len(paths) > 1:
                tell("reading", count / len(paths), PurePosixPath(path).name)
        schemas = [table.schema for table in found] + ([known] if known is not None else [])
        common = self._common(schemas, [*paths, "the version before"])
        return [self._as(table, common, path) for table, path in zip(found, paths, strict=True)]

    def batches(self, rows: int) -> Iterator[pa.Table]:
        """All rows in order of the paths, in tables of at most so many, all with one schema.

        Of Parquet files no more is in memory at a time; of the others a file.
        """
        if len(self.paths) > 1 and self.format != "parquet":
            common = self._common([self._table(path, self.csv).schema for path in self.paths], self.paths)
        else:
            common = self.schema() if self.format == "parquet" else None
        for count, path in enumerate(self.paths, 1):
            if self.format == "parquet":
                for table in _in_batches(self.filesystem, path, rows):
                    yield self._as(self._with_keys(table, path), common, path)
            else:
                (table,) = self.read_some([path], common)
                yield from (table.slice(first, rows) for first in range(0, table.num_rows, rows))
            tell("reading", count / len(self.paths), PurePosixPath(path).name)

    def signature(self, path: str) -> str | None:
        """What tells that a file is the one of before without reading it; None for one that has just been changed."""
        if isinstance(self.filesystem, fs.LocalFileSystem):
            stat = Path(path).stat()
            changed = max(stat.st_mtime_ns, stat.st_ctime_ns)
            facts = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        else:
            info = self.filesystem.get_file_info(path)
            changed = info.mtime_ns or 0
            facts = [info.size, changed]
        if time.time_ns() - changed < _SETTLES_NS:
            return None
        how = [_READING, self.format, self.csv.delimiter, self.csv.encoding, self.csv.decimal, *self.csv.nulls]
        types = sorted((name, str(kind)) for name, kind in self.csv.types.items())
        return digest([path, facts, how, types, str(self.keys.schema)])

    def schema(self) -> pa.Schema:
        """Names and types of the columns; of Parquet files only the ends are read."""
        if self.format != "parquet":
            return self.read().schema
        found = [self._with_keys(_without_rows(self.filesystem, path), path) for path in self.paths]
        return self._common([table.schema for table in found], self.paths)

    def completed(self, table: pa.Table, path: str, common: pa.Schema) -> pa.Table:
        """Columns of one file with those that its folder says, in the types of `common`; what it lacks is null."""
        return self._as(self._with_keys(table, path), common, path)

    def _table(self, path: str, options: CsvOptions) -> pa.Table:
        return self._with_keys(_parsed(self.filesystem, path, self.format, options), path)

    def _with_keys(self, table: pa.Table, path: str) -> pa.Table:
        """With what the folders say about the file."""
        place = self.paths.index(path) if self.keys.num_columns else 0
        for name in self.keys.column_names:
            if name not in table.column_names:
                value = self.keys[name][place]
                table = table.append_column(name, pa.repeat(value, table.num_rows))
        return table

    def _common(self, schemas: Sequence[pa.Schema], places: Sequence[str]) -> pa.Schema:
        """The schema that holds all of them, columns in order of appearance; what a file lacks is null there."""
        kinds: dict[str, pa.DataType] = {}
        said: dict[str, str] = {}
        for schema, place in zip(schemas, places, strict=False):
            for field in schema:
                before = kinds.get(field.name, field.type)
                kind = _wider(before, field.type)
                if kind is None and self.format in ("csv", "tsv"):
                    kind = pa.string()
                if kind is None:
                    raise InvalidInput(
                        f"column {field.name!r} is {before} in one file and {field.type} in another",
                        where=f"{said[field.name]} and {place}",
                        expected="one type, as the format states types",
                    )
                kinds[field.name] = kind
                said.setdefault(field.name, place)
        return pa.schema(kinds)

    def _as(self, table: pa.Table, common: pa.Schema, path: str) -> pa.Table:
        lost = {
            field.name: "text"
            for field in table.schema
            if self.format in ("csv", "tsv")
            and pa.types.is_string(common.field(field.name).type)
            and not (pa.types.is_string(field.type) or pa.types.is_null(field.type))
            and field.name not in self.keys.column_names
        }
        if lost:  # a number as text is what stood in the file, not how we would write it
            table = self._table(path, replace(self.csv, types={**self.csv.types, **lost}))
        columns = []
        for field in common:
            if field.name not in table.column_names:
                columns.append(pa.nulls(len(table), field.type))
                continue
            try:
                columns.append(table[field.name].cast(field.type))
            except pa.ArrowInvalid as error:  # such as a whole number of more digits than a float holds
                what = f"column {field.name!r} is {field.type} with the other files, and does not fit: {error}"
                raise InvalidInput(what, where=path) from None
        return pa.table(columns, schema=common)


def files_at(where: str, storage: dict[str, object], kind: str | None, options: CsvOptions) -> Files:
    """The files of a path, a pattern with `*`, or a folder; InvalidInput where there are none."""
    filesystem, path = _filesystem(where, storage)
    try:
        info = filesystem.get_file_info(path)
    except OSError as error:
        raise InvalidInput(f"{where} cannot be reached: {error}", hint="storage={...} says where and who") from None
    if info.type == fs.FileType.File:
        root, found = str(PurePosixPath(path).parent), [path]
    elif info.type == fs.FileType.Directory:
        root, found = path, _below(filesystem, path, recursive=True)
        found = found if kind else [one for one in found if format_of(one)]
    elif any(mark in path for mark in "*?["):
        root, found = _matching(filesystem, path)
    else:
        raise InvalidInput(f"there is no file {where}", hint=_near(filesystem, path, where))
    if not found:
        raise InvalidInput(f"there are no files at {where}", expected=f"files that end in .{', .'.join(FORMATS)}")
    kind = kind or _one_format(found, where)
    return Files(filesystem, tuple(found), kind, options, _keys(root, found))


def format_of(path: str) -> str | None:
    """The format that the ending of a path says, whatever it is compressed with."""
    endings = PurePosixPath(path).name.lower().split(".")[1:]
    if endings and endings[-1] in _COMPRESSED:
        endings.pop()
    return FORMATS.get(endings[-1]) if endings else None


def _filesystem(where: str, storage: dict[str, object]) -> tuple[fs.FileSystem, str]:
    scheme, mark, rest = where.partition("://")
    if not mark:
        return fs.LocalFileSystem(), str(Path(where).expanduser().absolute())
    if scheme == "file":
        return fs.LocalFileSystem(), unquote(rest)
    if scheme not in ("s3", "gs", "gcs"):
        raise InvalidInput(f"files cannot be read by {scheme}://", expected="a path, s3://, gs://, http:// or https://")
    make = fs.S3FileSystem if scheme == "s3" else fs.GcsFileSystem
    given = {"endpoint_override" if name == "endpoint" else name: value for name, value in storage.items()}
    try:
        return make(**given), rest.rstrip("/")
    except TypeError as error:
        what = str(error).replace("__init__() ", "")
        raise InvalidInput(f"storage: {what}", expected="endpoint, region, access_key, anonymous, ...") from None


def _below(filesystem: fs.FileSystem, folder: str, *, recursive: bool) -> list[str]:
    """Files in a folder, sorted; none that is hidden, or a remark of the program that wrote the others."""
    found = filesystem.get_file_info(fs.FileSelector(folder, recursive=recursive, allow_not_found=True))
    start = len(folder.rstrip("/")) + 1
    return sorted(
        one.path
        for one in found
        if one.type == fs.FileType.File and not any(part[0] in "._" for part in one.path[start:].split("/"))
    )


def _matching(filesystem: fs.FileSystem, pattern: str) -> tuple[str, list[str]]:
    parts = pattern.split("/")
    fixed = next(place for place, part in enumerate(parts) if any(mark in part for mark in "*?["))
    root, rest = "/".join(parts[:fixed]), "/".join(parts[fixed:])
    form = re.escape(rest).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    form = re.sub(r"\\\[(.+?)\\\]", lambda found: f"[{found[1].replace(chr(92), '')}]", form)
    found = _below(filesystem, root, recursive="/" in rest or "**" in rest)
    return root, [path for path in found if re.fullmatch(form, path[len(root) + 1 :])]


def _near(filesystem: fs.FileSystem, path: str, where: str) -> str | None:
    """The name in the folder that is spelled most like the one that is not there, or what there is."""
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    try:
        there = filesystem.get_file_info(fs.FileSelector(folder))
    except OSError:
        return f"there is no folder {folder} either"
    names = sorted(one.base_name for one in there)
    close = nearest(name, names)
    if close:
        return f"did you mean {where.removesuffix(name) + close!r}?"
    tables = [one for one in names if format_of(one)][:_LISTED]
    return f"in that folder there are {', '.join(tables)}" if tables else "that folder has no tables in it"


def _one_format(paths: Sequence[str], where: str) -> str:
    found = {path: format_of(path) for path in paths}
    kinds = {kind for kind in found.values() if kind}
    unknown = next((path for path, kind in found.items() if kind is None), None)
    if unknown:
        raise InvalidInput(
            f"the ending of {PurePosixPath(unknown).name} says no format",
            where=where,
            expected=f"one of .{', .'.join(FORMATS)}, perhaps with .gz behind it",
            hint="format='csv', 'tsv', 'json', 'parquet' or 'arrow' says it",
        )
    if len(kinds) > 1:
        hint = f"name one kind, as in {where.rstrip('/')}/*.{min(kinds)}"
        raise InvalidInput(f"the files are of several formats: {', '.join(sorted(kinds))}", where=where, hint=hint)
    return kinds.pop()


def _keys(root: str, paths: Sequence[str]) -> pa.Table:
    """What folders such as `day=2013-01-01` say about each file."""
    said = []
    for path in paths:
        folders = path[len(root.rstrip("/")) + 1 :].split("/")[:-1]
        pairs = [folder.partition("=") for folder in folders if "=" in folder]
        said.append({name: None if value == _NO_VALUE else unquote(value) for name, _, value in pairs})
    names = dict.fromkeys(name for row in said for name in row)
    columns = {name: pa.chunked_array([pa.array([row.get(name) for row in said], pa.string())]) for name in names}
    return pa.table({name: inferred(column) for name, column in columns.items()})


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds the values of both without loss, None where none does."""
    if one == other:
        return one
    one, other = (kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (one, other))
    days_and_times = {pa.date32(), pa.timestamp("us")}
    if {one, other} == days_and_times:
        return pa.timestamp("us")
    try:
        fields = [pa.schema([("c", one)]), pa.schema([("c", other)])]
        return pa.unify_schemas(fields, promote_options="permissive").field("c").type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def _parsed(filesystem: fs.FileSystem, path: str, kind: str, options: CsvOptions) -> pa.Table:
    """The table of one file. InvalidInput names it, whatever is wrong."""
    try:
        if kind == "parquet":
            with filesystem.open_input_file(path) as file:
                return read_parquet(file)
        content = _content(filesystem, path, is_mapped=kind != "arrow")  # whose tables would lie in the file
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(f"the file cannot be read: {error}", where=path, expected=f"a {kind} file") from error
    if kind == "arrow":
        try:
            return _arrow(content)
        except pa.ArrowException as error:
            raise InvalidInput(f"the file cannot be read: {error}", where=path, expected="an Arrow file") from error
    if kind == "json":
        return _json(content, path)
    return parse_csv(content, path, options if kind == "csv" or options.delimiter else replace(options, delimiter="\t"))


def _without_rows(filesystem: fs.FileSystem, path: str) -> pa.Table:
    try:
        with filesystem.open_input_file(path) as file, pq.ParquetFile(file) as parquet:
            return parquet.schema_arrow.empty_table()
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(f"the file cannot be read: {error}", where=path, expected="a parquet file") from error


def _in_batches(filesystem: fs.FileSystem, path: str, rows: int) -> Iterator[pa.Table]:
    try:
        # with a buffer of its own for each column the file is read as it goes, not a group of rows at a time
        with (
            filesystem.open_input_file(path) as file,
            pq.ParquetFile(file, buffer_size=_COLUMN_BYTES, pre_buffer=False) as parquet,
        ):
            for batch in parquet.iter_batches(rows):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(f"the file cannot be read: {error}", where=path, expected="a parquet file") from error


def _content(filesystem: fs.FileSystem, path: str, *, is_mapped: bool) -> pa.Buffer:
    compression = _COMPRESSED.get(path.rpartition(".")[2].lower())
    is_mapped = is_mapped and compression is None and isinstance(filesystem, fs.LocalFileSystem)
    if is_mapped and Path(path).stat().st_size:
        with pa.memory_map(path) as file:
            return file.read_buffer()
    with filesystem.open_input_stream(path, compression=compression) as stream:
        return pa.py_buffer(stream.read())


def _arrow(content: pa.Buffer) -> pa.Table:
    try:
        return ipc.open_file(content).read_all()
    except pa.ArrowInvalid:  # the form without an index at its end
        return ipc.open_stream(content).read_all()


def _json(content: pa.Buffer, where: str) -> pa.Table:
    """A JSON document a line, or a list of them."""
    start = content[:1024].to_pybytes().lstrip()
    if not start:
        raise InvalidInput("the file is empty", where=where, expected="a JSON object a line")
    try:
        if start.startswith(b"["):
            return pa.Table.from_pylist(json.loads(content.to_pybytes()))
        block = min(max(content.size, 1 << 20), _MOST_BLOCK) if content.size < 1 << 26 else 1 << 26
        return pa_json.read_json(
            pa.BufferReader(content),
            read_options=pa_json.ReadOptions(use_threads=content.size >= THREADS_FROM_BYTES, block_size=block),
        )
    except (json.JSONDecodeError, pa.ArrowException, AttributeError) as error:
        raise _json_fault(content, where, str(error)) from None


def _json_fault(content: pa.Buffer, where: str, said: str) -> InvalidInput:
    for number, line in enumerate(content.to_pybytes().splitlines(), 1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            return InvalidInput(f"the line is not JSON: {error}", where=place, expected="a JSON object a line")
        if not isinstance(value, dict):
            return InvalidInput("the line is no JSON object", where=place, expected='such as {"age": 31}')
    return InvalidInput(f"the file cannot be read: {said}", where=where)
