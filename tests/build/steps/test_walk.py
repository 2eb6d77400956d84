"""What a step reaches, and what it does not: edits, patches, registries, libraries, and what cannot be followed."""

import importlib
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from tests.build.steps.projects import Project

from assay.build.steps.closure import code_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path, monkeypatch)
    yield made
    made.forget()


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The components that differ, or are on one side only."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


LAYERED: dict[str, str | bytes] = {
    "pkg/__init__.py": "",
    "pkg/base.py": """
        class Base:
            factor = 1
            def apply(self, x): return x * self.factor
    """,
    "pkg/settings.py": """
        LIMIT = 10
        TABLE = {"a": 1}
        UNUSED = lambda: None
    """,
    "pkg/helper.py": """
        import functools
        def traced(level):
            def around(f):
                @functools.wraps(f)
                def inner(*args): return f(*args)
                return inner
            return around
        @traced(1)
        def helped(x, by=2):
            # why
            return x + by
        def unrelated(x): return x
    """,
    "pkg/steps.py": """
        from pkg.base import Base
        from pkg import helper, settings
        class Mine(Base):
            def extra(self): return 0
        def work(x):
            return Mine().apply(helper.helped(x)) + settings.LIMIT + settings.TABLE["a"]
    """,
}
TRACED = {f"pkg.helper:traced{inner}" for inner in ("", ".<locals>.around.<locals>.inner")}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("helper", "x + by", "x - by", {"pkg.helper:helped"}),
        ("helper", "by=2", "by=3", {"pkg.helper:helped"}),
        ("helper", "@traced(1)", "@traced(2)", {"pkg.helper:helped"}),
        ("helper", "return f(*args)", "return [f(*args)]", TRACED),
        ("base", "x * self.factor", "x + self.factor", {"pkg.base:Base"}),
        ("base", "factor = 1", "factor = 2", {"pkg.base:Base"}),
        ("steps", "return 0", "return 1", {"pkg.steps:Mine"}),
        ("settings", "LIMIT = 10", "LIMIT = 11", {"pkg.settings:LIMIT", "pkg.settings:(statements)"}),
        ("helper", "# why", "# because", set()),
        ("helper", "# why", "'Why.'\n    # and more", set()),
        ("helper", "return x + by", "return (x  +  by)", set()),
        ("helper", "unrelated(x): return x", "unrelated(x): return 1", set()),
    ],
)
def test_what_is_reached_counts_and_nothing_else(
    project: Project, file: str, old: str, new: str, expected: set[str]
) -> None:
    project.write(LAYERED)
    before = project.code()
    project.edit(f"pkg/{file}.py", old, new)
    assert changed(before, project.code()) == expected


@pytest.mark.parametrize(
    "patches",
    [
        "from pkg import base\ndef apply(self, x): return x * 100\nbase.Base.apply = apply\n",
        "from pkg import base\nbase.Base.factor = 3\n",
        "from pkg import settings\nsettings.TABLE['a'] = 2\n",
        "from pkg import settings\nsettings.LIMIT = 12\n",
        "from pkg import helper\ndef other(x): return x\nhelper.helped = other\n",
    ],
)
def test_a_patch_by_a_module_that_the_step_never_names_counts(project: Project, patches: str) -> None:
    project.write({**LAYERED, "patches.py": patches})
    work = project.function()
    before = code_of(work)
    assert code_of(work) is before, "nothing was looked at again"
    importlib.import_module("patches")
    assert changed(before.components, code_of(work).components)


def test_a_module_imported_for_its_effect_counts_by_its_statements(project: Project) -> None:
    project.write({**LAYERED, "pkg/patches.py": "import json\njson.encoder.ITEM = 1\ndef unused(): return 1\n"})
    project.edit("pkg/helper.py", "import functools", "import functools, pkg.patches")
    before = project.code()
    project.edit("pkg/patches.py", "return 1", "return 2")
    assert project.code() == before
    project.edit("pkg/patches.py", "ITEM = 1", "ITEM = 2")
    assert changed(before, project.code()) == {"pkg.patches:(statements)"}


def test_what_only_runs_as_a_script_does_not_count(project: Project) -> None:
    project.write({**LAYERED})
    before = project.code()
    project.write(
        {"pkg/settings.py": f"{LAYERED['pkg/settings.py']!s}\n        if __name__ == '__main__': LIMIT = 3\n"}
    )
    assert project.code() == before


def test_a_registry_counts_with_the_functions_in_it(project: Project) -> None:
    project.write(
        {
            "pkg/registry.py": "KNOWN = {}\ndef known(f):\n    KNOWN[f.__name__] = f\n    return f\n",
            "pkg/plugin.py": "from pkg.registry import known\n@known\ndef one(x): return x + 1\n",
            "pkg/steps.py": "import pkg.plugin\nfrom pkg.registry import KNOWN\ndef work(x): return KNOWN['one'](x)\n",
        }
    )
    before = project.code()
    project.edit("pkg/plugin.py", "x + 1", "x + 2")
    assert changed(before, project.code()) == {"pkg.plugin:one"}


