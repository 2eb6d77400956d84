"""The functions of a project's own file."""

from pathlib import Path

import pytest

from assay.errors import InvalidInput
from assay.operate.project.code import called_with, function_of, load_code
from assay.operate.project.settings import ProjectFile, load_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ProjectFile:
    """A project whose file has a name of its own for each test: modules are loaded once a process."""
    name = f"code_{abs(hash(request.node.name)) % 10**8}"
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"{name}.py").write_text("def train(table, features, depth=3, *, label): return depth\n")
    (tmp_path / "assay.toml").write_text(
        f'name = "p"\n[data]\nsource = "p.csv"\nlabel = "y"\n[model]\ntask = "binary"\ncode = "{name}.py"\n'
        "[params]\ndepth = 4\n[policy.metrics.brier]\nmargin = 0.1\n"
    )
    return load_project(tmp_path)


def write(project: ProjectFile, text: str) -> None:
    (project.folder / str(project.model.code)).write_text(text)


def test_a_function_gets_what_it_asks_for_by_name_and_its_params(project: ProjectFile) -> None:
    module = load_code(project)
    assert module is not None
    assert load_code(project) is module
    train = function_of(project, module, "train", needed=True)
    assert train is not None
    given = {"table": "t", "features": ["x"], "label": "y", "seed": 1}
    assert called_with(project, train, given, {"depth": 5}) == {
        "table": "t",
        "features": ["x"],
        "label": "y",
        "depth": 5,
    }
    assert function_of(project, module, "prepare", needed=False) is None


def test_a_param_that_nothing_takes_is_told_with_the_nearest(project: ProjectFile) -> None:
    module = load_code(project)
    assert module is not None
    train = function_of(project, module, "train", needed=True)
    assert train is not None
    with pytest.raises(InvalidInput, match="train takes no param 'deph'") as caught:
        called_with(project, train, {"table": 1, "features": 1, "label": 1}, {"deph": 5})
    assert caught.value.hint == "did you mean 'depth'?"
    with pytest.raises(InvalidInput, match="train asks for 'label', which nothing gives"):
        called_with(project, train, {"table": 1, "features": 1}, {})


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("x = 1\ndef train(:", "SyntaxError", ", line 2"),
        ("import no_such_library", "it imports 'no_such_library', which is not installed", ", line 1"),
        ("x = 1\n\ny = x / 0", "ZeroDivisionError: division by zero", ", line 3"),
    ],
)
def test_code_that_cannot_be_loaded_is_told_with_its_line(
    text: str, what: str, line: str, project: ProjectFile
) -> None:
    write(project, text)
    with pytest.raises(InvalidInput) as caught:
        load_code(project)
    assert what in caught.value.what
    assert caught.value.where == f"{project.model.code}{line}"


def test_a_missing_function_is_told_with_the_nearest(project: ProjectFile) -> None:
    write(project, "def trian(table): return table")
    module = load_code(project)
    assert module is not None
    with pytest.raises(InvalidInput, match="has no function 'train'") as caught:
        function_of(project, module, "train", needed=True)
    assert caught.value.hint == "did you mean 'trian'?"


def test_a_missing_file_is_told_with_the_nearest(project: ProjectFile) -> None:
    (project.folder / str(project.model.code)).rename(project.folder / "pipelines.py")
    text = project.file.read_text().replace(str(project.model.code), "pipeline.py")
    project.file.write_text(text)
    with pytest.raises(InvalidInput, match="there is no Python file") as caught:
        load_code(load_project(project.folder))
    assert caught.value.hint == "did you mean 'pipelines.py'?"
    assert caught.value.where == "assay.toml, line 7: model.code"
