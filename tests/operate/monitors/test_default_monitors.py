"""What every endpoint has without being asked, and what each of these monitors finds."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from tests.operate.monitors.monitor_world import (
    BEGIN,
    CARRIERS,
    DAY,
    SHARES,
    around,
    endpoint,
    serve_day,
    trained_version,
)
from tests.operate.serving_helpers import ENDPOINT, Fixed, add_route

from assay.build.models.packaging import LoadedModel, opened_model, package_model
from assay.errors import InvalidInput
from assay.operate.monitors.checking import Checked, check_due
from assay.operate.monitors.definition import Definition, MonitorKind
from assay.operate.monitors.kinds import quality
from assay.operate.monitors.records import DEFAULTS, declare_monitors, make_defaults, monitors_of, reset_baseline
from assay.record.models.registry import ModelVersion
from assay.record.sqlstore import SqlStore
from assay.record.store import Store
from assay.record.tracking.runs import start_run


def of(found: list[Checked], name: str) -> list[Checked]:
    return [one for one in found if one.monitor.name == name]


def answers_from(least: float) -> Callable[[np.random.Generator, np.ndarray], np.ndarray]:
    return lambda chance, values: chance.beta(2, 5, len(values)) * (1 - least) + least


def slowed(mean_us: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda chance, rows: chance.gamma(4, mean_us, rows)


def test_an_endpoint_gets_its_monitors_from_whoever_looks_first(store: SqlStore) -> None:
    version = endpoint(store)
    check_due(store)
    assert [one.name for one in monitors_of(store)] == sorted(DEFAULTS)
    assert make_defaults(store) == []
    for day in range(8):
        serve_day(store, day, version, rows=200)
    found = check_due(store)
    assert {one.monitor.version for one in found[-7:]} == {version.mv_id}
    assert {one.outcome.status for one in found} <= {"ok", "uncalibrated", "watch"}
    assert [one.outcome.status for one in of(found, "quality")] == ["ok"] * 8
    assert [one.outcome.status for one in of(found, "drift")][:6] == ["uncalibrated"] * 6
    assert store.query("alert") == []


def test_the_days_of_training_say_what_is_usual_from_the_first_window_on(store: SqlStore) -> None:
    version = endpoint(store, days=True)
    declare_monitors(store, "delays", ENDPOINT, {"drift": Definition(kind="drift")})
    for day in range(4):
        serve_day(store, day, version, distance=around(1000 if day < 2 else 1150))
    found = check_due(store)
    assert [one.outcome.status for one in found] == ["ok", "ok", "watch", "alarm"]
    assert found[0].outcome.detail["reference"] == 20
    assert found[3].outcome.findings[0].subject == "distance"
    assert "distance" in found[3].outcome.words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda place, cell: (None, cell[1]), "distance is missing in all 300 rows"),
        (lambda place, cell: (cell[0] * 1.609344, cell[1]), "as from miles to kilometres"),
        (
            lambda place, cell: ("far", cell[1]),
            "distance has changed its type: numbers in training, text such as 'far'",
        ),
        (lambda place, cell: (cell[0], "AA"), "carrier is constant, 'AA' in all 300 rows"),
        (lambda place, cell: (900.0, cell[1]), "distance is constant, 900 in all 300 rows"),
    ],
)
def test_a_broken_column_alarms_at_once_and_in_words(store: SqlStore, change: object, words: str) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"data": Definition(kind="quality", owner="ann")})
    serve_day(store, 0, version)
    serve_day(store, 1, version, change=change)  # type: ignore[arg-type]
    first, second = check_due(store)
    assert first.outcome.status == "ok"
    assert second.outcome.status == "alarm"
    assert words in second.outcome.words
    (alert,) = store.query("alert")
    assert alert["owner"] == "ann"
    assert words in alert["message"]


def test_what_days_of_training_were_like_is_not_broken(store: SqlStore) -> None:
    chance, days = np.random.default_rng(3), 20
    rain = [np.zeros(200) if day % 3 else chance.gamma(2, 100, 200) for day in range(days)]
    rain[4][:120] = np.nan  # a gauge failed for a while
    table = pa.table(
        {
            "distance": pa.array(np.concatenate(rain), from_pandas=True),
            "carrier": chance.choice(CARRIERS, 200 * days, p=SHARES),
            "day": pa.array([(BEGIN - (days - day) * DAY).date() for day in range(days) for _ in range(200)]),
        }
    )
    store.clock.advance(BEGIN)
    with start_run(store, "training") as run:
        version = package_model(store, "delays", Fixed(0.5), table, ["distance", "carrier"], run=run, time="day")
    add_route(store, version)
    declare_monitors(store, "delays", ENDPOINT, {"data": Definition(kind="quality", persistence=(1, 1))})

    def missing(share: float) -> object:
        return lambda place, cell: (None, cell[1]) if place < share * 300 else cell

    changes = [None, missing(0.5), missing(0.9), lambda place, cell: (40.0, cell[1])]
    for day, change in enumerate(changes):
        serve_day(store, day, version, distance=lambda chance, rows: np.zeros(rows), change=change)  # type: ignore[arg-type]
    found = check_due(store)
    assert [one.outcome.status for one in found] == ["ok", "ok", "alarm", "alarm"]
    assert "distance has no value in 90.0 % of rows" in found[2].outcome.words
    assert "distance is constant, 40 in all 300 rows" in found[3].outcome.words
    assert found[3].outcome.detail["defects"] == ["distance"]


def test_a_season_that_moves_values_far_has_changed_no_unit(store: SqlStore) -> None:
    version = endpoint(store, days=True)
    declare_monitors(store, "delays", ENDPOINT, {"data": Definition(kind="quality", floor=1.0)})
    factors = [1.2, 1.4, 1.5, 1.609344, 1.8, 2.2, 2.54, 60.0]

    def times(factor: float) -> Callable[[np.random.Generator, int], np.ndarray]:
        return lambda chance, rows: chance.normal(1000, 200, rows) * factor

    for day, factor in enumerate(factors):
        serve_day(store, day, version, distance=times(factor))
    found = check_due(store)
    assert [one.outcome.status for one in found] == ["ok"] * 7 + ["alarm"]
    serve_day(store, 8, version, distance=times(60.0))
    assert [one.outcome.status for one in check_due(store)] == ["alarm"]  # it stays broken until it is whole


def test_new_values_alarm_when_they_come_again_and_a_few_do_not(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"data": Definition(kind="quality", segments=["carrier"])})

    def new(share: int) -> object:
        return lambda place, cell: (cell[0], "ZZ") if place % share == 0 else cell

    for day, share in enumerate((300, 10, 10)):
        serve_day(store, day, version, change=new(share))  # type: ignore[arg-type]
    found = check_due(store)
    assert [one.outcome.status for one in found] == ["ok", "watch", "alarm"]
    worst = found[2].outcome.findings[0]
    assert (worst.subject, worst.measure) == ("carrier", "unseen")
    assert worst.low is not None
    assert worst.value is not None
    assert worst.low > 0.01
    assert worst.value == pytest.approx(0.1)
    assert found[2].outcome.detail["defects"] == []  # a model that is trained again knows it


def test_answers_that_move_alone_are_prediction_drift(store: SqlStore) -> None:
    version = endpoint(store)
    names = {"features": Definition(kind="drift"), "answers": Definition(kind="prediction_drift")}
    declare_monitors(store, "delays", ENDPOINT, names)
    for day in range(10):
        serve_day(store, day, version, output=answers_from(0.3 if day > 7 else 0.0))
    found = check_due(store)
    assert of(found, "answers")[-1].outcome.status == "alarm"
    assert of(found, "answers")[-1].outcome.findings[0].subject == "(prediction)"
    assert of(found, "features")[-1].outcome.status == "ok"


def test_what_is_served_is_not_what_was_learned(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"skew": Definition(kind="skew")})
    for day in range(7):
        serve_day(store, day, version, distance=around(1150))
    found = check_due(store)
    assert [one.outcome.status for one in found] == ["uncalibrated"] * 5 + ["watch", "alarm"]
    assert "distance" in found[-1].outcome.words
    assert "from 1,005 to 1,152" in found[-1].outcome.words
    assert "against training" in found[-1].outcome.words


def test_traffic_that_stops_errors_and_slow_answers_alarm(store: SqlStore) -> None:
    version = endpoint(store)
    kinds: tuple[MonitorKind, ...] = ("volume", "errors", "latency")
    names = {str(kind): Definition(kind=kind) for kind in kinds}
    declare_monitors(store, "delays", ENDPOINT, names)
    for day in range(10):
        bad = day > 7
        serve_day(
            store,
            day,
            version,
            rows=100 if bad else 300,
            failed=20 if bad else 0,
            latency_us=slowed(3000 if bad else 1000),
        )
    store.clock.advance(BEGIN + 11 * DAY)
    found = check_due(store)
    for name in names:
        states = [one.outcome.status for one in of(found, name)]
        assert states[8:10] == ["watch", "alarm"], name
        assert set(states[:8]) <= {"ok", "uncalibrated"}, name
    assert "nothing came" in of(found, "volume")[-1].outcome.words
    assert of(found, "errors")[-1].outcome.status == "no_data"
    assert "most often: broken" in of(found, "errors")[-2].outcome.words


def test_a_new_champion_begins_anew(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"drift": Definition(kind="drift")})
    for day in range(8):
        serve_day(store, day, version)
    assert check_due(store)[-1].outcome.status == "ok"
    other = trained_version(store, middle=1300)
    add_route(store, other)
    for day in range(8, 10):
        serve_day(store, day, other, distance=around(1300))
    found = check_due(store)
    assert [one.outcome.status for one in found] == ["uncalibrated", "uncalibrated"]
    assert found[0].window == "2026-01-13"
    assert {one.version for one in monitors_of(store)} == {other.mv_id}
    before = monitors_of(store)
    assert reset_baseline(store, ENDPOINT, other.mv_id) == before


def test_a_model_that_grows_old_is_not_fresh(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"age": Definition(kind="freshness", tolerance=2.0)})
    for day in range(4):
        serve_day(store, day, version, rows=10)
    found = check_due(store)
    assert [one.outcome.status for one in found] == ["ok", "ok", "watch", "alarm"]
    assert "4.0 days old, 2 are allowed" in found[-1].outcome.words


def test_windows_by_count_hold_so_many_rows_and_each_row_once(store: SqlStore) -> None:
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"count": Definition(kind="drift", rows=100)})
    serve_day(store, 0, version, rows=250)
    assert [one.rows for one in check_due(store)] == [100, 100]
    assert check_due(store) == []
    serve_day(store, 1, version, rows=60)
    (third,) = check_due(store)
    assert third.rows == 100


def test_what_cannot_be_looked_at_says_why_and_the_next_ones_go_on(store: SqlStore) -> None:
    version = endpoint(store)
    names = {"wrong": Definition(kind="drift", columns=["distence"]), "right": Definition(kind="volume")}
    declare_monitors(store, "delays", ENDPOINT, names)
    for day in range(2):
        serve_day(store, day, version, rows=50)
    found = check_due(store)
    assert [one.outcome.status for one in of(found, "wrong")] == ["uncalibrated", "no_data"]
    assert "'distence'" in of(found, "wrong")[-1].outcome.words
    assert len(of(found, "right")) == 2


def test_a_monitor_that_is_none_is_refused_and_changes_nothing(store: SqlStore) -> None:
    endpoint(store)
    good = {"drift": Definition(kind="drift")}
    declare_monitors(store, "delays", ENDPOINT, good)
    before = monitors_of(store)
    for wrong in (
        Definition(kind="drift", window="soon"),
        Definition(kind="drift", rows=0),
        Definition(kind="drift", alpha=0.9),
        Definition(kind="drift", persistence=(4, 3)),
        Definition(kind="drift", rows=10, season="hour"),
    ):
        with pytest.raises(InvalidInput):
            declare_monitors(store, "delays", ENDPOINT, {**good, "other": wrong})
    assert monitors_of(store) == before
    assert declare_monitors(store, "delays", ENDPOINT, good) == before
    assert declare_monitors(store, "delays", ENDPOINT, {}) == before  # as the default one would be


def test_a_week_of_hours_knows_nights(store: SqlStore) -> None:
    version = endpoint(store)
    definition = Definition(kind="volume", window="6h", season="hour")
    declare_monitors(store, "delays", ENDPOINT, {"volume": definition})
    for day in range(9):
        serve_day(store, day, version, rows=200)
    found = check_due(store)
    assert len(found) == 36
    assert {one.outcome.status for one in found[24:]} == {"ok"}
    assert found[-1].window == "2026-01-13T18:00:00Z"
    assert np.mean([one.rows for one in found]) == 50
    assert timedelta(hours=6) == BEGIN + timedelta(hours=6) - BEGIN


def test_answers_that_moved_with_the_traffic_are_told_from_others(store: SqlStore) -> None:
    version = endpoint(store)
    definition = Definition(kind="prediction_drift", segments=["carrier"])
    declare_monitors(store, "delays", ENDPOINT, {"answers": definition})
    for day in range(10):
        shares = (0.1, 0.2, 0.3, 0.4) if day > 7 else SHARES
        serve_day(store, day, version, shares=shares, output=known_means(shares, day))
    last = check_due(store)[-1].outcome
    assert last.status == "alarm"
    assert "the model is unchanged, the traffic moved" in last.words


def known_means(shares: tuple[float, ...], day: int) -> Callable[[np.random.Generator, np.ndarray], np.ndarray]:
    """Answers that depend on the carrier alone, drawn again as `serve_day` draws it."""

    def answers(chance: np.random.Generator, values: np.ndarray) -> np.ndarray:
        again = np.random.default_rng([0, day])
        again.normal(1000, 200, len(values))
        carriers = again.choice(CARRIERS, len(values), p=shares)
        means = {"AA": 0.1, "UA": 0.2, "DL": 0.6, "B6": 0.9}
        return np.array([means[str(one)] for one in carriers]) + chance.normal(0, 0.02, len(values))

    return answers


def test_a_version_is_opened_once_however_many_windows_there_are(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def counted(store: Store, version: ModelVersion) -> LoadedModel:
        opened.append(version.mv_id)
        return opened_model(store, version)

    monkeypatch.setattr(quality, "opened_model", counted)
    version = endpoint(store)
    declare_monitors(store, "delays", ENDPOINT, {"data": Definition(kind="quality")})
    for day in range(4):
        serve_day(store, day, version)
    assert [one.outcome.status for one in check_due(store)] == ["ok"] * 4
    assert opened == [version.mv_id]
