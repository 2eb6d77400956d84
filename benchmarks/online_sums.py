"""The analysis of an online test beside the bare aggregate of the same sums, and beside gbstats and tea-tasting.

    python -m benchmarks.online_sums [--units 2000000] [--repeat 15]

2,000,000 units of two variants, five metrics with a covariate each, in a table of DuckDB. The bare query adds up
doubles, whose last digits depend on the threads; ours adds up exactly, and then gives the effects with CUPED,
anytime-valid intervals and P-values. Both are measured in turn, and the best of each counts, because nothing makes a
run too fast. ONLINE_PYTHON is the Python of an environment with gbstats and tea-tasting; without it those figures are
left out.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from benchmarks.measured import say

from assay.operate.online_tests.aggregating import cell_sums
from assay.operate.online_tests.metric import Metric
from assay.stats.anytime import asymptotic_interval, asymptotic_p
from assay.stats.effects import Effect, difference
from assay.stats.intervals import Interval

METRICS = 5
_RATIO = 2.0
_THREADS = 2


def units(rows: int, seed: int = 91) -> pa.Table:
    """Variant, metrics and covariates that explain a part of them; the treatment adds .01 times the number of each."""
    generator = np.random.default_rng(seed)
    variant = generator.integers(0, 2, rows)
    columns: dict[str, np.ndarray] = {"cell": variant}
    for number in range(METRICS):
        before = generator.gamma(2.0, 1.0 + number, rows)
        columns[f"x{number}"] = before
        noise = generator.gamma(2.0, 0.8 * (1.0 + number), rows)
        columns[f"y{number}"] = 0.6 * before + noise + 0.01 * number * variant
    return pa.table(columns)


def bare(connection: duckdb.DuckDBPyConnection) -> list[tuple[float, ...]]:
    """The aggregate as anybody writes it."""
    sums = [f"sum({a}), sum({b}), sum({a} * {a}), sum({b} * {b}), sum({a} * {b})" for a, b in _pairs()]
    return connection.execute(f"select cell, count(*), {', '.join(sums)} from units group by 1 order by 1").fetchall()


def ours(connection: duckdb.DuckDBPyConnection) -> list[tuple[Effect, Interval, float]]:
    """The whole analysis."""
    metrics = [Metric(name=f"m{number}", covariate="before") for number in range(METRICS)]
    cells, _ = cell_sums(connection, "units", metrics)
    found = []
    for metric in metrics:
        control, treatment = (cells[0, variant, metric.name].sums(ratio=False) for variant in (0, 1))
        effect = difference(control, treatment)
        found.append((effect, asymptotic_interval(effect), asymptotic_p(effect)))
    return found


def _pairs() -> list[tuple[str, str]]:
    return [(f"x{number}", f"y{number}") for number in range(METRICS)]


_PEER = """
import dataclasses, json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
path, peer, repeat, metrics = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
frame = pd.DataFrame(dict(np.load(path))).rename(columns={"cell": "variant"})
def tea():
    import tea_tasting as tt
    found = tt.Experiment(**{f"m{i}": tt.Mean(f"y{i}", f"x{i}") for i in range(metrics)}).analyze(frame)
    return [found[f"m{i}"].effect_size for i in range(metrics)]
def gbstats():
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
    from gbstats.models.statistics import RegressionAdjustedStatistic, SampleMeanStatistic, compute_theta
    groups, effects = dict(list(frame.groupby("variant"))), []
    for i in range(metrics):
        both = []
        for variant in (0, 1):
            x, y = groups[variant][f"x{i}"], groups[variant][f"y{i}"]
            both.append(RegressionAdjustedStatistic(
                n=len(x), theta=0.0, post_pre_sum_of_products=(x * y).sum(),
                post_statistic=SampleMeanStatistic(n=len(x), sum=y.sum(), sum_squares=(y * y).sum()),
                pre_statistic=SampleMeanStatistic(n=len(x), sum=x.sum(), sum_squares=(x * x).sum())))
        theta = compute_theta(*both)
        both = [dataclasses.replace(one, theta=theta) for one in both]
        config = FrequentistConfig(difference_type="absolute")
        effects.append(TwoSidedTTest(*both, config).compute_result().expected)
    return effects
way = {"gbstats": gbstats, "tea-tasting": tea}[peer]
effects, taken = way(), []
for _ in range(repeat):
    began = time.perf_counter()
    effects = way()
    taken.append(time.perf_counter() - began)
print(json.dumps({"seconds": min(taken), "effects": effects}))
"""


def peer(python: str, path: Path, name: str, repeat: int) -> tuple[float, list[float]]:
    """Seconds of the best run, and the effects, of another library in its own environment."""
    arguments = [str(path), name, str(repeat), str(METRICS)]
    done = subprocess.run([python, "-c", _PEER, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return said["seconds"], said["effects"]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=15)
    given = parser.parse_args()
    table = units(given.units)
    taken: dict[str, list[float]] = {"bare": [], "ours": []}
    with duckdb.connect() as connection:
        connection.execute(f"set threads = {_THREADS}")
        connection.register("given", table)
        connection.execute("create table units as select * from given")
        found = ours(connection)
        bare(connection)
        for _ in range(given.repeat):
            for name, way in (("bare", bare), ("ours", ours)):
                began = time.perf_counter()
                way(connection)
                taken[name].append(time.perf_counter() - began)
    seconds = {name: min(times) for name, times in taken.items()}
    say(
        "online test: analysis of units, s",
        _RATIO * seconds["bare"],
        seconds["ours"],
        bare=round(seconds["bare"], 3),
        units=given.units,
        rows_per_s=round(given.units / seconds["ours"]),
    )
    python = os.environ.get("ONLINE_PYTHON")
    if python is None:
        say("online test: analysis, s, without gbstats and tea-tasting beside it", None, seconds["ours"])
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "units.npz"
        np.savez(path, **{name: table[name].to_numpy() for name in table.column_names})
        for name in ("gbstats", "tea-tasting"):
            theirs, effects = peer(python, path, name, min(3, given.repeat))
            far = max(abs(a - one.estimate) / one.se for a, (one, _, _) in zip(effects, found, strict=True))
            # Their θ is pooled over variants as if they were one, ours within them: the same but for the effect itself.
            assert far < 0.05, f"{name} finds another effect: {effects}"
            say(f"online test: analysis beside {name}, s", theirs, seconds["ours"], theirs=round(theirs, 3))


if __name__ == "__main__":
    main()
