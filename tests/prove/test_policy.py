"""Policies: what they default to, and that every mistake is told with its file, its key and what to write."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from assay.errors import InvalidInput
from assay.prove.policy import Guard, Policy, load_policy, parse_policy

GOOD = """
name = "flights"
segments = ["origin"]

[metrics.accuracy]
margin = 0.02
"""


def refused(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as raised:
        parse_policy(text, "policy.toml")
    assert raised.value.where is not None
    assert raised.value.where.startswith("policy.toml")
    return raised.value


def test_a_margin_is_all_that_has_no_default() -> None:
    policy = parse_policy(GOOD, "policy.toml")
    assert policy == Policy(name="flights", metrics={"accuracy": Guard(margin=0.02)}, segments=["origin"])
    assert (policy.alpha, policy.power, policy.cross, policy.minimum_n) == (0.05, 0.8, 2, 10)
    assert (policy.on_inconclusive, policy.required) == ("warn", [])
    assert (policy.harm, policy.metrics["accuracy"].harm_at, policy.harm_at("accuracy")) == ("any", None, 0)


def test_a_policy_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "gate.toml"
    file.write_text(GOOD.replace("flights", "Flüge"), encoding="utf-8")
    assert load_policy(file).name == "Flüge"
    assert load_policy(str(file)) == load_policy(file)


@pytest.mark.parametrize("what", ["missing", "folder", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, what: str) -> None:
    file = tmp_path / "gate.toml"
    if what == "folder":
        file.mkdir()
    if what == "not UTF-8":
        file.write_bytes(b"name = '\xe9'")
    with pytest.raises(InvalidInput, match=r"the policy (cannot be read: |is not UTF-8 text)") as raised:
        load_policy(file)
    assert raised.value.where == str(file)


def test_bad_toml_is_told_with_its_line() -> None:
    error = refused("name = 'a'\nalpha = \n")
    assert error.what.startswith("the policy is not valid TOML: ")
    assert "line 2" in error.what


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "hint"),
    [
        ("margin = 0.02", "", "metric 'accuracy' has no margin", ", line 5: metrics.accuracy", None),
        (
            "margin = 0.02",
            "margim = 1",
            "metric 'accuracy' has no margin",
            ", line 5: metrics.accuracy",
            "'margim' meant",
        ),
        (
            "0.02",
            "0.02\nharmat = 0",
            "an unknown key 'harmat'",
            ", line 7: metrics.accuracy.harmat",
            "did you mean 'harm_at'?",
        ),
        ("segments", "segmnets", "an unknown key 'segmnets'", ", line 3: segmnets", "did you mean 'segments'?"),
        ("segments", "xyzzy", "an unknown key 'xyzzy'", ", line 3: xyzzy", None),
        ("margin = 0.02", "margin = -0.02", "margin is -0.02", ": metrics.accuracy", "without a sign: 0.02"),
        ("margin = 0.02", "margin = 0", "margin is 0.0", ": metrics.accuracy", None),
        ("margin = 0.02", "margin = nan", "margin is nan", ": metrics.accuracy", None),
        ("margin = 0.02", "margin = 2", "margin is 2.0", ": metrics.accuracy", None),
        (
            "margin = 0.02",
            "margin = '2 %'",
            "expected `float | null`, got `str`",
            ", line 6: metrics.accuracy.margin",
            None,
        ),
        ("0.02", "0.02\nharm_at = -1", "harm_at is -1.0", ": metrics.accuracy", None),
        ("0.02", "0.02\nharm_at = nan", "harm_at is nan", ": metrics.accuracy", None),
        ("accuracy", "acuracy", "there is no metric 'acuracy'", ": metrics", "did you mean 'accuracy'?"),
        ("accuracy", "xyzzy", "there is no metric 'xyzzy'", ": metrics", "there are accuracy, "),
        ("accuracy", "selection_rate", "selection_rate has no better direction", ": metrics.selection_rate", "another"),
        ('name = "flights"', "", "lacks 'name'", "", None),
        ("[metrics.accuracy]\nmargin = 0.02", "[metrics]", "the policy guards no metric", "", None),
        ("[metrics.accuracy]\nmargin = 0.02", "", "the policy guards no metric", "", None),
        ("[metrics.accuracy]\nmargin = 0.02", "metrics = 3", "expected `object`, got `int`", ", line 5: metrics", None),
        (
            "[metrics.accuracy]\nmargin = 0.02",
            "[metrics]\nbrier = 1",
            "expected `object`, got `int`",
            ", line 6: metrics.brier",
            None,
        ),
        ("segments", "alpha = 0.5\nsegments", "alpha is 0.5", ": alpha", None),
        ("segments", "alpha = 0\nsegments", "alpha is 0.0", ": alpha", None),
        ("segments", "power = 0.5\nsegments", "power is 0.5", ": power", None),
        ("segments", "power = 1\nsegments", "power is 1.0", ": power", None),
        ("segments", "cross = 0\nsegments", "cross is 0", ": cross", None),
        ("segments", "cross = 4\nsegments", "cross is 4", ": cross", None),
        ("segments", "minimum_n = 0\nsegments", "minimum_n is 0", ": minimum_n", None),
        ('"flights"', '" "', "the policy's name is empty", ": name", None),
        ("segments", "harm = 'none'\nsegments", "unknown value 'none'", ", line 3: harm", None),
        (
            "segments",
            "verison = '2'\nsegments",
            "an unknown key 'verison'",
            ", line 3: verison",
            "did you mean 'version'?",
        ),
        (
            "0.02",
            "0.02\n[datasets.july]\nmetrics = ['acuracy']",
            "'acuracy' is to hold on 'july', and the policy does not guard it",
            ": datasets.july.metrics",
            "did you mean 'accuracy'?",
        ),
        ("0.02", "0.02\n[golden]", "lacks 'dataset'", ", line 7: golden", None),
        (
            "0.02",
            "0.02\n[golden]\ndataset = 'g'\nmaximum_changed = -1",
            "the golden set allows nothing that can be counted",
            ": golden",
            None,
        ),
        ("0.02", "0.02\n[model]", "the model's budget bounds nothing", ": model", None),
        (
            "0.02",
            "0.02\n[model]\nmaximum_latency_ms = 0",
            "maximum_latency_ms is 0",
            ": model.maximum_latency_ms",
            None,
        ),
        (
            "0.02",
            "0.02\n[model]\nmaximum_latency_ms = nan",
            "maximum_latency_ms is nan",
            ": model.maximum_latency_ms",
            None,
        ),
        (
            "0.02",
            "0.02\n[model]\nmaximum_size_bytes = 9\npercentile = 100",
            "percentile is 100.0",
            ": model.percentile",
            None,
        ),
        (
            "segments",
            "on_inconclusive = 'wait'\nsegments",
            "unknown value 'wait'",
            ", line 3: on_inconclusive",
            "warn",
        ),
    ],
)
def test_a_mistake_is_told_with_its_key_and_the_nearest_spelling(
    old: str, new: str, what: str, where: str, hint: str | None
) -> None:
    assert old in GOOD
    error = refused(GOOD.replace(old, new))
    assert what in error.what
    assert error.where == f"policy.toml{where}"
    assert (hint is None) == (error.hint is None)
    assert (hint or "") in (error.hint or "")


def test_a_loss_that_is_no_rate_may_have_a_margin_above_one() -> None:
    assert (
        parse_policy(GOOD.replace("accuracy", "log_loss").replace("0.02", "1.5"), "p").metrics["log_loss"].margin == 1.5
    )
    assert refused(GOOD.replace("accuracy", "log_loss").replace("0.02", "inf")).what == "margin is inf"
    assert refused(GOOD.replace("accuracy", "log_loss").replace("0.02", "-1")).expected is not None


def test_the_version_is_that_of_the_content() -> None:
    version = parse_policy(GOOD, "a").version
    content = (
        '{"alpha":0.05,"calibration":null,"cross":2,"data":null,"datasets":{},"description":null,"fairness":{},'
        '"golden":null,"harm":"any",'
        '"metrics":{"accuracy":{"at_least":null,"at_most":null,"harm_at":null,"margin":0.02,"own":null}},"minimum_n":10,'
        '"model":null,"name":"flights","on_inconclusive":"warn","owner":null,"power":0.8,"required":[],'
        '"segments":["origin"],"spend_alpha":false,"version":null}'
    )
    assert version == hashlib.sha256(content.encode()).hexdigest()
    reordered = "# why\n[metrics.accuracy]\nmargin = 2e-2\n"
    assert parse_policy('segments = ["origin"]\nname = "flights"\n' + reordered, "b").version == version
    spelled_out = GOOD.replace("segments", "alpha = 0.05\ncross = 2\nsegments")
    assert parse_policy(spelled_out, "c").version == version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("flights", "others"),
        ("0.02", "0.03"),
        ("0.02", "0.02\nharm_at = 0.01"),
        ('["origin"]', '["origin", "carrier"]'),
        ("segments", "required = ['origin=JFK']\nsegments"),
        ("segments", "alpha = 0.01\nsegments"),
        ("segments", "power = 0.9\nsegments"),
        ("segments", "cross = 1\nsegments"),
        ("segments", "minimum_n = 30\nsegments"),
        ("segments", "on_inconclusive = 'block'\nsegments"),
        ("accuracy", "recall"),
        ("segments", "harm = 'beyond margin'\nsegments"),
        ("segments", "version = '2'\nsegments"),
        ("segments", "owner = 'risk'\nsegments"),
        ("0.02", "0.02\n[datasets.july]"),
        ("0.02", "0.02\n[golden]\ndataset = 'golden'"),
        ("0.02", "0.02\n[model]\nmaximum_size_bytes = 10"),
    ],
)
def test_whatever_the_policy_says_changes_its_version(old: str, new: str) -> None:
    assert parse_policy(GOOD.replace(old, new), "a").version != parse_policy(GOOD, "a").version


def test_harm_is_any_proven_loss_or_one_beyond_the_margin_or_what_a_metric_says() -> None:
    tolerant = parse_policy(GOOD.replace("segments", "harm = 'beyond margin'\nsegments"), "a")
    assert tolerant.harm_at("accuracy") == 0.02
    stated = GOOD.replace("segments", "harm = 'beyond margin'\nsegments").replace("0.02", "0.02\nharm_at = 0.01")
    assert parse_policy(stated, "a").harm_at("accuracy") == 0.01


def test_a_policy_survives_being_recorded() -> None:
    text = GOOD + "[datasets.july]\n[golden]\ndataset = 'g'\n[model]\nmaximum_latency_ms = 3\n"
    policy = parse_policy(text.replace("segments", "version = '2.1'\nsegments"), "a")
    assert policy.stated_version == "2.1"
    again = msgspec.convert(msgspec.to_builtins(policy), Policy)
    assert (again, again.version) == (policy, policy.version)


def test_a_metric_of_the_teams_own_is_guarded_when_it_is_said_to_be_one() -> None:
    policy = parse_policy('name = "p"\n[metrics.cost]\nown = true\nmargin = 2.5', "p.toml")
    assert policy.metrics["cost"].margin == 2.5
    with pytest.raises(InvalidInput, match="no metric 'cost'") as raised:
        parse_policy('name = "p"\n[metrics.cost]\nmargin = 2.5', "p.toml")
    assert raised.value.hint is not None
    with pytest.raises(InvalidInput, match="accuracy is a metric of Assay"):
        parse_policy('name = "p"\n[metrics.accuracy]\nown = true\nmargin = 0.1', "p.toml")
    with pytest.raises(InvalidInput, match="margin is -1"):
        parse_policy('name = "p"\n[metrics.cost]\nown = true\nmargin = -1.0', "p.toml")
