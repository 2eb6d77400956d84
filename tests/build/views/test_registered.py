"""Versions of feature views by content, and back from a store to what was declared."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pytest

from assay.build.data.checks import expect, in_range, values_present
from assay.build.steps.closure import code_of
from assay.build.views.declared.aggregates import mean
from assay.build.views.declared.history import source_rows
from assay.build.views.declared.view import DEFINED, FeatureView, feature_view
from assay.build.views.registry import declaration
from assay.build.views.registry.declaration import KeptFunction
from assay.build.views.registry.registered import find_view, register, view_of, view_versions
from assay.errors import InvalidInput, NotFound
from assay.record.changes import changes
from assay.record.datasets import dataset_versions
from assay.record.location import open_store
from assay.record.sqlstore import SqlStore

ROOT = Path(__file__).parents[3]
TABLE = pa.table({"id": [1, 2], "at": [datetime(2024, 1, 1), datetime(2024, 1, 2)], "amount": [1.5, None]})
COMMON: dict[str, Any] = {"entity": "id", "time": "at"}
FILE = '''
import assay
import pyarrow.compute as pc

RATE = 2


def scaled(values):
    """By the rate."""
    return pc.multiply(values, RATE)


def unused():
    return 1


@assay.feature_view(entity="id", source="orders.csv", time="at", ttl="30d", description="one")
def spend(orders):
    """What was spent."""
    return orders.append_column("scaled", scaled(orders["amount"]))
'''


@pytest.fixture(autouse=True)
def _own_names() -> Iterator[None]:
    before = dict(DEFINED)
    DEFINED.clear()
    yield
    DEFINED.clear()
    DEFINED.update(before)


class Project:
    """A folder with a file of views, imported anew each time as another process would."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.text = folder, FILE
        csv.write_csv(TABLE, folder / "orders.csv")

    def view(self, *changes: tuple[str, str]) -> FeatureView:
        for before, after in changes:
            assert before in self.text
            self.text = self.text.replace(before, after)
        (self.folder / "shop_views.py").write_text(self.text)
        sys.modules.pop("shop_views", None)
        importlib.invalidate_caches()
        found = importlib.import_module("shop_views").spend
        assert isinstance(found, FeatureView)
        return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Project(folder)
    sys.modules.pop("shop_views", None)


def test_the_same_content_is_the_same_version(store: SqlStore) -> None:
    view = feature_view("spend", **COMMON, source=TABLE)
    first = register(store, view)
    assert (first.reference, first.feature_names) == ("spend@1", ["amount"])
    assert register(store, view).version == 1
    assert register(store, feature_view("spend", **COMMON, source=TABLE)).version == 1
    assert [one.version for one in view_versions(store, "spend")] == [1]


@pytest.mark.parametrize(
    "more",
    [
        {"ttl": "30d"},
        {"delay": "1h"},
        {"strict": True},
        {"features": ["amount"]},
        {"features": {"amount": "amount * 1"}},
        {"features": {"week": mean("amount", over="7d")}},
        {"source": TABLE.append_column("more", pa.array([1, 2]))},
        {"source": TABLE.set_column(2, "amount", pa.array([1, 2]))},
        {"source": TABLE.append_column("known", TABLE["at"]), "created": "known"},
    ],
    ids=str,
)
def test_what_decides_values_makes_another_version(store: SqlStore, more: dict[str, Any]) -> None:
    register(store, feature_view("spend", **COMMON, source=TABLE))
    found = register(store, feature_view("spend", **{**COMMON, "source": TABLE, **more}))
    assert found.version == 2
    assert find_view(store, "spend").version == 2


def test_what_is_only_said_of_a_view_makes_no_other_version_and_is_kept_with_who_changed_it(store: SqlStore) -> None:
    register(store, feature_view("spend", **COMMON, source=TABLE, owner="ana"))
    said: dict[str, Any] = {
        "owner": "ben",
        "description": "all",
        "tags": ["money"],
        "fresh": "1d",
        "checks": [in_range("amount", low=0)],
    }
    found = register(store, feature_view("spend", **COMMON, source=TABLE, **said))
    assert found.version == 1
    view = view_of(find_view(store, "spend"))
    assert (view.owner, view.description, view.tags, view.fresh_us) == ("ben", "all", ("money",), 86_400_000_000)
    noted = {row["what"]: (row["before"], row["after"]) for row in changes(store, "feature_view", "spend@1")}
    assert noted["owner"] == ("ana", "ben")
    assert set(noted) == {"owner", "description", "tags", "fresh", "checks"}


