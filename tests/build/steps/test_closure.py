"""Which edits make a step run again, shown on small projects."""

import subprocess
import sys
import types
from collections.abc import Iterator
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import pytest
from tests.build.steps.projects import Project

from assay.build.steps.closure import code_of, code_of_objects
from assay.build.steps.modules import fingerprint
from assay.errors import InvalidInput


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The components that differ, or are on one side only."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


HELPER = "def helped(x):\n    return x + 1\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path, monkeypatch)
    yield made
    made.forget()


def test_comments_white_space_and_docstrings_do_not_count() -> None:
    plain = "class A:\n    def f(self):\n        return 1\n"
    same = '"""Doc."""\n# why\nclass A:\n    """Doc."""\n\n    def f( self ):\n        """Doc."""\n        return (1)\n'
    assert fingerprint(plain) == fingerprint(same)
    assert fingerprint("async def f():\n    'doc'\n") == fingerprint("async def f():\n    pass\n")


@pytest.mark.parametrize(
    "edited",
    [
        "def f(x=1): return x + 2",
        "def f(x=2): return x + 1",
        "def f(x=1.0): return x + 1",
        "def f(x: int = 1): return x + 1",
        "@g\ndef f(x=1): return x + 1",
        "def f(x=1): return x + 1\nregister(f)",
        "def f(x=1):\n    x\n    'not a docstring'\n    return x + 1",
    ],
)
def test_any_other_edit_counts(edited: str) -> None:
    assert fingerprint(edited) != fingerprint("def f(x=1): return x + 1")


@pytest.mark.parametrize(
    "steps",
    [
        "import pkg.helper\ndef work(x): return pkg.helper.helped(x)",
        "import pkg.helper as h\ndef work(x): return h.helped(x)",
        "from pkg import helper\ndef work(x): return helper.helped(x)",
        "from pkg.helper import helped\ndef work(x): return helped(x)",
        "from pkg.helper import *\ndef work(x): return helped(x)",
        "from . import helper\ndef work(x): return helper.helped(x)",
        "from .helper import helped\ndef work(x): return helped(x)",
        "from .middle import helped\ndef work(x): return helped(x)",
        "def work(x):\n    from pkg.helper import helped\n    return helped(x)",
        "def work(x):\n    from . import helper\n    return helper.helped(x)",
        "def work(x):\n    import pkg.helper\n    return pkg.helper.helped(x)",
        "class A:\n    def m(self):\n        from .middle import helped\n        helped(1)\ndef work(x): return A()",
    ],
)
def test_an_edited_helper_counts_however_it_is_imported(project: Project, steps: str) -> None:
    project.write(
        {
            "pkg/__init__.py": "",
            "pkg/helper.py": HELPER,
            "pkg/middle.py": "from .helper import helped\n",
            "pkg/steps.py": steps,
        }
    )
    before = project.code()
    project.edit("pkg/helper.py", "x + 1", "x + 2")
    assert changed(before, project.code()) == {"pkg.helper:helped"}


@pytest.mark.parametrize("edit", ["# a comment", '"""A docstring."""', "\n\n"])
def test_a_comment_in_a_helper_does_not_count(project: Project, edit: str) -> None:
    project.write({"pkg/helper.py": HELPER, "pkg/steps.py": "from pkg.helper import helped as work"})
    before = project.code()
    project.write({"pkg/helper.py": f"{edit}\n{HELPER}"})
    assert project.code() == before


def test_a_helper_imported_inside_a_function_counts_before_the_function_ever_ran(project: Project) -> None:
    project.write(
        {
            "pkg/__init__.py": "",
            "pkg/helper.py": "from other.deep import y\n",
            "other/__init__.py": "",
            "other/deep.py": "y = 1\n",
            "pkg/steps.py": "def work(x):\n    from .helper import y\n    return x + y\n",
        }
    )
    work = project.function()
    before = code_of(work)
    assert "pkg.helper" not in sys.modules
    assert before.components.keys() == {"def", "pkg.steps:work", "other.deep:y", "other.deep:(statements)"}
    assert "pkg.helper" not in sys.modules, "looking must not import"
    work(1)
    assert code_of(work) == before, "nor does it matter that it ran"


