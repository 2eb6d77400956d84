"""The code a step depends on: its module and every project module that one imports, without comments.

The grain is the module: a change in any function of a module that a step can reach makes its steps run again. Rather
run again than be wrong. Modules of installed packages count by the version of their distribution. Imports count
wherever they stand, also where they have not been executed yet; importing by a computed name is not seen.
"""

import ast
import functools
import inspect
import os
import sys
import sysconfig
import textwrap
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

from assay.errors import InvalidInput
from assay.record.canonical import digest, digest_bytes

__all__ = ["code_of", "code_of_modules", "fingerprint"]

_STDLIB = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
_INSTALLED = tuple(f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))
_DEFINITIONS: "weakref.WeakKeyDictionary[Callable[..., object], str]" = weakref.WeakKeyDictionary()
_SETTLED_NS = 2_000_000_000  # a file changed later than this before now may change again within one tick of its clock


class _Source(NamedTuple):
    """Where a module comes from; `path` is None for built-in modules and for folders without `__init__.py`."""

    path: str | None
    is_package: bool


def code_of(function: Callable[..., object]) -> dict[str, str]:
    """Components of the key: `module name -> fingerprint` and `distribution== -> version`.

    `def` is the function's own text, which tells functions of one name in one module apart; without a source (a
    prompt) it is the compiled code.
    """
    found: dict[str, str] = {}
    _visit(function.__module__, found, own_package=function.__module__.partition(".")[0])
    if function.__name__ == "<lambda>":
        raise InvalidInput("a lambda cannot be a step", expected="a function with a name", hint="write it with def")
    if function not in _DEFINITIONS:
        _DEFINITIONS[function] = _definition(function)
    found["def"] = _DEFINITIONS[function]
    return dict(sorted(found.items()))


def code_of_modules(names: Iterable[str]) -> dict[str, str]:
    """The same for modules by name, each with what it imports."""
    found: dict[str, str] = {}
    for name in names:
        _visit(name, found, own_package="")
    return dict(sorted(found.items()))


def fingerprint(source: str | bytes) -> str:
    """Hash of the syntax tree: white space, comments and docstrings do not count. SyntaxError for no Python."""
    return _fingerprint(ast.parse(source))


def _fingerprint(tree: ast.Module) -> str:
    """Of a tree, which loses its docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _has_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return digest(ast.dump(tree, annotate_fields=False))


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _definition(function: Callable[..., object]) -> str:
    try:
        return fingerprint(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return digest(_compiled(inspect.unwrap(function).__code__))


def _compiled(code: CodeType) -> list[object]:
    """What a code object does, without the lines it stands on."""
    constants = [_compiled(c) if isinstance(c, CodeType) else [type(c).__name__, repr(c)] for c in code.co_consts]
    return [code.co_code.hex(), list(code.co_names), list(code.co_varnames), list(code.co_freevars), constants]


def _visit(name: str, found: dict[str, str], own_package: str) -> None:
    """Add a module and what it imports; `own_package` is followed even where it is installed."""
    if name in found:
        return
    source = _source_of(name)
    if source is None:  # no module: a name inside one, or something that is not installed
        return
    top, _, _ = name.partition(".")
    parent, _, _ = name.rpartition(".")
    if parent:  # importing a.b runs a/__init__.py first
        _visit(parent, found, own_package)
    path = source.path
    if path is None and name == "__main__":
        _visit_prompt(found, own_package)
    if path is None or (path.startswith(_STDLIB) and not _is_installed(path)):
        return
    if top != own_package and _is_installed(path):
        _add_distribution(top, found)
        return
    found[name], imported = _read(path)
    for other in imported:
        _visit(_absolute(other, name, source.is_package), found, own_package)


def _visit_prompt(found: dict[str, str], own_package: str) -> None:
    """What was typed at a prompt or into a notebook has no file: its functions count, and what it imported."""
    content = vars(sys.modules["__main__"])
    functions: list[object] = []
    found["__main__"] = ""  # so that it is not visited again from below
    for name, value in sorted(content.items()):
        if isinstance(value, ModuleType):
            for loaded in [m for m in sys.modules if f"{m}.".startswith(f"{value.__name__}.")]:  # `import a.b` binds a
                _visit(loaded, found, own_package)
        elif getattr(value, "__module__", None) != "__main__":
            _visit(getattr(value, "__module__", None) or "", found, own_package)
        else:
            members = {name: value, **(vars(value) if isinstance(value, type) else {})}
            codes = {key: getattr(inspect.unwrap(f), "__code__", None) for key, f in members.items() if callable(f)}
            functions += [[name, key, _compiled(code)] for key, code in sorted(codes.items()) if code]
    found["__main__"] = digest(functions)


def _is_installed(path: str) -> bool:
    return any(folder in path for folder in _INSTALLED)


def _source_of(name: str) -> _Source | None:
    """Where a module is or would be imported from, without importing anything."""
    module = sys.modules.get(name)
    if module is not None:
        return _Source(getattr(module, "__file__", None), hasattr(module, "__path__"))
    spec = _spec_of(name)
    if spec is None:
        return None
    return _Source(spec.origin if spec.has_location else None, spec.submodule_search_locations is not None)


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
    return PathFinder.find_spec(name, list(folders)) if folders is not None else None


def _add_distribution(top: str, found: dict[str, str]) -> None:
    for distribution in _distributions().get(top, ()):
        found[f"{distribution}=="] = _version(distribution)


@functools.lru_cache(maxsize=1024)
def _version(distribution: str) -> str:
    return metadata.version(distribution)


@functools.lru_cache(maxsize=1)
def _distributions() -> dict[str, list[str]]:
    return {top: sorted(set(names)) for top, names in metadata.packages_distributions().items()}


def _read(path: str) -> tuple[str, tuple[str, ...]]:
    """Fingerprint of a file and what it imports, remembered as long as the file is the same."""
    stat = Path(path).stat()
    if time.time_ns() - stat.st_ctime_ns < _SETTLED_NS:
        return _parsed.__wrapped__(path, 0, 0, 0)
    return _parsed(path, stat.st_ino, stat.st_ctime_ns, stat.st_size)


@functools.lru_cache(maxsize=1024)
def _parsed(path: str, _inode: int, _changed_ns: int, _size: int) -> tuple[str, tuple[str, ...]]:
    content = Path(path).read_bytes()
    try:
        tree = ast.parse(content) if path.endswith(".py") else None
    except SyntaxError:
        tree = None
    if tree is None:  # compiled, or not Python as this version reads it: every byte counts
        return digest_bytes(content), ()
    imported = []
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            imported.append(base)
            imported += [f"{base}{'' if base.endswith('.') else '.'}{alias.name}" for alias in node.names]
    return _fingerprint(tree), tuple(imported)


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`, which no program runs."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and getattr(node.test, "attr", getattr(node.test, "id", None)) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _absolute(name: str, importer: str, is_package: bool) -> str:
    if not name.startswith("."):
        return name
    level = len(name) - len(name.lstrip("."))
    package = importer if is_package else importer.rpartition(".")[0]
    base = package.split(".")[: len(package.split(".")) - (level - 1)]
    return ".".join([*base, name.lstrip(".")]).rstrip(".")