def test_a_view_comes_back_as_it_was_declared(store: SqlStore) -> None:
    known = TABLE.append_column("known", TABLE["at"])
    one = feature_view("spend", **COMMON, source=known, created="known", ttl="30d", delay="1h", strict=True,
                       features={"a": "amount * 2", "b": "amount + 1"}, owner="ana", tags=["x", "y"], fresh="2h",
                       checks=[in_range("amount", low=0), values_present("id")])  # fmt: skip
    two = feature_view(
        "week", **COMMON, source=TABLE, features={"m": mean("amount", over="7d")}, event=["id", "amount"]
    )
    for view in (one, two):
        back = view_of(register(store, view))
        for name in vars(view):
            if name not in ("source", "expressions", "aggregates"):
                assert getattr(back, name) == getattr(view, name), name
        assert list(back.expressions.items()) == list(view.expressions.items()), "in their order"
        assert list(back.aggregates.items()) == list(view.aggregates.items())
        assert source_rows(back, store).num_rows == 2


def test_checks_that_are_functions_are_refused_and_nothing_is_kept(store: SqlStore) -> None:
    view = feature_view("spend", **COMMON, source=TABLE, checks=[expect("odd", lambda _: True)])
    with pytest.raises(InvalidInput, match="cannot be written down"):
        register(store, view)
    assert view_versions(store) == []
    assert dataset_versions(store) == []


def test_a_window_over_values_that_cannot_be_added_is_refused_and_nothing_is_kept(store: SqlStore) -> None:
    texts = TABLE.append_column("kind", pa.array(["a", "b"]))
    with pytest.raises(InvalidInput, match=r"'m' of 'spend' is mean\(kind\) over 7d, and that column is of type"):
        register(store, feature_view("spend", **COMMON, source=texts, features={"m": mean("kind", over="7d")}))
    assert (view_versions(store), dataset_versions(store)) == ([], [])


def test_a_view_without_a_feature_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="the feature view 'spend' gives no features"):
        register(store, feature_view("spend", **COMMON, source=TABLE.select(["id", "at"])))


def test_tables_in_memory_are_kept_as_datasets_each_under_a_name_of_its_own(store: SqlStore) -> None:
    def both(orders: pa.Table, items: pa.Table) -> pa.Table:
        return orders.append_column("items", pa.array([items.num_rows] * 2))

    view = feature_view(**COMMON, source={"orders": TABLE, "items": TABLE.slice(0, 1)})(both)
    version = register(store, view)
    assert version.declared.source == {"orders": "both.orders", "items": "both.items"}
    assert {one.name: one.rows for one in dataset_versions(store)} == {"both.orders": 2, "both.items": 1}
    assert source_rows(view_of(version), store)["items"].to_pylist() == [1, 1]


def test_a_name_that_is_not_there_is_told_with_the_nearest(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="features register FILE"):
        find_view(store, "spend")
    register(store, feature_view("spend", **COMMON, source=TABLE))
    with pytest.raises(NotFound, match="did you mean 'spend'"):
        find_view(store, "spent")
    with pytest.raises(NotFound, match="no version 7"):
        find_view(store, "spend@7")
    for nothing in ("", "@1"):
        with pytest.raises(NotFound):
            find_view(store, nothing)


def test_what_was_seen_of_its_rows_is_kept_with_the_version(store: SqlStore) -> None:
    seen = register(store, feature_view("spend", **COMMON, source=TABLE)).seen
    assert seen is not None
    assert (seen.rows, seen.nulls["amount"]) == (2, 1)
    assert seen.newest_us == int(datetime(2024, 1, 2).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("change", "version"),
    [
        (("RATE = 2", "RATE = 3"), 2),
        (("multiply(values, RATE)", "add(values, RATE)"), 2),
        (('"scaled", scaled', '"by_rate", scaled'), 2),
        (("return 1", "return 2"), 1),
        (('"""By the rate."""', '"""By what is asked."""'), 1),
        (('"""What was spent."""', '"""Money."""'), 1),
        (('description="one"', 'description="two", owner="ana"'), 1),
        (("scaled(values):", "scaled(values):  # a remark"), 1),
        (('ttl="30d"', 'ttl="31d"'), 2),
    ],
    ids=str,
)
def test_a_version_is_the_code_that_its_function_reaches(
    store: SqlStore, project: Project, change: tuple[str, str], version: int
) -> None:
    assert register(store, project.view()).version == 1
    assert register(store, project.view(change)).version == version


