from pathlib import Path

import pytest

from assay.errors import InvalidInput, NotFound
from assay.operate.online_tests.metric import Metric, check_metrics
from assay.operate.online_tests.metric_files import chosen_metrics, load_metrics

GOOD = """
[metrics.late_wrong]
numerator = "wrong"
maturity = "2d"
covariate = "champion"

[metrics.errors]
numerator = "error"
role = "guardrail"
margin = 0.002
"""


def _file(folder: Path, text: str, name: str = "metrics.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_metrics_are_read_from_a_file_and_from_the_project(tmp_path: Path) -> None:
    own = load_metrics(_file(tmp_path, GOOD))
    assert [(one.name, one.role, one.sign) for one in own] == [
        ("late_wrong", "success", -1.0),
        ("errors", "guardrail", -1.0),
    ]
    project = 'name = "x"\n' + GOOD.replace("[metrics.", "[tests.metrics.")
    assert load_metrics(_file(tmp_path, project, "assay.toml")) == own


@pytest.mark.parametrize(
    ("text", "says", "where", "hint"),
    [
        ("[metrics.m]\nnumerator = 'wrongg'\nmaturity = '1d'", "unknown value 'wrongg'", "line 2", "'wrong'"),
        ("[metrics.m]\nnumerator = 'error'\nmargn = 1.0", "unknown key 'margn'", "line 3", "'margin'"),
        ("[metrics.m]\nnumerator = 'error'\nrole = 'guardrail'", "a guardrail without a margin", "line 1", None),
        ("[metrics.m]\nnumerator = 'wrong'", "does not say when that is in", "line 1", None),
        ("[metrics.m]\nmaturity = '1d'", "whether more label is better", "line 1", None),
        ("[metrics.m]\nnumerator = 'slow'", "from when on an answer is slow", "line 1", None),
        ("[metrics.m]\nnumerator = 'error'\nmargin = -0.1\nrole = 'guardrail'", "margin is -0.1", "line 1", "0.1"),
        ("[metrics.m]\nnumerator = 'error'\nwindow = '3 days'", "'3 days' is no length", "line 1", None),
        ("[metrics.m]\nnumerator = 'error'\ndenominator = 'rows'", "it has a denominator", "line 1", None),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, text: str, says: str, where: str, hint: str | None
) -> None:
    with pytest.raises(InvalidInput) as error:
        load_metrics(_file(tmp_path, text))
    assert says in error.value.what
    assert where in (error.value.where or "")
    assert hint is None or hint in (error.value.hint or "")


def test_metrics_are_chosen_by_name_in_the_role_they_are_named_for(tmp_path: Path) -> None:
    known = load_metrics(_file(tmp_path, GOOD))
    assert [one.role for one in chosen_metrics(known, ["errors"], [])] == ["success"]
    with pytest.raises(NotFound, match="did you mean 'errors'"):
        chosen_metrics(known, ["erors"], [])
    with pytest.raises(InvalidInput, match="a guardrail without a margin"):
        chosen_metrics(known, [], ["late_wrong"])


def test_two_metrics_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="2 metrics are called 'm'"):
        check_metrics([Metric(name="m", numerator="error"), Metric(name="m", numerator="error")])