def test_a_library_counts_where_it_is_reached_and_not_where_it_is_only_imported(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write({"pkg/steps.py": "import numpy, pyarrow\ndef work(x): return numpy.sum(x)\n"})
    before = project.code()
    assert {name for name in before if name.endswith("==")} == {"numpy=="}
    for upgraded, expected in (("pyarrow", set()), ("numpy", {"numpy=="})):
        monkeypatch.setattr(
            "assay.build.steps.modules._version",
            lambda name, new=upgraded: "9.9" if name == new else metadata.version(name),
        )
        assert changed(before, project.code()) == expected


@pytest.mark.parametrize(
    ("body", "said", "package"),
    [
        ("return getattr(x, 'a' + x)", "module: computed getattr at line 4", False),
        ("return globals()['other'](x)", "module: globals() at line 4", False),
        ("return eval('other(x)')", "package: eval() at line 4", True),
        ("exec('other(x)')", "package: exec() at line 4", True),
        ("return __import__(x)", "package: __import__() at line 4", True),
        ("return LOCK", "module: LOCK is a lock, which cannot be encoded", False),
    ],
)
def test_what_cannot_be_followed_widens_and_says_why(project: Project, body: str, said: str, package: bool) -> None:
    before_it = "import threading\nLOCK = threading.Lock()\n"
    project.write(
        {
            "pkg/__init__.py": "",
            "pkg/far.py": "def far(x): return 1\n",
            "pkg/steps.py": f"{before_it}def work(x):\n    {body}\ndef other(x): return 1\n",
        }
    )
    before = code_of(project.function())
    assert f"pkg.steps widened to {said}" in before.widened
    project.edit("pkg/steps.py", "return 1", "return 2")
    after = project.code()
    assert "pkg.steps:(whole)" in changed(before.components, after)
    project.edit("pkg/far.py", "return 1", "return 2")
    assert bool(changed(after, project.code())) == package


def test_a_getattr_with_a_name_in_it_does_not_widen(project: Project) -> None:
    project.write({"pkg/steps.py": "def work(x): return getattr(x, 'real')\n"})
    assert code_of(project.function()).widened == []


def test_a_module_used_as_a_value_is_taken_whole(project: Project) -> None:
    project.write({**LAYERED, "pkg/steps.py": "from pkg import helper\ndef work(x): return vars(helper)[x]\n"})
    found = code_of(project.function())
    assert found.widened == ["pkg.helper widened to module: the module is used as a value"]
    assert "pkg.helper:(whole)" in found.components


def test_a_name_that_a_star_import_may_bring_takes_the_module_whole(project: Project) -> None:
    steps = "def work(x):\n    from pkg.middle import helped\n    return helped(x)\n"
    project.write({**LAYERED, "pkg/middle.py": "from pkg.helper import *\n", "pkg/steps.py": steps})
    before = code_of(project.function())
    assert before.widened == ["pkg.middle widened to module: helped may come from a star import"]
    project.edit("pkg/helper.py", "x + by", "x - by")
    assert changed(before.components, project.code())


def test_the_grain_can_be_fixed_by_hand(project: Project) -> None:
    project.write(LAYERED)
    work = project.function()
    assert not any(name.endswith("(whole)") for name in code_of(work).components)
    assert "pkg.steps:(whole)" in code_of(work, "module").components
    assert code_of(work, "module").widened == ["pkg.steps widened to module: code='module'"]
    whole = {name for name in code_of(work, "package").components if name.endswith(":(whole)")}
    assert whole == {f"pkg{name}:(whole)" for name in ("", ".base", ".helper", ".settings", ".steps")}


def test_code_that_was_edited_after_it_was_loaded_is_not_taken_for_what_runs(project: Project) -> None:
    project.write(LAYERED)
    work = project.function()
    loaded = code_of(work)
    project.edit("pkg/helper.py", "x + by", "x - by")
    stale, fresh = code_of(work), code_of(project.function())
    assert loaded.components != stale.components != fresh.components != loaded.components


def test_names_that_a_function_binds_itself_are_not_the_modules(project: Project) -> None:
    source = """
        def helped(x): return 1
        def shadowed(x):
            helped = x
            return [helped for helped in x] + [lambda helped: helped]
        def after(x): return [helped for helped in x], helped(x)
        def work(x): return shadowed(x)
        def other(x): return after(x)
    """
    project.write({"pkg/steps.py": source})
    assert "pkg.steps:helped" not in project.code()
    assert "pkg.steps:helped" in code_of(project.function(name="other")).components


def test_neither_the_working_folder_nor_the_place_of_the_project_matters(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project.write(LAYERED)
    before = project.code()
    monkeypatch.chdir("/")
    assert project.code() == before
    moved = Project(tmp_path / "moved", monkeypatch)
    moved.write(LAYERED)
    project.forget()
    assert moved.code() == before
    assert sys.modules["pkg"].__file__ == str(tmp_path / "moved" / "pkg" / "__init__.py")
    moved.forget()


def test_a_key_that_was_computed_costs_microseconds(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(LAYERED)
    work = project.function()
    monkeypatch.setattr("assay.build.steps.modules._SETTLED_NS", 0)
    code_of(work)
    began = time.process_time()
    for _ in range(1000):
        code_of(work)
    assert time.process_time() - began < 0.5  # measured: 0.03 s
