"""A walk over everything that a function reaches: through live objects where there are any, else through syntax.

It notes the components of the code, and what has to stay the same for them to be true: files, names, cells, values.
"""

import builtins
import dis
import functools
import sys
from collections import deque
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from assay.build.steps.content import content_hash
from assay.build.steps.modules import (
    OWN_NAME,
    Definition,
    Parsed,
    Signature,
    Source,
    compiled,
    distributions_of,
    is_installed,
    is_standard,
    modules_under,
    parsed,
    signature,
    source_of,
    version_of_assay,
)
from assay.build.steps.references import References
from assay.errors import InvalidInput
from assay.record.canonical import digest

__all__ = ["MISSING", "Walk"]

MISSING = object()
_PLAIN = (int, float, str, bytes, bool, complex, type(None))
_STEP_MODULE = "assay.build.steps.step"
_ANYTHING = {"eval", "exec", "__import__", "import_module"}
_COMPUTED = {"getattr", "globals"}


_GUEST = "assay.demo"  # lives here, and is a user's project


class Walk:
    """`own` is the module of the step: its package counts as the project's even where it is installed."""

    def __init__(self, own: str) -> None:
        self.own = own.partition(".")[0]
        self.components: dict[str, str] = {}
        self.widened: list[str] = []
        self.files: dict[str, Signature] = {}
        self.bindings: list[tuple[Any, str, object]] = []
        self.attributes: list[tuple[object, str, object]] = []
        self.cells: list[tuple[CellType, object]] = []
        self.values: list[tuple[str, object, str]] = []
        self._spaces: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, Source | None] = {}
        self._done: set[tuple[object, ...]] = set()
        self._held: list[object] = []
        self._anywhere = False
        self._waiting: deque[tuple[References, str, bool, bool]] = deque()
        self._apart = False  # while following what only the statements of modules call

    def start(self, function: Any, grain: str) -> None:
        """From a step; its own cells count as inputs, which the step hashes."""
        home = function.__globals__.get("__name__", "") if isinstance(function, FunctionType) else function.__module__
        self._function(function, root=True)
        if grain != "function" and self._is_project(home):
            self._widen(home, f"code={grain!r}", anywhere=grain == "package")
        self._walk()

    def visit_named(self, value: object) -> None:
        """From a class or a function that stands in a value."""
        self._visit(value, getattr(value, "__module__", None) or "", getattr(value, "__qualname__", ""), ())
        self._walk()

    def _walk(self) -> None:
        """Until nothing new is reached; one after the other, as projects may be deeper than Python's stack."""
        while self._waiting:
            references, module, imports, self._apart = self._waiting.popleft()
            self._follow_now(references, module, imports=imports)
        self._apart = False

    # Where a module stands

    def _source(self, module: str) -> Source | None:
        if module not in self._sources:
            self._sources[module] = source_of(module)
            self.bindings.append((sys.modules, module, sys.modules.get(module, MISSING)))
        return self._sources[module]

    def _is_project(self, module: str) -> bool:
        """Whether it is followed; what is installed counts by its version, noted here."""
        top = module.partition(".")[0]
        if not top or top in sys.stdlib_module_names:
            return False
        if top == "assay" and not module.startswith(_GUEST):
            self.components[f"{OWN_NAME}=="] = version_of_assay()
            return False
        source = self._source(module)
        if source is None:
            return module in self._spaces
        places = [source.path] if source.path else [f"{folder}/" for folder in source.folders]
        if any(is_standard(place) for place in places):
            return False
        if top != self.own and any(is_installed(place) for place in places):
            self.components.update({f"{name}==": version for name, version in distributions_of(top).items()})
            return False
        return True

    def _parsed(self, module: str) -> Parsed | None:
        source = self._source(module)
        if source is None or source.path is None:
            return None
        try:
            self.files[source.path] = signature(source.path)
            return parsed(source.path, module, source.is_package)
        except OSError:  # a module that says it has a file where there is none
            return None

    def _space(self, module: str) -> dict[str, Any] | None:
        if module not in self._spaces and module in sys.modules:
            self._spaces[module] = vars(sys.modules[module])
        return self._spaces.get(module)

    def _first(self, *what: object) -> bool:
        if what in self._done:
            return False
        self._done.add(what)
        return True

    # Modules

    def _enter(self, module: str) -> None:
        """What importing a module does: its packages, its statements, and the project modules that it imports."""
        if not self._first("module", module) or not self._is_project(module):
            return
        parent, _, _ = module.rpartition(".")
        if parent:
            self._enter(parent)
        found = self._parsed(module)
        if found is None:
            return
        if found.statements is not None:
            self.components[f"{module}:(statements)"] = found.statements
        if self._anywhere:
            self._whole(module)
        for other in sorted(found.references.modules):
            if self._source(other) is not None and not self._is_far(other):
                self._enter(other)
        self._waiting.append((found.references, module, False, True))

    def _is_far(self, module: str) -> bool:
        """Whether a module is not the project's, without counting its version: an import alone reaches nothing."""
        before = dict(self.components)
        project = self._is_project(module)
        self.components = before
        return not project

    def _widen(self, module: str, why: str, line: int = 0, *, anywhere: bool) -> None:
        """Take in the whole module, or with `anywhere` every module of its package and all that is reached."""
        if self._apart:
            return
        at = f" at line {line}" if line else ""
        self.widened.append(f"{module} widened to {'package' if anywhere else 'module'}: {why}{at}")
        self._whole(module)
        if anywhere and not self._anywhere:
            self._anywhere = True
            for other in modules_under(module.partition(".")[0]):
                if self._is_project(other):
                    self._whole(other)
            for reached in sorted(str(what[1]) for what in self._done if what[0] == "module"):
                if self._is_project(reached):
                    self._whole(reached)

    def _whole(self, module: str) -> None:
        if not self._first("whole", module):
            return
        self._enter(module)
        found = self._parsed(module)
        if found is not None:
            self.components[f"{module}:(whole)"] = found.whole
            self._follow(found.everything, module)
            for other in found.stars:
                if self._is_project(other):
                    self._whole(other)
            return
        for name, value in sorted((self._space(module) or {}).items()):  # a prompt: what was typed
            if isinstance(value, FunctionType | type) and getattr(value, "__module__", None) == module:
                self._visit(value, module, name, ())

    # Names

    def _follow(self, references: References, module: str) -> None:
        self._waiting.append((references, module, True, self._apart))

    def _follow_now(self, references: References, module: str, *, imports: bool) -> None:
        """Of what statements call only the code counts: the values they leave behind count where they are used."""
        for chain in sorted(references.chains):
            self._resolve(module, chain)
        for other, attributes in sorted(references.imported):
            self._resolve(other, attributes)
        for other in sorted(references.modules) if imports else ():
            if self._source(other) is not None and self._is_project(other):
                self._enter(other)
        for widening in references.widenings:
            self._widen(module, widening.what, widening.line, anywhere=widening.anywhere)

    def _resolve(self, module: str, chain: tuple[str, ...]) -> None:
        """Follow a name of a module, and the attributes after it."""
        if not self._first("name", module, chain, self._apart) or (module == "assay" and chain[:1] == ("step",)):
            return
        if not self._is_project(module):
            return
        self._enter(module)
        if not chain:
            self._widen(module, "the module is used as a value", anywhere=False)
            return
        name, rest = chain[0], chain[1:]
        space = self._space(module)
        if space is None:
            self._resolve_unloaded(module, name, rest)
            return
        value = space.get(name, MISSING)
        if self._apart and not isinstance(value, ModuleType | FunctionType | type):
            return  # what a statement left in a variable counts where it is used
        self.bindings.append((space, name, value))
        found = self._parsed(module)
        other, attributes = found.imported.get(name, ("", ())) if found else ("", ())
        if attributes and other != module and (self._space(other) or {}).get(attributes[0], MISSING) is value:
            self._resolve(other, attributes + rest)  # called what it is where it was made
            return
        self._found(value, space, module, name, rest)

    def _found(self, value: object, space: dict[str, Any], module: str, name: str, rest: tuple[str, ...]) -> None:
        if value is not MISSING:
            self._visit(value, module, name, rest)
        elif not self._submodule(module, name, rest) and "__getattr__" in space and not hasattr(builtins, name):
            self._visit(space["__getattr__"], module, "__getattr__", ())
            self._widen(module, f"{name} comes from the module's __getattr__", anywhere=False)

    def _submodule(self, module: str, name: str, rest: tuple[str, ...]) -> bool:
        source = self._source(module)
        if source is None or not source.is_package or self._source(f"{module}.{name}") is None:
            return False
        self._enter(f"{module}.{name}")
        if rest:
            self._resolve(f"{module}.{name}", rest)
        return True

    def _resolve_unloaded(self, module: str, name: str, rest: tuple[str, ...]) -> None:
        """By the syntax of a module that nobody has imported yet."""
        found = self._parsed(module)
        if found is None:
            self._submodule(module, name, rest)
        elif name in found.definitions:
            for definition in found.definitions[name]:
                self._add(f"{module}:{name}", definition.fingerprint)
                self._follow(definition.references, module)
        elif name in found.imported:
            other, attributes = found.imported[name]
            if attributes and not rest and self._source(f"{other}.{attributes[0]}") is not None:
                self._enter(f"{other}.{attributes[0]}")
            else:
                self._resolve(other, attributes + rest)
        elif name in found.literals:
            self._add(f"{module}:{name}", content_hash(found.literals[name], name, []))
        elif not self._submodule(module, name, rest) and (found.stars or "__getattr__" in found.definitions):
            self._widen(module, f"{name} may come from a star import", anywhere=False)

    def _add(self, key: str, fingerprint: str) -> None:
        known = self.components.get(key)
        # Two functions of one name in one module: both count.
        self.components[key] = fingerprint if known in (None, fingerprint) else digest([known, fingerprint])

    # Objects

    def _visit(self, value: Any, module: str, name: str, rest: tuple[str, ...]) -> None:
        if isinstance(value, ModuleType):
            self._spaces.setdefault(value.__name__, vars(value))
            if rest or not self._is_project(value.__name__):
                self._resolve(value.__name__, rest)
            else:
                self._enter(value.__name__)
                self._widen(value.__name__, "the module is used as a value", anywhere=False)
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, staticmethod | classmethod | MethodType):
            self._visit(value.__func__, module, name, ())
            if isinstance(value, MethodType):
                self._visit(value.__self__, module, f"{name}.__self__", ())
        elif isinstance(value, functools.partial):
            self._visit(value.func, module, name, ())
            self._value((value.args, value.keywords), f"{module}:{name}", module)
        elif hasattr(value, "__wrapped__") and callable(value):
            self._visit(value.__wrapped__, module, name, ())
        elif hasattr(value, "__qualname__") and not self._is_project(getattr(value, "__module__", None) or ""):
            return  # a function of an installed distribution, whose version was noted, or of Python itself
        else:
            self._value(value, f"{module}:{name}", module)

    def _function(self, function: Any, *, root: bool = False) -> None:
        if not self._first("object", id(function), self._apart):
            return
        self._held.append(function)
        inner = getattr(function, "__wrapped__", None)
        if inner is not None:
            self.attributes.append((function, "__wrapped__", inner))
            self._function(inner, root=root) if isinstance(inner, FunctionType) else self._visit(inner, "", "", ())
        if not isinstance(function, FunctionType):
            return
        home = function.__globals__.get("__name__", "")
        if home == _STEP_MODULE:
            return
        self._spaces.setdefault(home, function.__globals__)
        if not self._is_project(home):
            return
        self._enter(home)
        code = function.__code__
        key = f"{home}:{code.co_qualname}"
        definition = self._definition(home, code)
        if root and inner is None:  # which of the functions below is the step
            self.components["def"] = definition.fingerprint if definition else digest(compiled(code))
        if definition is not None:
            self._add(key, definition.fingerprint)
            self._follow(definition.references, home)
        else:
            self._add(f"{key}(code object)", digest(compiled(code)))
            self._follow_code(code, home)
        self._defaults(function, key, home, definition)
        self.attributes.append((function, "__code__", code))
        if not root or inner is not None:  # those of the step itself are hashed by the step, for every call
            for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
                self._cell(cell, home, f"{code.co_qualname}.{variable}")

    def _definition(self, home: str, code: CodeType) -> Definition | None:
        """What the file has, if it is what was loaded: a file may have been edited since."""
        found = self._parsed(home)
        known = found.definitions.get(code.co_qualname, []) if found else []
        loaded = digest(compiled(code)) if known else ""
        return next((definition for definition in known if definition.code == loaded), None)

    def _cell(self, cell: CellType, home: str, name: str) -> None:
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            return
        self.cells.append((cell, value))
        self._visit(value, home, name, ())

    def _defaults(self, function: FunctionType, key: str, home: str, definition: Definition | None) -> None:
        """Default values, where they are not what the source says outright."""
        values = function.__defaults__ or ()
        names = function.__code__.co_varnames[: function.__code__.co_argcount][-len(values) :] if values else ()
        self.attributes += [(function, "__defaults__", function.__defaults__)]
        self.attributes += [(function, "__kwdefaults__", function.__kwdefaults__)]
        literals = definition.literals if definition else {}
        for name, value in [*zip(names, values, strict=True), *(function.__kwdefaults__ or {}).items()]:
            if name not in literals or not isinstance(value, _PLAIN) or not _same(literals[name], value):
                self._visit(value, home, f"{key.partition(':')[2]}({name}=)", ())

    def _class(self, kind: type) -> None:
        if not self._first("object", id(kind), self._apart):
            return
        self._held.append(kind)
        home = kind.__module__
        if not self._is_project(home):
            return
        self._enter(home)
        found = self._parsed(home)
        definitions = found.definitions.get(kind.__qualname__, []) if found else []
        for definition in definitions:
            self._add(f"{home}:{kind.__qualname__}", definition.fingerprint)
            self._follow(definition.references, home)
        for base in (*kind.__mro__[1:], type(kind)):
            self._class(base)
        literals = definitions[-1].literals if definitions else {}
        for name, value in sorted(vars(kind).items()):
            self.bindings.append((vars(kind), name, value))
            for function in _functions_of(value):
                generated = definitions and function.__code__.co_filename.startswith("<")
                if not generated and (not definitions or self._definition(home, function.__code__) is None):
                    self._function(function)
            told = name in literals and _same(literals[name], value)  # the source says so already
            if type(value) in _PLAIN and not told and (name in literals or not name.startswith("_")):
                self._add(f"{home}:{kind.__qualname__}.{name}", content_hash(value, name, []))

    def _value(self, value: object, key: str, home: str) -> None:
        """A constant or a mutable global, by content; what cannot be encoded widens to the module that holds it."""
        if self._apart or not self._first("value", key, id(value)):
            return
        self._held.append(value)
        named: list[object] = []
        try:
            content = content_hash(value, key, named)
        except (InvalidInput, RecursionError):
            self._visit(type(value), home, type(value).__qualname__, ())
            self._widen(
                home, f"{key.partition(':')[2]} is a {type(value).__name__}, which cannot be encoded", anywhere=False
            )
            return
        self._add(key, content)
        if not isinstance(value, _PLAIN):
            self.values.append((key, value, content))
        for one in {id(one): one for one in named}.values():
            self._visit(one, getattr(one, "__module__", None) or "", getattr(one, "__qualname__", ""), ())

    def _follow_code(self, code: CodeType, home: str) -> None:
        """Without syntax: the globals and imports of the code object, and all its names as attributes of modules."""
        names = _names_in(code)
        space = self._space(home) or {}
        for name in sorted(_globals_in(code) | _imported_in(code)):
            value = space.get(name, MISSING)
            self.bindings.append((space, name, value))
            if isinstance(value, ModuleType):
                self._through(value.__name__, names)
            elif value is not MISSING:
                self._visit(value, home, name, ())
            elif not hasattr(builtins, name) and self._source(name) is not None:
                self._through(name, names)
        dynamic = sorted({*names} & (_ANYTHING | _COMPUTED))
        if dynamic:
            why = f"{dynamic[0]} in {code.co_qualname}, which has no source as it was loaded"
            self._widen(home, why, anywhere=bool({*dynamic} & _ANYTHING))

    def _through(self, module: str, names: list[str]) -> None:
        """The names that a code object may take from a module, and from the modules below it."""
        if not self._is_project(module) or not self._first("through", module, tuple(names)):
            return
        self._enter(module)
        found = self._parsed(module)
        space = self._space(module) or {}
        for name in names:
            if name in space or (found and (name in found.definitions or name in found.imported or found.stars)):
                self._resolve(module, (name,)) if not isinstance(space.get(name), ModuleType) else self._through(
                    space[name].__name__, names
                )
            elif self._source(module) and self._source(f"{module}.{name}") is not None:
                self._through(f"{module}.{name}", names)


def _globals_in(code: CodeType) -> set[str]:
    """The names that are looked up in the module: the others are attributes."""
    loads = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
    own = {step.argval for step in dis.get_instructions(code) if step.opname in loads}
    return own.union(*(_globals_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)))


def _imported_in(code: CodeType) -> set[str]:
    """The modules that it imports itself."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
    return own.union(*(_imported_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)))


def _names_in(code: CodeType) -> list[str]:
    inner = [name for constant in code.co_consts if isinstance(constant, CodeType) for name in _names_in(constant)]
    return sorted({*code.co_names, *inner})


def _functions_of(value: object) -> list[FunctionType]:
    """The functions behind a member of a class."""
    parts = [value.fget, value.fset, value.fdel] if isinstance(value, property) else [value]
    plain = [part.__func__ if isinstance(part, staticmethod | classmethod) else part for part in parts]
    return [part for part in plain if isinstance(part, FunctionType)]


def _same(left: object, right: object) -> bool:
    return type(left) is type(right) and repr(left) == repr(right)
