"""First chapter: the data is checked and cleaned, a few models are trained, the best becomes champion by the gate."""

from datetime import date

from assay.build.data.checks import CheckResult, check_table
from assay.build.data.splits import split_by_time
from assay.build.models.packaging import package_model
from assay.demo import data
from assay.demo.pipeline import (
    FEATURES,
    clean_weather,
    derive_features,
    flight_expectations,
    sample_rows,
    train_baseline,
    weather_expectations,
)
from assay.demo.replay import start_of
from assay.demo.training import fit, fit_and_register, judge_on, measure, training_run
from assay.demo.turn import Turn
from assay.errors import Refused
from assay.progress import tell
from assay.prove.gate import GateResult
from assay.prove.promotion import promote
from assay.record.datasets import snapshot
from assay.record.models.registry import ModelVersion
from assay.record.tracking.runs import start_run

__all__ = ["GO_LIVE", "HOLD_OUT", "START", "first_champion", "prepare_data"]

START, TUNING, HOLD_OUT, GO_LIVE = (date(2013, 1, 1), date(2013, 5, 1), date(2013, 6, 1), date(2013, 8, 1))


def prepare_data(turn: Turn) -> None:
    """Snapshot the raw tables, check them, clean and join them, and snapshot the features."""
    store = turn.store
    with start_run(store, turn.experiment, "data", kind="data", model=turn.model, pipeline="flights") as run:
        tell("data", 0.0, "snapshot")
        flights, weather = data.read("flights"), data.read("weather")
        raw = [
            snapshot(store, name, table, source_system=data.ORIGIN, licence=data.LICENCE)
            for name, table in (("flights", flights), ("weather", weather))
        ]
        tell("data", 0.4, "checking against schema and expectations")
        results = check_table(store, raw[0].hash, flights, flight_expectations(flights.schema))
        results += check_table(store, raw[1].hash, weather, weather_expectations(weather.schema))
        _stop_on_failure(results)
        tell("data", 0.6, "cleaning, joining, deriving features")
        cleaned = clean_weather(weather)
        turn.features = derive_features(flights, cleaned)
        features = snapshot(store, "flight-features", turn.features, source_system=data.ORIGIN, licence=data.LICENCE)
        for version in raw:
            run.uses(version.artifact_id, version.name)
        run.makes(features.artifact_id, features.name)
        run.metrics(
            {
                "rows": features.rows,
                "checks": len(results),
                "warnings": sum(result.result == "warn" for result in results),
                "winds_removed": cleaned["wind_speed"].null_count - weather["wind_speed"].null_count,
            }
        )
        turn.datasets = [*raw, features]
    tell("data", 1.0, f"{features.rows:,} flights")


def first_champion(turn: Turn) -> tuple[GateResult, ModelVersion]:
    """Choose a configuration on May, train it on all before June, and have it judged on June and July."""
    store, share = turn.store, turn.size.train_share
    past = turn.known_by(GO_LIVE)
    early, tuning, hold_out = split_by_time(
        past, "departure", [start_of(d) for d in (START, TUNING, HOLD_OUT, GO_LIVE)]
    )
    losses = {}
    for number, name in enumerate(turn.size.configurations):
        tell("train", number / (len(turn.size.configurations) + 1), f"configuration {name}")
        with training_run(turn, f"try {name}") as run:
            fitted = fit(turn, run, sample_rows(early, share, turn.seed), name, TUNING)
            losses[name] = measure(run, fitted, tuning)["log_loss"]
    best = min(losses, key=lambda name: losses[name])
    tell("train", 0.9, f"{best} on all flights before {HOLD_OUT}")
    (everything,) = split_by_time(past, "departure", [start_of(START), start_of(HOLD_OUT)])
    rows = sample_rows(everything, share, turn.seed)
    with training_run(turn, "baseline") as run:
        baseline = package_model(
            store, turn.model, train_baseline(rows), rows, FEATURES, run=run, description="the share of late flights"
        )
    with training_run(turn, f"train {best}") as run:
        champion = fit_and_register(turn, run, rows, best, HOLD_OUT, hold_out)
    tell("train", 1.0, f"{len(losses)} configurations; {best} is the candidate")
    tell("gate", 0.0, "the first candidate beside the baseline, by segment")
    judged = snapshot(store, "hold-out", hold_out, source_system=data.ORIGIN, licence=data.LICENCE)
    verdict = judge_on(turn, champion, baseline, hold_out, judged)
    promote(store, turn.model, champion.version)
    tell("gate", 1.0, verdict.verdict)
    return verdict, champion


def _stop_on_failure(results: list[CheckResult]) -> None:
    failed = [result for result in results if result.result == "fail"]
    if failed:
        raise Refused(
            f"the data does not meet {len(failed)} expectation(s)",
            where="; ".join(f"{result.name}: {result.detail}" for result in failed[:3]),
            hint="correct the source, or the expectation",
        )
