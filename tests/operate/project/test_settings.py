"""assay.toml: what is wrong in it is said with its line, before anything runs."""

from contextlib import closing
from pathlib import Path

import pytest

from assay.errors import InvalidInput, NotFound
from assay.operate.project.settings import load_project
from assay.record.location import open_store

GOOD = """name = "birds"

[data]
source = "birds.csv"
label = "kind"
ignore = ["id"]

[model]
task = "multiclass"
code = "pipeline.py"

[params]
max_iter = 20

[split]
how = "group"
by = ["island"]
test = 0.3

[[steps]]
name = "clean"
sql = "select * from data"

[policy.metrics.accuracy]
margin = 0.05
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_STORE", raising=False)


def write(text: str) -> None:
    Path("assay.toml").write_text(text)


def test_a_project_is_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(GOOD)
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    found = load_project()
    assert (found.folder, found.model_name, found.policy.name) == (tmp_path, "birds", "birds")
    assert found.params == {"max_iter": 20}
    assert [step.name for step in found.steps] == ["clean"]
    assert load_project(tmp_path) == found


def test_without_a_project_the_way_to_one_is_said() -> None:
    with pytest.raises(NotFound, match="there is no assay") as caught:
        load_project()
    assert caught.value.hint == "assay init FILE --label COLUMN"


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "hint"),
    [
        ("source", "sorce", "the project file has an unknown key 'sorce'", "line 4: data.sorce", "'source'"),
        ("[params]", "[parms]", "the project file has an unknown key 'parms'", "line 12: parms", "'params'"),
        ('"multiclass"', '"classes"', "unknown value 'classes'", "line 9: model.task", ""),
        ('how = "group"', 'how = "gruop"', "unknown value 'gruop'", "line 16: split.how", "'group'"),
        ("test = 0.3", 'test = "14d"', "test is '14d'", "line 18: split.test", ""),
        ("test = 0.3", "test = 30", "test is 30", "line 18: split.test", ""),
        (
            "[params]",
            '[release]\nrollback_within = "a month"\n\n[params]',
            "rollback_within is 'a month'",
            "line 13: release.rollback_within",
            "",
        ),
        ('by = ["island"]', "", "a split by group names no column", "line 15: split", ""),
        (
            "margin = 0.05",
            "margim = 0.05",
            "metric 'accuracy' has no margin",
            "line 24: policy.metrics.accuracy",
            "margim",
        ),
        (
            "margin = 0.05",
            "margin = 0.05\nmarging = 1",
            "unknown key 'marging'",
            "line 26: policy.metrics.accuracy.marging",
            "margin",
        ),
        (
            "metrics.accuracy",
            "metrics.acuracy",
            "there is no metric 'acuracy'",
            "assay.toml: policy: metrics",
            "accuracy",
        ),
        ('label = "kind"\n', "", "the project file lacks 'label'", "line 3: data", ""),
        ('ignore = ["id"]', 'ignore = ["kind"]', "the label is ignored", "line 6: data.ignore", ""),
        ('code = "pipeline.py"', "", "neither code nor an estimator", "line 8: model", ""),
        (
            'code = "pipeline.py"',
            'code = "a.py"\nestimator = "linear"',
            "the model has two sources",
            "line 8: model",
            "",
        ),
        ('name = "clean"', 'name = "data"', "a step cannot be called 'data'", "line 21: steps[1].name", ""),
        ('name = "birds"', 'name = "a/b"', "Invalid model name 'a/b'", None, ""),
        ('name = "birds"', "name = birds", "not valid TOML", "assay.toml", ""),
    ],
)
def test_a_mistake_is_told_with_line_key_and_spelling(
    old: str, new: str, what: str, where: str | None, hint: str
) -> None:
    assert old in GOOD
    write(GOOD.replace(old, new, 1))
    with pytest.raises(InvalidInput) as caught:
        load_project()
    assert what in caught.value.what
    assert where is None or where in str(caught.value.where)
    assert hint in str(caught.value.hint)


def test_the_store_is_where_the_project_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('store = "records"\n' + GOOD)
    with closing(open_store()) as store:
        assert Path(store.location) == tmp_path / "records"
    monkeypatch.setenv("ASSAY_STORE", str(tmp_path / "other"))
    with closing(open_store()) as store:
        assert Path(store.location) == tmp_path / "other"


def test_no_store_is_guessed_beside_a_project_file_that_cannot_be_read(tmp_path: Path) -> None:
    write("store = ")
    with pytest.raises(InvalidInput, match="the project file cannot be read"):
        open_store()
    assert [one.name for one in tmp_path.iterdir()] == ["assay.toml"]
