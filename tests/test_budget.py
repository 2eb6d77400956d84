"""What starting costs: modules and distributions. Times are measured by the benchmarks."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
ROOMS = ("stats", "record", "build", "prove", "operate", "steer", "demo")
MOST_DISTRIBUTIONS = 30


def _imported_by(code: str) -> set[str]:
    """The modules a fresh interpreter has after the code, which may end in SystemExit."""
    program = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nsys.stderr.write('\\n'.join(sys.modules))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(ROOT / "src")
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return set(done.stderr.split())


def test_import_assay_imports_no_room_and_nothing_heavy() -> None:
    found = _imported_by("import assay")
    assert "assay" in found
    assert not found & {"numpy", "sqlalchemy", "click", "scipy", "sklearn", "pyarrow", "rich", "msgspec"}
    assert not found & {f"assay.{room}" for room in ROOMS}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["ledger", "--help"], ["runz"], []])
def test_help_imports_no_room(arguments: list[str]) -> None:
    found = _imported_by(f"from assay.cli.main import main; main({arguments!r})")
    assert "click" in found
    assert not found & {f"assay.{room}" for room in ROOMS}
    assert not found & {"numpy", "sqlalchemy", "rich", "sklearn", "scipy", "pyarrow", "msgspec", "alembic", "uvicorn"}


@pytest.mark.parametrize("command", ["runs", "ledger verify", "doctor"])
def test_the_help_of_a_command_of_the_record_needs_no_learning_library(command: str) -> None:
    found = _imported_by(f"from assay.cli.main import main; main({[*command.split(), '--help']!r})")
    assert not found & {"sklearn", "uvicorn", "assay.demo", "assay.steer"}


def test_the_core_installs_at_most_thirty_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [(Requirement(text), "") for text in project["dependencies"]]
    closure: dict[str, set[str]] = {"assay-mlops": {""}}
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        wanted = {"", *requirement.extras} - closure.get(name, set())
        closure.setdefault(name, set()).update(wanted)
        needs = [Requirement(text) for text in metadata.distribution(name).requires or []]
        waiting += [(need, option) for option in wanted for need in needs]
    assert len(closure) > 15, "the closure was computed"
    assert len(closure) <= MOST_DISTRIBUTIONS, sorted(closure)


def test_the_steps_of_the_demo_are_imported_without_the_rooms_above_them() -> None:
    found = _imported_by("import assay.demo.pipeline, assay.demo.data")
    assert "assay.build" in found
    assert not found & {"assay.prove", "assay.operate", "assay.steer", "assay.demo.operation", "jinja2", "uvicorn"}
