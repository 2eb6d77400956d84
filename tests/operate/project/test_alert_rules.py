"""[alert_rules] of a project: who hears of which alerts, whose they are, and how long they wait."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from assay.errors import InvalidInput
from assay.operate.project.alert_rules import AlertRulesPart, declare_alert_rules
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.watching.ticking import declare
from assay.record.alerts.alert import find_alert, open_alert
from assay.record.alerts.escalation import look_after
from assay.record.alerts.rules import rules_of
from assay.record.notify.delivery import deliver_due
from assay.record.notify.webhooks import add_webhook, find_webhook, remove_webhook, webhooks
from assay.record.sqlstore import SqlStore

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PROJECT = """name = "delays"

[data]
source = "rows.csv"
label = "late"

[model]
task = "binary"
estimator = "linear"

[policy.metrics.brier]
margin = 0.01

"""
RULES = """[alert_rules]
escalate_after = "2h"
owner = "team"

[[alert_rules.routes]]
least = "critical"
channels = ["pager"]
critical_after = "15m"

[[alert_rules.routes]]
kinds = ["quality", "data"]
channels = ["feeds"]
owner = "data"
escalate_after = "30m"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: SqlStore) -> Path:
    monkeypatch.chdir(tmp_path)
    store.clock.advance(BEGIN)
    for name in ("pager", "feeds", "all"):
        add_webhook(store, name, str(tmp_path / f"{name}.jsonl"), form="file", events="alert.opened,alert.escalated")
    return tmp_path


def declared(store: SqlStore, rules: str = RULES) -> ProjectFile:
    Path("assay.toml").write_text(PROJECT + rules)
    project = load_project()
    declare(store, project)
    return project


def told(store: SqlStore, folder: Path) -> dict[str, list[str]]:
    """What each channel was told since the last time: the events."""
    deliver_due(store, now=datetime.now(UTC) + timedelta(seconds=1))
    found = {}
    for name in ("pager", "feeds", "all"):
        path = folder / f"{name}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found[name] = [msgspec.json.decode(line)["event"] for line in lines]
        path.unlink(missing_ok=True)
    return {name: events for name, events in found.items() if events}


def test_the_first_route_that_fits_says_who_is_told_and_whose_it_is(store: SqlStore, folder: Path) -> None:
    declared(store)
    data = open_alert(store, "data:flights", "the hour is in minutes", model="delays")
    assert (data.owner, told(store, folder)) == ("data", {"feeds": ["alert.opened"]})
    other = open_alert(store, "disk", "it is nearly full", model="delays")
    assert (other.owner, told(store, folder)) == (
        "team",
        {name: ["alert.opened"] for name in ("pager", "feeds", "all")},
    )
    bad = open_alert(store, "data:weather", "no rows", model="delays", severity="critical")
    assert (bad.owner, told(store, folder)) == ("team", {"pager": ["alert.opened"]})
    elsewhere = open_alert(store, "data:birds", "no rows", model="birds")
    assert elsewhere.owner is None
    assert len(told(store, folder)) == 3


def test_a_route_says_how_long_its_alerts_wait_and_what_became_worse_goes_where_that_goes(
    store: SqlStore, folder: Path
) -> None:
    declared(store)
    data = open_alert(store, "data:flights", "the hour is in minutes", model="delays")
    other = open_alert(store, "disk", "it is nearly full", model="delays")
    told(store, folder)
    for minutes, raised in ((29, []), (31, [data.alert_id]), (121, [data.alert_id, other.alert_id])):
        store.clock.advance(BEGIN + timedelta(minutes=minutes))
        assert sorted(look_after(store).escalated) == sorted(raised), minutes
    assert find_alert(store, data.alert_id).severity == "critical"
    assert told(store, folder).keys() == {"pager"}


def test_the_same_rules_again_change_nothing_and_what_is_taken_out_is_gone(store: SqlStore, folder: Path) -> None:
    declared(store)
    before = store.query("history", {"subject_kind": "alert_rule"})
    assert {row["what"] for row in before} == {"escalate_after", "owner", "routes"}
    declared(store)
    assert store.query("history", {"subject_kind": "alert_rule"}) == before
    declared(store, '[alert_rules]\nowner = "ann"\n')
    found = rules_of(store, "delays")
    assert (found.owner, found.escalate_after, found.routes) == ("ann", "4h", [])


def test_a_channel_that_goes_away_later_holds_nothing_up_and_nothing_is_lost(store: SqlStore, folder: Path) -> None:
    declared(store)
    (pager,) = [one for one in webhooks(store) if one.name == "pager"]
    remove_webhook(store, find_webhook(store, pager.webhook_id)["webhook_id"])
    declared(store)
    open_alert(store, "disk", "it is full", model="delays", severity="critical")
    assert told(store, folder) == {"feeds": ["alert.opened"], "all": ["alert.opened"]}


@pytest.mark.parametrize(
    ("rules", "line", "words"),
    [
        ('[alert_rules]\nescalate_after = "soon"\n', "line 15", "escalate_after is 'soon'"),
        ('[alert_rules]\nescalate = "2h"\n', "line 15", "escalate"),
        ('[[alert_rules.routes]]\nkinds = ["qualty"]\n', "line 15", "did you mean 'quality'"),
        ('[[alert_rules.routes]]\nleast = "bad"\n', "line 15", "least"),
        ('[[alert_rules.routes]]\nowner = "a"\n[[alert_rules.routes]]\nowner = "b"\n', "line 14", "fits every alert"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder: Path, rules: str, line: str, words: str) -> None:
    Path("assay.toml").write_text(PROJECT + rules)
    with pytest.raises(InvalidInput) as error:
        load_project()
    assert line in str(error.value)
    assert words in str(error.value)


def test_a_channel_that_is_not_there_is_refused_with_the_nearest_one(store: SqlStore, folder: Path) -> None:
    part = msgspec.convert({"routes": [{"channels": ["pagr"]}]}, AlertRulesPart)
    with pytest.raises(InvalidInput, match="did you mean 'pager'"):
        declare_alert_rules(store, "delays", part)
    assert not store.query("alert_rule")
