"""What was declared of a feature view, in the form in which a store keeps it, and its function found again."""

import ast
import base64
import importlib
import inspect
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from assay.build.data.expectation_files import parse_expectations, to_toml
from assay.build.data.sources import is_place
from assay.build.steps.closure import code_of
from assay.build.steps.modules import compiled, importable_name
from assay.build.views.declared.aggregates import Aggregate
from assay.build.views.declared.history import ARRIVAL, CREATED, TS
from assay.build.views.declared.spans import spoken
from assay.build.views.declared.view import DEFINED, FeatureView
from assay.errors import InvalidInput
from assay.record.canonical import digest

__all__ = ["Code", "Declaration", "KeptFunction", "content_of", "declaration", "declared_view"]

_SAID = ("owner", "description", "tags", "fresh_us", "checks")  # about a view, and no part of what it computes


class Code(msgspec.Struct, frozen=True):
    """Where the function of a view stands, and the hash of all that it reaches in the project.

    `parts` are what is hashed, `shape` the same whatever functions are called, `libraries` versions of the rest.
    These make no other version of a view: models that are served must not lose theirs whenever something is installed.
    The replay check tells whether values changed.
    """

    module: str
    qualname: str
    file: str | None
    hash: str
    parts: dict[str, str]
    libraries: dict[str, str]
    shape: str

    @property
    def name(self) -> str:
        """The function with its module, as steps are named."""
        return f"{self.module}.{self.qualname}"


class Declaration(msgspec.Struct, frozen=True):
    """What was declared, as it is kept. `schema` is Arrow's, of the keys and the values, in base64.

    Places of sources are as they were written, `folder` is where relative ones begin. `checks` are TOML.
    """

    entity: list[str]
    time: str
    source: str | dict[str, str]
    folder: str
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
    fresh_us: int | None
    checks: str | None
    schema: str

    @property
    def rows_schema(self) -> pa.Schema:
        """Keys and values of its rows with their types."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.schema)))

    @property
    def said(self) -> dict[str, str]:
        """What is said about the view and may change without making another version, as text by what it is."""
        texts = {
            "owner": self.owner or "",
            "description": self.description,
            "tags": ", ".join(self.tags),
            "fresh": spoken(self.fresh_us) or "",
            "checks": self.checks or "",
            "libraries": ", ".join(f"{name} {one}" for name, one in sorted(self.code.libraries.items()))
            if self.code
            else "",
        }
        return {name: text for name, text in texts.items() if text}


def declaration(view: FeatureView, rows: pa.Table, source: str | dict[str, str]) -> Declaration:
    """What was declared, with the types of its rows (as `source_rows` gives them); `source` by name or place.

    InvalidInput for checks that are functions: they cannot be written down.
    """
    schema = rows.select([name for name in rows.column_names if name not in (TS, CREATED, ARRIVAL)]).schema
    return Declaration(
        entity=list(view.entity),
        time=view.time,
        source=source,
        folder=str(Path.cwd()),
        created=view.created,
        ttl_us=view.ttl_us,
        delay_us=view.delay_us,
        strict=view.strict,
        event=list(view.event),
        features=None if view.features is None else list(view.features),
        expressions=dict(view.expressions),
        aggregates=dict(view.aggregates),
        code=_code(view),
        owner=view.owner,
        description=view.description,
        tags=list(view.tags),
        fresh_us=view.fresh_us,
        checks=to_toml(view.checks) if view.checks else None,
        schema=base64.b64encode(schema.remove_metadata().serialize().to_pybytes()).decode(),
    )


def content_of(name: str, declared: Declaration) -> str:
    """The hash of what makes a version: not who owns it, what is said about it, nor where its code stands."""
    known = msgspec.to_builtins(declared)
    for one in (*_SAID, "folder"):
        del known[one]
    types = [[field.name, str(field.type)] for field in declared.rows_schema]  # Arrow's bytes differ by its version
    return digest({**known, "name": name, "code": declared.code.hash if declared.code else None, "schema": types})


def declared_view(name: str, declared: Declaration, reference: str) -> FeatureView:
    """The view again. Its function is found when it is called: rows that are kept already need none."""
    defined = DEFINED.get(name)
    function: Any = None
    if declared.code is not None:
        own = defined.function if defined is not None else None
        known = own is not None and not isinstance(own, KeptFunction) and _parts(own).hash == declared.code.hash
        function = own if known else KeptFunction(_here(declared.code, declared.folder), reference)
    return FeatureView(
        name=name,
        entity=tuple(declared.entity),
        time=declared.time,
        source=_located(declared),
        created=declared.created,
        ttl_us=declared.ttl_us,
        delay_us=declared.delay_us,
        strict=declared.strict,
        event=tuple(declared.event),
        features=None if declared.features is None else tuple(declared.features),
        expressions=declared.expressions,
        aggregates=declared.aggregates,
        function=function,
        checks=parse_expectations(declared.checks, f"the checks of {reference}") if declared.checks else None,
        owner=declared.owner,
        description=declared.description,
        tags=tuple(declared.tags),
        fresh_us=declared.fresh_us,
    )


class KeptFunction:
    """The function of a registered view, imported when it is called first.

    InvalidInput then where its file is gone, or its code is another one by now.
    """

    def __init__(self, code: Code, reference: str) -> None:
        self.code = code
        self._reference = reference
        self._found: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function gives."""
        if self._found is None:
            self._found = self._find()
        return self._found(*args, **kwargs)

    def _find(self) -> Any:
        if self.code.module == "__main__" or "<locals>" in self.code.qualname:
            where = "inside another function" if "<locals>" in self.code.qualname else "in a notebook or a shell"
            raise InvalidInput(
                f"the function of the feature view {self._reference} was declared {where}, and not in this process",
                hint="put it into a file, at its top level, and register it from there",
            )
        found: Any = _module(self.code, self._reference)
        for part in self.code.qualname.split("."):
            found = getattr(found, part, None)
        found = found.function if isinstance(found, FeatureView) else found
        if not callable(found) or _parts(found).hash != self.code.hash:
            file = self.code.file or "FILE.py"
            raise InvalidInput(
                f"the code of the feature view {self._reference} is another one by now",
                where=self.code.file,
                hint=f"`assay features register {file}` makes it a version; this one needs the code it was made with",
            )
        return found


