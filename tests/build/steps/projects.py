"""Small projects on disk, as a user would have them: written, imported, edited, imported again."""

import importlib
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.build.steps.closure import code_of


class Project:
    """A folder on the path of imports whose modules are imported anew each time they are asked for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it cannot tell two edits within one second

    def write(self, files: dict[str, str | bytes]) -> None:
        """Write files by their path in the project; text loses its common indentation."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file, which must be there."""
        before = (self.folder / name).read_text()
        assert old in before
        (self.folder / name).write_text(before.replace(old, new))

    def function(self, module: str = "pkg.steps", name: str = "work") -> Callable[..., Any]:
        """The function as a fresh process would import it."""
        self.forget()
        importlib.invalidate_caches()
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return found

    def code(self) -> dict[str, str]:
        """The code components of `pkg.steps.work`, freshly imported."""
        return code_of(self.function()).components

    def forget(self) -> None:
        """Take every module of the project out of memory."""
        tops = {path.stem for path in self.folder.iterdir()}
        for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
            del sys.modules[name]
