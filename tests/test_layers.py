"""A room imports only from rooms below it, and no two modules import each other."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src"


def test_a_room_imports_only_from_rooms_below_it() -> None:
    # In a process of its own: it configures logging, and that silences the loggers there are.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", "pyproject.toml", "--no-cache"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_modules_import_each_other_when_they_are_imported() -> None:
    graph = {name: _imports_of(name, path) for name, path in MODULES.items()}
    assert len(graph) > 50
    assert graph["assay.record.sqlstore"] >= {"assay.record.blobs", "assay.errors"}, "the check sees imports"
    assert _cycle(graph) is None


def test_a_cycle_would_be_found() -> None:
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": set()}) is None
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_every_module_can_be_imported_first() -> None:
    for name in MODULES:
        if "versions" not in name and not name.endswith(("__main__", "migrations.env")):
            importlib.import_module(name)


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in sorted((SOURCES / "assay").rglob("*.py"))}


def _imports_of(name: str, path: Path) -> set[str]:
    """Modules of ours that importing this one imports by name; `from package import module` means the module."""
    found: set[str] = set()
    for node in _executed(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else str(node.module))
    return found & MODULES.keys() - {name}


def _executed(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that run when the module is imported: not those inside functions or `if TYPE_CHECKING`."""
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found += _executed(node.orelse)
            continue
        found.append(node)
        for field in ("body", "orelse", "finalbody"):
            found += _executed(getattr(node, field, []))
        for handler in getattr(node, "handlers", []):
            found += _executed(handler.body)
    return found


def _cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """Some way from a module back to itself, None where there is none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str] | None:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return None
        for other in sorted(graph[name]):
            if found := walk(other, [*way, name]):
                return found
        done.add(name)
        return None

    for name in sorted(graph):
        if found := walk(name, []):
            return found
    return None
