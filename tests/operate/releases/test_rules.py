"""The policy of a release, from a file and from options."""

from pathlib import Path

import pytest

from assay.errors import InvalidInput
from assay.operate.releases.rules import Exposure, Limit, Rules, read_rules, with_options

TEXT = """
alpha = 0.02
guardrails = ["errors", "shift"]
shift = 0.2
[errors]
margin = 0.005
[exposure]
units = 1000
weekly = true
"""


def test_a_file_says_what_is_watched_and_how_closely(tmp_path: Path) -> None:
    file = tmp_path / "release.toml"
    file.write_text(TEXT)
    assert read_rules(file) == Rules(
        alpha=0.02, guardrails=("errors", "shift"), shift=0.2, errors=Limit(0.005), exposure=Exposure(1000, weekly=True)
    )


def test_options_stand_in_place_of_what_the_file_says() -> None:
    rules = with_options(
        Rules(), min_units=7, min_time="30m", slo_ms=50, margins=["errors=0.5", "shift=0.3"], tolerances=["errors=2"]
    )
    assert rules == Rules(exposure=Exposure(7, time="30m"), slo_ms=50, errors=Limit(0.5, 2.0), shift=0.3)
    assert rules.exposure.seconds == 1800
    assert Exposure(weekly=True, time="1h").seconds == 7 * 86_400


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alpah = 0.1", "alpha"),
        ("alpha = 0.7", "below 0.5"),
        ("guardrails = []", "no guardrails"),
        ('guardrails = ["eror"]', "'eror'"),
        ("shift = 0", "between 0 and 1"),
        ("[errors]\nmargin = 0.1\ntolerance = 0.5", "1 or more"),
        ("slo_ms = -1", "above 0"),
        ("[exposure]\nunits = 0", "1 unit or more"),
        ('[exposure]\ntime = "soon"', "such as"),
    ],
)
def test_a_file_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "release.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as raised:
        read_rules(file)
    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["errors", "errors=many", "erors=0.1", "=1"])
def test_an_option_that_names_no_guardrail_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="gives no guardrail a number"):
        with_options(Rules(), margins=[text])
