import importlib
import pkgutil
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from typing import assert_type

import pytest

import assay
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import RunSummary

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    found.name for found in pkgutil.walk_packages(assay.__path__, "assay.") if "migrations" not in found.name
)
MODULES = [name for name in MODULES if name != "assay.__main__"]
ROOMS = ["build", "cli", "demo", "operate", "prove", "record", "server", "stats", "steer"]


def _order(name: str) -> tuple[int, str]:
    """Constants, then types, then functions, as the linter sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("name", ["assay", *MODULES])
def test_public_names_are_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), "a module says what it is"
    assert list(module.__all__) == sorted(set(module.__all__), key=_order)
    for public in module.__all__:
        assert getattr(module, public) is not None
        assert not public.startswith("_")


@pytest.mark.parametrize("name", ["assay", *MODULES])
def test_what_is_public_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    for public in module.__all__:
        found = getattr(module, public)
        if isinstance(found, types.FunctionType | type) and found.__module__.startswith("assay."):
            assert found.__doc__, f"{name}.{public}"


def test_the_face_is_what_the_rooms_offer() -> None:
    listed = [name for names in assay._ROOMS.values() for name in names]
    assert sorted(listed) == assay.__all__
    for room, names in assay._ROOMS.items():
        assert names == sorted(names)
        assert set(names) <= set(importlib.import_module(f"assay.{room}").__all__)


def test_a_name_of_the_face_is_never_a_module_whatever_was_imported() -> None:
    for name in MODULES:
        importlib.import_module(name)
    for name in assay.__all__:
        assert getattr(assay, name) is getattr(importlib.import_module(f"assay.{assay._ROOM_OF[name]}"), name)
        assert not isinstance(getattr(assay, name), types.ModuleType), name
    for room in ROOMS:
        package = importlib.import_module(f"assay.{room}")
        assert not [name for name in package.__all__ if isinstance(getattr(package, name), types.ModuleType)]


def test_the_face_of_feature_views_is_loaded_when_it_is_asked_for() -> None:
    code = "import sys, assay; before = 'assay.features' in sys.modules; assay.features.register; print(before)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
    assert assay.features.__all__ == sorted(assay.features._PLACES)
    with pytest.raises(AttributeError, match=r"'assay\.features' has no attribute 'regster'"):
        _ = assay.features.regster


def test_dir_lists_the_face_and_what_is_there_anyway() -> None:
    assert set(assay.__all__) | {"__version__", "__doc__"} <= set(dir(assay))
    assert dir(assay) == sorted(dir(assay))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'assay' has no attribute 'promot'"):
        _ = assay.promot
    code = "from assay import promot"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "cannot import name 'promot' from 'assay'" in done.stderr


def test_a_star_import_gives_the_face() -> None:
    names: dict[str, object] = {}
    exec("from assay import *", names)  # in a dictionary of its own
    assert set(assay.__all__) <= names.keys()


def test_names_of_the_face_have_types(store: SqlStore) -> None:
    assert_type(assay.list_runs(store), list[RunSummary])
    assert_type(assay.open_store(store.location), SqlStore).close()
    assert_type(assay.verify(store).sound, bool)


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert assay.__version__ == project["version"]


def test_types_of_the_package_are_announced() -> None:
    assert (Path(assay.__file__).parent / "py.typed").is_file()
