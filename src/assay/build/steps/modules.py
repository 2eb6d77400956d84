"""Modules as files: where each comes from, whether it is the project's, and what it defines, parsed once.

Looking never imports anything. A file is remembered by (path, inode, ctime, size), and by its content while it is so
young that it may change again within one tick of its clock.
"""

import ast
import functools
import os
import sys
import sysconfig
import time
from dataclasses import dataclass, field
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from assay.build.steps.decorators import without_options
from assay.build.steps.references import References, executed, names_main, names_type_checking, references_of
from assay.record.canonical import digest, digest_bytes

__all__ = [
    "OWN_NAME",
    "Definition",
    "Parsed",
    "Signature",
    "Source",
    "compiled",
    "distributions_of",
    "fingerprint",
    "importable_name",
    "is_installed",
    "is_standard",
    "modules_under",
    "parsed",
    "signature",
    "source_of",
    "version_of_assay",
]

Signature = tuple[object, ...]
OWN_NAME = "assay-mlops"
_STDLIB = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
_INSTALLED = tuple(f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))
_SETTLED_NS = 2_000_000_000  # a file changed later than this before now may change again within one tick of its clock


class Source(NamedTuple):
    """Where a module comes from; `path` is None for built-in modules and for folders without `__init__.py`."""

    path: str | None
    is_package: bool
    folders: tuple[str, ...] = ()


@dataclass(slots=True)
class Definition:
    """A function or class as the file has it; `code` is what its function compiles to, None for a class.

    `literals` are what the syntax says outright: default values of a function, plain attributes of a class.
    """

    fingerprint: str
    references: References
    code: str | None
    literals: dict[str, object]


@dataclass(slots=True)
class Parsed:
    """A file: definitions by qualified name, imports of the module by the name they bind, constants by name."""

    whole: str
    statements: str | None = None
    references: References = field(default_factory=References)
    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    imported: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    literals: dict[str, object] = field(default_factory=dict)
    everything: References = field(default_factory=References)


def source_of(name: str) -> Source | None:
    """Where a module is or would be imported from; None for no module."""
    module = sys.modules.get(name)
    if module is not None:
        folders = tuple(getattr(module, "__path__", ()))
        return Source(getattr(module, "__file__", None), hasattr(module, "__path__"), folders)
    spec = _spec_of(name)
    if spec is None:
        return None
    below = spec.submodule_search_locations
    return Source(spec.origin if spec.has_location else None, below is not None, tuple(below or ()))


def _spec_of(name: str) -> ModuleSpec | None:
    parent, _, _ = name.rpartition(".")
    if not parent:
        return PathFinder.find_spec(name) if name else None
    above = sys.modules.get(parent)
    if above is not None:
        folders = getattr(above, "__path__", None)
    else:
        spec = _spec_of(parent)
        folders = spec.submodule_search_locations if spec else None
    if folders is None:
        return None
    places = [*getattr(folders, "_path", folders)]
    try:
        return PathFinder.find_spec(name, places)
    except KeyError:  # a folder without `__init__.py` in another one, which nobody has imported
        below = [str(Path(place) / name.rpartition(".")[2]) for place in places]
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [place for place in below if Path(place).is_dir()]
        return spec


def is_installed(path: str) -> bool:
    """Whether a file belongs to an installed distribution, and not to a project."""
    return any(folder in path for folder in _INSTALLED)


def is_standard(path: str) -> bool:
    """Whether a file belongs to Python itself."""
    return path.startswith(_STDLIB) and not is_installed(path)


def distributions_of(top: str) -> dict[str, str]:
    """The distributions that bring a package, with their versions."""
    return {name: _version(name) for name in _distributions().get(top, ())}


@functools.lru_cache(maxsize=1024)
def _version(distribution: str) -> str:
    return metadata.version(distribution)


@functools.lru_cache(maxsize=1)
def _distributions() -> dict[str, list[str]]:
    return {top: sorted(set(names)) for top, names in metadata.packages_distributions().items()}


@functools.lru_cache(maxsize=1)
def version_of_assay() -> str:
    """Assay counts by its version, and where it is worked on by all its files: to follow them would take seconds."""
    version = _version(OWN_NAME)
    folder = Path(__file__).parents[2]
    if is_installed(str(folder)):
        return version
    files = sorted(folder.rglob("*.py"))
    return f"{version}+{digest([digest_bytes(path.read_bytes()) for path in files])[:12]}"


def modules_under(top: str) -> list[str]:
    """The names of all modules of a package, by the files in its folders."""
    source = source_of(top)
    names = {top}
    for folder in source.folders if source else ():
        for path in Path(folder).rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            names.add(".".join([top, *(parts[:-1] if parts[-1] == "__init__" else parts)]))
    return sorted(names)


def fingerprint(source: str | bytes) -> str:
    """Hash of the syntax tree: white space, comments and docstrings do not count. SyntaxError for no Python."""
    return _fingerprint(_without_docstrings(ast.parse(source)).body)


def signature(path: str) -> Signature:
    """What stays the same while a file does: its state on disk, or its content while it is young."""
    stat = os.stat(path)  # noqa: PTH116 - called for every file of every remembered step
    if time.time_ns() - stat.st_ctime_ns < _SETTLED_NS:
        return (path, digest_bytes(Path(path).read_bytes()))
    return (path, stat.st_ino, stat.st_ctime_ns, stat.st_size)


