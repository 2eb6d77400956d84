"""Names of a package that are imported when they are first used, so that who needs one does not wait for all."""

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["on_demand"]


def on_demand(package: str, file: str) -> Callable[[str], object]:
    """A `__getattr__` for the package: it imports what the package's file imports where types are checked.

    That file is `file`, and the imports stand in it under `if TYPE_CHECKING:`, which is their only list.
    """
    homes: dict[str, tuple[str, str]] = {}

    def get(name: str) -> object:
        if not name.startswith("__") and not homes:
            homes.update(_homes(Path(file)))
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, own = homes[name]
        value: object = getattr(importlib.import_module(module), own)
        setattr(sys.modules[package], name, value)
        return value

    return get


def _homes(file: Path) -> dict[str, tuple[str, str]]:
    """The module of each name that is imported where types are checked, and what it is called there."""
    blocks = [one for one in ast.parse(file.read_bytes()).body if isinstance(one, ast.If)]
    imports = [one for block in blocks for one in block.body if isinstance(one, ast.ImportFrom)]
    return {
        alias.asname or alias.name: (one.module, alias.name) for one in imports if one.module for alias in one.names
    }
