"""The label as the task wants it, and what is learned from."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.project.tables import feature_columns, labelled


def project(folder: Path, *, task: str, label: str = "y", data: str = "", more: str = "") -> ProjectFile:
    (folder / "assay.toml").write_text(
        f'''name = "p"
[data]
source = "p.csv"
label = "{label}"
{data}
[model]
task = "{task}"
estimator = "linear"
{more}
[policy.metrics.accuracy]
margin = 0.1
'''
    )
    return load_project(folder)


def test_two_words_become_zero_and_one_and_the_unknown_stays_unknown(tmp_path: Path) -> None:
    table = pa.table({"y": ["yes", "no", None, "yes"]})
    found = labelled(project(tmp_path, task="binary", data='positive = "yes"'), table)
    assert found["y"].to_pylist() == [1, 0, None, 1]


def test_booleans_and_zeros_and_ones_need_no_word(tmp_path: Path) -> None:
    for values in ([True, False], [1, 0], [1.0, 0.0]):
        assert labelled(project(tmp_path, task="binary"), pa.table({"y": values}))["y"].to_pylist() == [1, 0]


def test_whole_numbers_may_be_classes(tmp_path: Path) -> None:
    found = labelled(project(tmp_path, task="multiclass"), pa.table({"y": [1, 2, 3, 1, 2, 3]}))
    assert found["y"].to_pylist() == ["1", "2", "3", "1", "2", "3"]


@pytest.mark.parametrize(
    ("task", "values", "data", "what", "expected"),
    [
        ("binary", ["a", "a"], "", "the label 'y' is always 'a'", "two values"),
        ("binary", [None, None], "", "the label 'y' is never known", "two values"),
        ("binary", ["a", "b", "c"], "", "the label 'y' has 3 values", "multiclass"),
        ("binary", ["a", "b"], "", "which value of 'y' is meant by 1?", 'positive = "a"'),
        ("binary", ["a", "b"], 'positive = "c"', "no label is 'c'", "'a' or 'b'"),
        ("binary", ["a", "b"], "positive = 1", "positive is 1, and the label is of type string", "a, b"),
        ("multiclass", ["a", "a", "b"], "", "the class 'b' has 1 row", "2 or more"),
        ("multiclass", [0.5, 0.7, 0.9], "", "the label 'y' is of type double", "text or whole numbers"),
        ("regression", ["a", "b"], "", "the label 'y' is of type string", "numbers"),
    ],
)
def test_a_label_that_is_none_is_refused(
    task: str, values: list[Any], data: str, what: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as caught:
        labelled(project(tmp_path, task=task, data=data), pa.table({"y": values}))
    assert caught.value.what == what
    assert expected in str(caught.value.expected)
    assert "assay.toml, line" in str(caught.value.where)


def test_a_label_that_is_absent_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="the label 'kinds' is not there") as caught:
        labelled(project(tmp_path, task="multiclass", label="kinds"), pa.table({"kind": ["a"]}))
    assert caught.value.hint == "did you mean 'kind'?"


def test_what_splits_rows_or_names_them_teaches_nothing(tmp_path: Path) -> None:
    table = pa.table(
        {"id": [1], "day": ["d"], "x": [1.0], "word": ["a"], "flag": [True], "y": [1.0], "blob": [b"z"], "t": [None]}
    )
    file = project(
        tmp_path,
        task="regression",
        data='ignore = ["id"]\nunit = ["day"]',
        more='[split]\nhow = "group"\nby = ["day"]',
    )
    assert feature_columns(file, table) == ["x", "word", "flag"]
    with pytest.raises(InvalidInput, match="no column is left to learn from"):
        feature_columns(file, table.select(["id", "day", "y"]))
    with pytest.raises(InvalidInput, match="the table has no column 'id'"):
        feature_columns(file, table.drop_columns(["id"]))