def test_relative_imports_climb_out_of_a_package(project: Project) -> None:
    project.write(
        {
            "pkg/__init__.py": "",
            "pkg/helper.py": HELPER,
            "pkg/sub/__init__.py": "from .. import helper\n",
            "pkg/sub/deep.py": "from ..sub import helper\nfrom ..helper import helped\n",
            "pkg/steps.py": "from .sub import deep\ndef work(x): return deep.helped(x)\n",
        }
    )
    assert project.code().keys() == {"pkg.helper:helped", "def", "pkg.steps:work"}


@pytest.mark.parametrize("statement", ["import other.deep", "from other.deep import y", "import other.deep as d"])
def test_the_init_of_every_package_on_the_way_counts(project: Project, statement: str) -> None:
    project.write(
        {
            "pkg/__init__.py": "setting = 1\n",
            "pkg/steps.py": f"{statement}\ndef work(x): return x\n",
            "other/__init__.py": "setting = 1\n",
            "other/deep.py": "y = 1\n",
        }
    )
    before = project.code()
    project.write({"pkg/__init__.py": "setting = 2\n", "other/__init__.py": "setting = 2\n"})
    assert changed(before, project.code()) == {"pkg:(statements)", "other:(statements)"}


def test_a_module_that_nobody_imports_does_not_count(project: Project) -> None:
    project.write({"pkg/__init__.py": "", "pkg/other.py": "a = 1\n", "pkg/steps.py": "def work(x): return x\n"})
    before = project.code()
    project.edit("pkg/other.py", "1", "2")
    assert project.code() == before
    assert before.keys() == {"def", "pkg.steps:work"}


def test_the_standard_library_does_not_count_and_distributions_count_by_version(project: Project) -> None:
    source = "import json, sys, collections.abc, numpy.linalg\nimport no_such_module\nimport sklearn\n"
    project.write({"pkg/steps.py": f"def work(x):\n    {source.replace(chr(10), chr(10) + '    ')}\n"})
    found = project.code()
    assert found.pop("pkg.steps:work") == found.pop("def")
    assert found == {"numpy==": metadata.version("numpy"), "scikit-learn==": metadata.version("scikit-learn")}


def test_a_folder_without_init_is_a_package_too(project: Project) -> None:
    project.write({"pkg/helper.py": HELPER, "pkg/steps.py": "def work(x):\n    from space.inner import y\n"})
    project.write({"space/inner.py": "y = 1\n"})
    before = project.code()
    project.edit("space/inner.py", "1", "2")
    assert changed(before, project.code()) == {"space.inner:y", "space.inner:(statements)"}


def test_circular_imports_end(project: Project) -> None:
    project.write({"pkg/a.py": "import pkg.b\nb = 1\n", "pkg/b.py": "import pkg.a\na = 1\n"})
    project.write({"pkg/steps.py": "import pkg.a\ndef work(x): return work(x)\n"})
    assert project.code().keys() == {"pkg.a:(statements)", "pkg.b:(statements)", "def", "pkg.steps:work"}


@pytest.mark.parametrize("name", [f"native{EXTENSION_SUFFIXES[-1]}", "native.py"])
def test_what_cannot_be_parsed_counts_byte_by_byte(project: Project, name: str) -> None:
    project.write({"pkg/__init__.py": "", "pkg/steps.py": "def work(x):\n    import pkg.native\n"})
    project.write({f"pkg/{name}": b"print 'of old' \xff"})
    before = project.code()
    project.write({f"pkg/{name}": b"print 'of new' \xff"})
    assert changed(before, project.code()) == {"pkg.native:(statements)"}


def test_a_source_may_declare_its_encoding(project: Project) -> None:
    project.write({"pkg/steps.py": "# -*- coding: latin-1 -*-\nname = 'é'\ndef work(x): return x\n".encode("latin-1")})
    assert "pkg.steps:work" in project.code()


def test_a_file_that_has_not_changed_for_a_while_is_parsed_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write({"pkg/steps.py": "def work(x): return x\n"})
    monkeypatch.setattr("assay.build.steps.modules._SETTLED_NS", 0)
    before = project.code()
    assert project.code() == before
    project.edit("pkg/steps.py", "return x", "return 1")
    assert changed(before, project.code()) == {"def", "pkg.steps:work"}


def test_functions_of_one_name_in_one_module_are_told_apart(project: Project) -> None:
    project.write(
        {
            "pkg/steps.py": """
                def first():
                    def work(x): return x + 1
                    return work
                def work(x): return x + 2
                work, other = first(), work
            """
        }
    )
    one = project.function(name="work")
    assert code_of(one) != code_of(sys.modules["pkg.steps"].other)