def test_another_version_of_a_library_makes_no_version_and_is_noted(
    store: SqlStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = register(store, project.view())
    assert first.declared.code is not None
    assert first.declared.code.libraries == {"pyarrow": pa.__version__}
    view = project.view()
    assert view.function is not None
    found = code_of(view.function)
    newer = found._replace(components={**found.components, "pyarrow==": "99.0"})
    monkeypatch.setattr(declaration, "code_of", lambda _: newer)
    again = register(store, view)
    assert again.version == 1
    assert again.declared.code is not None
    assert again.declared.code.libraries == {"pyarrow": "99.0"}
    (noted,) = changes(store, "feature_view", "spend@1")
    assert (noted["what"], noted["before"], noted["after"]) == (
        "libraries",
        f"pyarrow {pa.__version__}",
        "pyarrow 99.0",
    )


def test_a_project_that_moved_has_the_same_versions_and_finds_its_source(
    store: SqlStore, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = register(store, project.view())
    assert first.declared.source == "orders.csv"
    monkeypatch.chdir(tmp_path)
    assert source_rows(view_of(first), store).num_rows == 2, "relative to where it was registered"
    moved = project.folder.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(moved)
    sys.modules.pop("shop_views")
    DEFINED.clear()  # another process
    assert source_rows(view_of(first), store).num_rows == 2, "relative to here"
    project.folder = moved
    again = register(store, project.view())
    assert again.version == 1
    assert again.declared.folder == str(moved)


def test_rows_that_are_kept_need_no_code_and_its_function_is_found_when_it_is_called(
    store: SqlStore, project: Project
) -> None:
    first = register(store, project.view())
    changed = project.view(("RATE = 2", "RATE = 5"))
    old = view_of(first)
    assert (old.ttl_us, old.entity) == (30 * 86_400_000_000, ("id",))
    with pytest.raises(InvalidInput, match=r"the code of the feature view spend@1 is another one by now"):
        source_rows(old, store)
    second = register(store, changed)
    assert source_rows(view_of(second), store)["scaled"].to_pylist() == [7.5, None]


def test_a_view_is_loaded_back_in_another_process(store: SqlStore, project: Project, tmp_path: Path) -> None:
    register(store, project.view())
    code = (
        "import assay; from assay.build.views.declared.history import source_rows\n"
        "from assay.build.views.registry.registered import find_view, view_of\n"
        f"store = assay.open_store({str(tmp_path / 'store')!r})\n"
        "print(source_rows(view_of(find_view(store, 'spend')), store)['scaled'].to_pylist())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[3.0, None]"), done.stderr


def test_a_view_of_a_program_is_the_same_version_as_when_it_is_imported(project: Project, tmp_path: Path) -> None:
    project.view()
    program = (
        "\nimport sys\nif __name__ == '__main__':\n    assay.features.register(assay.open_store(sys.argv[1]), spend)\n"
    )
    (project.folder / "shop_views.py").write_text(FILE + program)
    place = str(tmp_path / "store")
    open_store(place).close()
    done = subprocess.run(
        [sys.executable, "shop_views.py", place],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    store = open_store(place)
    try:
        version = find_view(store, "spend")
        assert version.declared.code is not None
        assert version.declared.code.name == "shop_views.spend"
        assert source_rows(view_of(version), store)["scaled"].to_pylist() == [3.0, None]
        project.text = FILE + program
        assert register(store, project.view()).version == 1
    finally:
        store.close()


def test_a_function_inside_another_or_in_a_notebook_works_here_and_says_elsewhere_why_not(store: SqlStore) -> None:
    def local(orders: pa.Table) -> pa.Table:
        return orders

    version = register(store, feature_view(**COMMON, source=TABLE)(local))
    assert source_rows(view_of(version), store).num_rows == 2, "in this process"
    DEFINED.clear()  # another process
    with pytest.raises(InvalidInput, match="was declared inside another function, and not in this process"):
        source_rows(view_of(version), store)
    code = version.declared.code
    assert code is not None
    notebook = KeptFunction(type(code)("__main__", "spend", None, code.hash, {}, {}, ""), "spend@1")
    with pytest.raises(InvalidInput, match="was declared in a notebook or a shell"):
        notebook(TABLE)


def test_a_file_that_is_gone_is_told_with_its_place(store: SqlStore, project: Project) -> None:
    version = register(store, project.view())
    DEFINED.clear()
    sys.modules.pop("shop_views")
    (project.folder / "shop_views.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(InvalidInput, match="cannot be imported: ModuleNotFoundError") as refused:
        source_rows(view_of(version), store)
    assert refused.value.where == str(project.folder / "shop_views.py")


def test_registering_what_came_back_is_the_same_version(store: SqlStore, project: Project) -> None:
    register(store, project.view())
    DEFINED.clear()
    assert register(store, view_of(find_view(store, "spend"))).version == 1


def test_the_same_on_postgresql(postgres_store: SqlStore) -> None:
    first = register(postgres_store, feature_view("spend", **COMMON, source=TABLE))
    second = register(postgres_store, feature_view("spend", **COMMON, source=TABLE, ttl="1d", owner="ana"))
    assert [one.reference for one in view_versions(postgres_store)] == ["spend@2", "spend@1"]
    assert (first.version, view_of(second).ttl_us) == (1, 86_400_000_000)