def parsed(path: str, module: str, is_package: bool) -> Parsed:
    """What a file defines, read again where it changed."""
    return _parsed(signature(path), path, module, is_package)


@functools.lru_cache(maxsize=4096)
def _parsed(_signature: Signature, path: str, module: str, is_package: bool) -> Parsed:
    content = Path(path).read_bytes()
    try:
        tree = ast.parse(content) if path.endswith(".py") else None
        codes = _codes(compile(content, path, "exec", dont_inherit=True)) if tree else {}
    except (SyntaxError, ValueError):
        tree = None
    if tree is None:  # compiled, or not Python as this version reads it: every byte counts
        whole = digest_bytes(content)
        return Parsed(whole, whole)
    _without_docstrings(tree)
    without_options(tree)
    found = Parsed(_fingerprint(tree.body))
    _define(found, tree, "", module, is_package, codes)
    statements = [kept for node in tree.body for kept in _statements(node)]
    found.statements = _fingerprint(statements) if statements else None
    found.references = references_of(statements, module, is_package)
    found.everything = references_of([node for node in tree.body if not names_main(node)], module, is_package)
    for node in _outside_functions(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            _bind_import(found, node, module, is_package)
    for node in tree.body:
        found.literals.update(_assigned(node))
    return found


def _statements(node: ast.stmt) -> list[ast.stmt]:
    """What a statement of a module does besides importing and defining."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass):
        return []
    if isinstance(node, ast.If) and names_type_checking(node):
        return [kept for other in node.orelse for kept in _statements(other)]
    return [] if names_main(node) else [node]


def _outside_functions(tree: ast.AST) -> list[ast.AST]:
    """The nodes that importing the module runs."""
    found: list[ast.AST] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not names_main(node):
            waiting += executed(node)
    return found


def _bind_import(found: Parsed, node: ast.Import | ast.ImportFrom, module: str, is_package: bool) -> None:
    single = references_of([node], module, is_package)
    found.references.modules |= single.modules
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            found.imported[alias.asname or top] = (alias.name if alias.asname else top, ())
        return
    base = min(single.modules, key=len)
    for alias in node.names:
        if alias.name == "*":
            found.stars.append(base)
        else:
            found.imported[alias.asname or alias.name] = (base, (alias.name,))


def _define(
    found: Parsed, node: ast.AST, prefix: str, module: str, is_package: bool, codes: dict[str, list[str]]
) -> None:
    """Note every function and class below a node by its qualified name, as `__qualname__` has it."""
    for child in executed(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            _define(found, child, prefix, module, is_package, codes)
            continue
        name = f"{prefix}{child.name}"
        known = found.definitions.setdefault(name, [])
        is_class = isinstance(child, ast.ClassDef)
        code = None if is_class else next(iter(codes.get(name, [])[len(known) :]), None)
        literals = {key: value for line in child.body for key, value in _assigned(line).items()}
        known.append(
            Definition(
                _fingerprint([child]),
                references_of([child], module, is_package),
                code,
                literals if isinstance(child, ast.ClassDef) else _defaults(child),
            )
        )
        _define(found, child, f"{name}." if is_class else f"{name}.<locals>.", module, is_package, codes)


def _defaults(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, object]:
    positional = [*node.args.posonlyargs, *node.args.args]
    pairs = list(zip(reversed(positional), reversed(node.args.defaults), strict=False))
    pairs += [(arg, value) for arg, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
    return {arg.arg: value for arg, default in pairs for value in _literal(default)}


def _assigned(node: ast.stmt) -> dict[str, object]:
    """Names that a statement sets to what it says outright."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return {name: literal for name in names for literal in _literal(value)} if value is not None else {}


def _literal(node: ast.expr) -> list[object]:
    try:
        return [ast.literal_eval(node)]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return []


def _codes(module: CodeType) -> dict[str, list[str]]:
    """What every function of a module compiles to, by qualified name, in the order of the file."""
    found: dict[str, list[str]] = {}
    waiting = [module]
    while waiting:
        code = waiting.pop()
        found.setdefault(code.co_qualname, []).append(digest(compiled(code)))
        waiting += [constant for constant in reversed(code.co_consts) if isinstance(constant, CodeType)]
    return found


def importable_name(module: str) -> str:
    """The name under which others import a module: that of its file where it is the program itself."""
    if module != "__main__":
        return module
    main = sys.modules.get("__main__")
    spec, path = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None and not spec.name.endswith("__main__"):
        return str(spec.name)
    return Path(path).stem if path and spec is None else module


def compiled(code: CodeType) -> list[object]:
    """What a code object does, without the lines it stands on and the folder it lies in."""
    constants = [compiled(c) if isinstance(c, CodeType) else [type(c).__name__, _stable(c)] for c in code.co_consts]
    return [code.co_code.hex(), list(code.co_names), list(code.co_varnames), list(code.co_freevars), constants]


def _stable(constant: object) -> str:
    """The text of a constant; the order of a set differs from process to process."""
    if isinstance(constant, frozenset):
        return repr(sorted(map(repr, constant)))
    return repr(constant)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _has_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _fingerprint(nodes: list[ast.stmt]) -> str:
    return digest([ast.dump(node, annotate_fields=False) for node in nodes])
