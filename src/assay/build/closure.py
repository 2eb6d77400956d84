"""The code a step depends on: its module and every project module that one imports, without comments.

The grain is the module: a change in any function of a module that a step can reach makes its steps run again. Rather
run again than be wrong. Modules of installed packages count by the version of their distribution.
"""

import ast
import functools
import sys
import sysconfig
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

from assay.record.canonical import digest

__all__ = ["code_of", "fingerprint"]

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")})


def code_of(function: Callable[..., object]) -> dict[str, str]:
    """Components of the key: `module name -> fingerprint` and `distribution -> version`."""
    module = sys.modules[function.__module__]
    found: dict[str, str] = {}
    _visit(module, found, own_package=module.__name__.partition(".")[0])
    return dict(sorted(found.items()))


def fingerprint(source: str) -> str:
    """Hash of the syntax tree: white space, comments and docstrings do not count."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _has_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return digest(ast.dump(tree, annotate_fields=False))


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = node.body[0] if node.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _visit(module: ModuleType, found: dict[str, str], own_package: str) -> None:
    path = getattr(module, "__file__", None)
    name = module.__name__
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or name in found:
        return
    if path is None or not path.endswith(".py") or (top != own_package and path.startswith(_INSTALLED)):
        _add_distribution(top, found)
        return
    stat = Path(path).stat()
    found[name], imported = _parsed(path, stat.st_mtime_ns, stat.st_size)
    for other in imported:
        target = sys.modules.get(_absolute(other, module))
        if target is not None:
            _visit(target, found, own_package)


def _add_distribution(top: str, found: dict[str, str]) -> None:
    for distribution in _distributions().get(top, ()):
        found[f"{distribution}=="] = metadata.version(distribution)


@functools.lru_cache(maxsize=1)
def _distributions() -> dict[str, list[str]]:
    return {top: sorted(set(names)) for top, names in metadata.packages_distributions().items()}


@functools.lru_cache(maxsize=1024)
def _parsed(path: str, _mtime_ns: int, _size: int) -> tuple[str, tuple[str, ...]]:
    source = Path(path).read_text()
    imported = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            imported.append(base)
            imported += [f"{base}{'' if base.endswith('.') else '.'}{alias.name}" for alias in node.names]
    return fingerprint(source), tuple(imported)


def _absolute(name: str, module: ModuleType) -> str:
    if not name.startswith("."):
        return name
    level = len(name) - len(name.lstrip("."))
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    base = package.split(".")[: len(package.split(".")) - (level - 1)]
    return ".".join([*base, name.lstrip(".")]).rstrip(".")
