"""Feature views in a store: versions by content, and back from there to what was declared.

A version is its code (the functions it reaches, as for steps), its declaration and its schema. What was registered
before under the same content is the same version.
"""

import base64
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from assay.build.steps.closure import code_of
from assay.build.views.aggregates import Aggregate
from assay.build.views.history import ARRIVAL, CREATED, TS, is_place, source_rows
from assay.build.views.view import DEFINED, FeatureView
from assay.errors import InvalidInput, NotFound, nearest
from assay.record import tables
from assay.record.canonical import digest
from assay.record.datasets import snapshot
from assay.record.ledger import serialise
from assay.record.store import Row, Store

__all__ = ["Code", "Declaration", "ViewVersion", "find_view", "register", "view_of", "view_versions"]


class Code(msgspec.Struct, frozen=True):
    """Where the function of a view stands, and the hash of all that it reaches."""

    module: str
    qualname: str
    file: str | None
    hash: str


class Declaration(msgspec.Struct, frozen=True):
    """What was declared, as it is kept. `schema` is Arrow's, of the keys and the values, in base64."""

    entity: list[str]
    time: str
    source: str | dict[str, str]
    created: str | None
    ttl_us: int | None
    delay_us: int
    strict: bool
    event: list[str]
    features: list[str] | None
    expressions: dict[str, str]
    aggregates: dict[str, Aggregate]
    code: Code | None
    owner: str | None
    description: str
    tags: list[str]
    schema: str

    @property
    def rows_schema(self) -> pa.Schema:
        """Keys and values of its rows with their types."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))


class ViewVersion(msgspec.Struct, frozen=True):
    """A version of a feature view in a store."""

    name: str
    version: int
    hash: str
    registered: str
    actor: str
    declared: Declaration

    @property
    def reference(self) -> str:
        """`NAME@VERSION`."""
        return f"{self.name}@{self.version}"

    @property
    def feature_names(self) -> list[str]:
        """What it gives, in order."""
        if self.declared.aggregates:
            return list(self.declared.aggregates)
        return [name for name in self.declared.rows_schema.names if name not in self.declared.entity]


def register(store: Store, view: FeatureView) -> ViewVersion:
    """Keep a view as a version of its name; the same content again is the same version.

    The source is read once for the types of its columns. A table in memory is kept as a dataset of the view's name.
    InvalidInput for a view that cannot be computed.
    """
    declared = _declaration(store, view)
    content = digest({"name": view.name, **_counting(declared)})
    detail = msgspec.json.encode(declared).decode()  # in the order in which the features were declared
    with store.transaction():  # somebody else may register the same right now
        serialise(store)
        known = store.query("feature_view", {"name": view.name}, order_by=["-version"])
        same = next((row for row in known if row["hash"] == content), None)
        if same is None:
            version = known[0]["version"] + 1 if known else 1
            store.append("feature_view", {"name": view.name, "version": version, "hash": content, "detail": detail})
    return find_view(store, f"{view.name}@{same['version'] if same else version}")


def view_versions(store: Store, name: str | None = None) -> list[ViewVersion]:
    """All versions by name, newest first."""
    where = {"name": name} if name else None
    return [_version(row) for row in store.query("feature_view", where, order_by=["name", "-version"])]


def find_view(store: Store, which: str) -> ViewVersion:
    """The version that `NAME` (its newest) or `NAME@VERSION` names. NotFound with the nearest name."""
    name, mark, number = which.partition("@")
    versions = view_versions(store, name)
    if not versions:
        names = sorted({row["name"] for row in store.query("feature_view")})
        close = nearest(name, names)
        there = f"there are {', '.join(names)}" if names else "`assay features register FILE.py` registers views"
        raise NotFound(
            f"there is no feature view {name!r}",
            where=store.location,
            hint=f"did you mean {close!r}?" if close else there,
        )
    found = versions[0] if not mark else next((one for one in versions if str(one.version) == number), None)
    if found is None:
        raise NotFound(
            f"there is no version {number} of the feature view {name!r}", expected=f"1 to {versions[0].version}"
        )
    return found


def view_of(version: ViewVersion) -> FeatureView:
    """The view as it was declared, with its function.

    InvalidInput where the function's file is gone, or its code is another one by now.
    """
    defined = DEFINED.get(version.name)
    declared = version.declared
    if defined is not None and defined.function is not None and declared.code is not None:
        function = defined.function if code_of(defined.function).hash == declared.code.hash else _function(version)
    else:
        function = _function(version) if declared.code is not None else None
    return FeatureView(
        version.name,
        tuple(declared.entity),
        declared.time,
        declared.source,
        declared.created,
        declared.ttl_us,
        declared.delay_us,
        declared.strict,
        tuple(declared.event),
        None if declared.features is None else tuple(declared.features),
        declared.expressions,
        declared.aggregates,
        function,
        None,
        declared.owner,
        declared.description,
        tuple(declared.tags),
    )


def _declaration(store: Store, view: FeatureView) -> Declaration:
    rows = source_rows(view, store)
    schema = rows.select([name for name in rows.column_names if name not in (TS, CREATED, ARRIVAL)]).schema
    return Declaration(
        list(view.entity),
        view.time,
        _source(store, view),
        view.created,
        view.ttl_us,
        view.delay_us,
        view.strict,
        list(view.event),
        None if view.features is None else list(view.features),
        dict(view.expressions),
        dict(view.aggregates),
        _code(view),
        view.owner,
        view.description,
        list(view.tags),
        base64.b64encode(schema.remove_metadata().serialize().to_pybytes()).decode(),
    )


def _counting(declared: Declaration) -> dict[str, Any]:
    """What makes it another version: not who owns it, what is said about it, nor where its code stands."""
    known = msgspec.to_builtins(declared)
    for name in ("owner", "description", "tags"):
        del known[name]
    return {**known, "code": declared.code.hash if declared.code else None}


def _source(store: Store, view: FeatureView) -> str | dict[str, str]:
    if isinstance(view.source, Mapping):
        return {name: _place(store, view.name, one) for name, one in view.source.items()}
    return _place(store, view.name, view.source)


def _place(store: Store, called: str, given: Any) -> str:
    if isinstance(given, Path) or (isinstance(given, str) and is_place(given)):
        return str(given) if "://" in str(given) else str(Path(given).absolute())
    if isinstance(given, str):
        return given
    snapshot(store, called, tables.as_table(given), source_system="feature view")
    return called


def _code(view: FeatureView) -> Code | None:
    if view.function is None:
        return None
    module = sys.modules.get(view.function.__module__)
    file = getattr(module, "__file__", None)
    return Code(
        view.function.__module__, view.function.__qualname__, str(Path(file).absolute()) if file else None,
        code_of(view.function).hash,
    )  # fmt: skip


def _function(version: ViewVersion) -> Any:
    code = version.declared.code
    assert code is not None
    name = code.module if code.module != "__main__" or code.file is None else Path(code.file).stem
    if name not in sys.modules and code.file is not None and Path(code.file).is_file():
        _make_importable(code.file, name)
    try:
        found = importlib.import_module(name)
    except ImportError as error:
        raise InvalidInput(
            f"the function of the feature view {version.reference} cannot be imported: {error}",
            where=code.file,
            hint="put its file where Python finds it, or register the view again",
        ) from error
    function: Any = found
    for part in code.qualname.split("."):
        function = getattr(function, part, None)
    function = function.function if isinstance(function, FeatureView) else function
    if not callable(function) or code_of(function).hash != code.hash:
        raise InvalidInput(
            f"the code of the feature view {version.reference} is another one by now",
            where=code.file,
            hint=f"register it again, as `assay features register {code.file or 'FILE.py'}` does",
        )
    return function


def _make_importable(file: str, name: str) -> None:
    folder = Path(file).parents[name.count(".")]
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def _version(row: Row) -> ViewVersion:
    declared = msgspec.json.decode(row["detail"], type=Declaration)
    return ViewVersion(row["name"], row["version"], row["hash"], row["ts"], row["actor"], declared)