def _code(view: FeatureView) -> Code | None:
    function = view.function
    if function is None or isinstance(function, KeptFunction):
        return function.code if function is not None else None
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    place = str(Path(file).absolute()) if file else None
    parts = _parts(function)
    itself = parts.own.get("def")  # which stands there once more under its name
    others = sorted(one for one in parts.own.values() if one != itself)
    return Code(
        module=importable_name(function.__module__),
        qualname=function.__qualname__,
        file=place,
        hash=parts.hash,
        parts=parts.own,
        libraries=parts.libraries,
        shape=digest([_body(function), others]),
    )


class _Parts(NamedTuple):
    """What a function reaches in the project, hashed, and the versions of libraries beside it."""

    hash: str
    own: dict[str, str]
    libraries: dict[str, str]


def _parts(function: Any) -> _Parts:
    found = code_of(function).components
    own = {name: one for name, one in found.items() if not name.endswith("==")}
    libraries = {name.removesuffix("=="): one for name, one in found.items() if name.endswith("==")}
    return _Parts(digest(own), own, libraries)


def _body(function: Any) -> object:
    """What a function does, whatever it is called and its docstring says."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):
        return compiled(function.__code__)
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    return [ast.dump(tree.args), *map(ast.dump, body)]


def _module(code: Code, reference: str) -> ModuleType:
    main = sys.modules.get("__main__")
    if main is not None and importable_name("__main__") == code.module:
        return main
    if code.module not in sys.modules and code.file is not None and Path(code.file).is_file():
        folder = str(Path(code.file).parents[code.module.count(".")])
        if folder not in sys.path:
            sys.path.insert(0, folder)
        importlib.invalidate_caches()
    try:
        return importlib.import_module(code.module)
    except Exception as error:  # whatever their code raises
        raise InvalidInput(
            f"the function of the feature view {reference} cannot be imported: {type(error).__name__}: {error}",
            where=code.file,
            hint="put its file where Python finds it, or register the view again",
        ) from error


def _here(code: Code, folder: str) -> Code:
    """With the place of its file from here, where the project moved."""
    if code.file is None or Path(code.file).is_file() or not Path(code.file).is_relative_to(folder):
        return code
    moved = Path.cwd() / Path(code.file).relative_to(folder)
    return msgspec.structs.replace(code, file=str(moved)) if moved.is_file() else code


def _located(declared: Declaration) -> str | dict[str, str]:
    if isinstance(declared.source, Mapping):
        return {name: _place(one, declared.folder) for name, one in declared.source.items()}
    return _place(declared.source, declared.folder)


def _place(given: str, folder: str) -> str:
    """A relative place from where it was declared, unless it is there from here as well: projects move."""
    there = Path(folder) / given
    if "://" in given or Path(given).exists() or not (is_place(given) or there.exists()):
        return given
    return str(there)