def test_a_lambda_is_no_step_because_nothing_names_it() -> None:
    with pytest.raises(InvalidInput, match="a lambda cannot be a step") as raised:
        code_of(lambda x: x)
    assert raised.value.hint == "write it with def"


def test_a_library_counts_by_its_version_also_in_a_value() -> None:
    assert code_of_objects([np.ndarray, dict, len]) == {"numpy==": metadata.version("numpy")}


def test_at_a_prompt_what_was_imported_counts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write({"pkg/helper.py": HELPER, "pkg/other.py": "import numpy\na = 1\n"})
    prompt = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", prompt)
    imports = "import numpy\nfrom pkg import other\nfrom pkg.helper import helped\n"
    exec(f"{imports}def work(x): return helped(numpy.int8(other.a))", vars(prompt))
    before = code_of(prompt.work).components
    assert before.keys() == {
        "__main__:work(code object)",
        "def",
        "numpy==",
        "pkg.helper:helped",
        "pkg.other:(statements)",
        "pkg.other:a",
    }
    project.edit("pkg/helper.py", "x + 1", "x + 2")
    # What is loaded no longer is what the file says, so that the code object counts.
    assert changed(before, code_of(prompt.work).components) == {"pkg.helper:helped", "pkg.helper:helped(code object)"}
    exec("helped_by = pkg = real = 1\ndef work(x): return x.real", vars(prompt))
    assert code_of(prompt.work).components.keys() == {"__main__:work(code object)", "def"}, "an attribute is no global"
    exec("class Kept:\n    def m(self): return 1\ndef work(x): return Kept", vars(prompt))
    kept = code_of(prompt.work)
    exec("class Kept:\n    def m(self): return 2", vars(prompt))
    assert changed(kept.components, code_of(prompt.work).components) == {"__main__:Kept.m(code object)"}


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_an_import_for_types_alone_does_not_count(project: Project, test: str) -> None:
    steps = f"""
import typing
from typing import TYPE_CHECKING
if {test}:
    import pkg.helper
else:
    import pkg.other
def work(x): return x
"""
    files: dict[str, str | bytes] = {"pkg/__init__.py": "", "pkg/helper.py": "a = 1", "pkg/other.py": "b = 1"}
    project.write({**files, "pkg/steps.py": steps})
    assert project.code().keys() == {"pkg.other:(statements)", "def", "pkg.steps:work"}


def test_at_a_prompt_the_functions_that_were_typed_count() -> None:
    script = """
import json, numpy, textwrap
from textwrap import dedent
from assay.build.steps.closure import code_of
def helper(x): return numpy.int64(x + 1)
class Kept:
    def m(self): return 1
def work(x): return helper(x), Kept()
seen = [code_of(work)]
def work(x): return helper(x), Kept()
seen.append(code_of(work))
def helper(x): return numpy.int64(x + 2)
seen.append(code_of(work))
class Kept:
    def m(self): return 2
seen.append(code_of(work))
def work(x): return [helper(y) for y in (x, 1)]
seen.append(code_of(work))
assert "numpy==" in seen[0].components, seen[0]
print([seen.index(one) for one in seen])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "[0, 0, 2, 3, 4]\n", done.stderr


@pytest.mark.parametrize(
    ("imported", "decorator"),
    [
        ("import assay", "@assay.step()"),
        (
            "import assay",
            "@assay.step(resources={'num_cpus': 2}, retries=3, retry_on=(OSError,), timeout=60, backoff=2)",
        ),
        ("import assay as a", "@a.step(resources=LARGE)"),
        ("from assay import step as s", "@s(resources=LARGE)"),
    ],
)
def test_what_decides_no_result_may_change_beside_a_step(project: Project, imported: str, decorator: str) -> None:
    bare = decorator.partition("(")[0]
    body = "\nLARGE = {'num_gpus': 1}\n"
    end = "\ndef work():\n    return 1\n"
    project.write({"pkg/steps.py": imported + body + bare + end})
    before = project.code()
    project.edit("pkg/steps.py", bare, decorator)
    assert project.code() == before
    project.edit("pkg/steps.py", decorator, f"{bare}(version=2)")
    assert project.code() != before


def test_options_of_another_step_count(project: Project) -> None:
    plain = "def step(**options):\n    return lambda f: f\n@step(retries=1)\ndef work():\n    return 1\n"
    project.write({"pkg/steps.py": plain})
    before = project.code()
    project.edit("pkg/steps.py", "retries=1", "retries=2")
    assert project.code() != before
