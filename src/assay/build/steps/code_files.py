"""A Python file of the user's as a module, loaded once under the name of the file, so that other processes find it."""

import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

from assay.errors import InvalidInput, nearest

__all__ = ["error_text", "load_file"]


def load_file(file: Path, given: str, where: str | None = None) -> ModuleType:
    """The module of a Python file, which was `given` at the place `where`. The same file is the same module.

    Its folder becomes importable, so that helpers beside it are found, here and in the processes of an executor.
    InvalidInput with the file and the line of what is wrong in it.
    """
    path = file.resolve()
    if path.suffix != ".py" or not path.is_file():
        files = sorted(one.name for one in path.parent.glob("*.py")) if path.parent.is_dir() else []
        close = nearest(path.name, files)
        raise InvalidInput(
            f"there is no Python file {given!r}", where=where, hint=f"did you mean {close!r}?" if close else None
        )
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    before = sys.modules.get(path.stem)
    if before is not None and _file_of(before) == path:
        return before  # a step is known by its module: loading it twice would make two of it
    if before is not None:
        raise InvalidInput(f"a module {path.stem!r} is there already", where=where, expected="another name")
    importlib.invalidate_caches()
    try:
        return importlib.import_module(path.stem)
    except Exception as error:  # whatever their code raises
        raise InvalidInput(f"{path.name} cannot be loaded: {error_text(error)}", where=_line_in(error, path)) from error


def error_text(error: Exception) -> str:
    """What an error of their code says, in a line."""
    if isinstance(error, ModuleNotFoundError):
        return f"it imports {error.name!r}, which is not installed"
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)  # a key is shown quoted
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _line_in(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path.name}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path.name}, line {lines[-1]}" if lines else path.name
