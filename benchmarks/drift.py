"""Drift of a table beside the leanest NumPy pass over the same columns, and beside other libraries.

    python -m benchmarks.drift [--rows 1000000] [--repeat 15] [--streamed 10000000]

30 columns, 20 of numbers and 10 of text (2 to 100 values), half of them moved; a reference of 1,000,000 rows is kept as
a profile, in ten windows, and 200,000 current rows come as an Arrow table with plain strings. The bare pass has integer
codes for text, a profile of 256 equal bins that is ready, and one statistic a column. Both are measured in turn, and
the best of each counts, because nothing makes a run too fast. `--streamed` reads a Parquet file of so many rows in a
process of its own, and of a tenth of them. DRIFT_PYTHON is the Python of an environment with Evidently, NannyML and
Frouros; without it those figures are left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.measured import peak_mb, say

from assay.stats.drift import Baseline, TableProfile, judge

NUMBERS, TEXTS = 20, 10
VALUES = (2, 3, 5, 8, 10, 20, 30, 50, 80, 100)
WINDOWS = 10
SEGMENTS = 50
_BATCH = 2**19
_BARE_RATIO = 8.0


def arrays(rows: int, kind: str, seed: int = 41) -> dict[str, np.ndarray]:
    """Numbers, and codes of text; of kind "current" half of the columns are moved."""
    moved = kind == "current"
    generator = np.random.default_rng(seed + moved)
    found: dict[str, np.ndarray] = {}
    for place in range(NUMBERS):
        shift = 0.15 * (place % 2) * moved
        if place % 4 < 2:
            found[f"num{place:02d}"] = generator.normal(shift, 1, rows)
        elif place % 4 == 2:
            found[f"num{place:02d}"] = generator.gamma(2 + shift, 1, rows)
        else:
            found[f"num{place:02d}"] = generator.integers(0, 100, rows) + shift
    for place, count in enumerate(VALUES):
        shares = np.linspace(0.8, 1.2, count) if moved and place % 2 else np.ones(count)
        found[f"cat{place:02d}"] = generator.choice(count, rows, p=shares / shares.sum()).astype(np.int16)
    return found


def table(columns: dict[str, np.ndarray]) -> pa.Table:
    """The same as an Arrow table with plain strings."""
    words = pa.array([f"c{code:03d}" for code in range(max(VALUES))])
    return pa.table(
        {name: words.take(pa.array(own)) if name.startswith("cat") else pa.array(own) for name, own in columns.items()}
    )


Bins = dict[str, tuple[float, float, np.ndarray]]


def bare_profile(columns: dict[str, np.ndarray]) -> tuple[Bins, dict[str, np.ndarray]]:
    """Ends and counts of 256 equal bins of each column of numbers, counts of codes."""
    bins = {}
    for name in (one for one in columns if one.startswith("num")):
        x = columns[name]
        low, high = float(x.min()), float(x.max())
        bins[name] = (low, high, _counts(x, low, high))
    return bins, {name: np.bincount(own) for name, own in columns.items() if name.startswith("cat")}


def _counts(x: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.bincount(np.clip(((x - low) * (256 / (high - low))).astype(np.int32), 0, 255), minlength=256)


def bare(profile: tuple[Bins, dict[str, np.ndarray]], columns: dict[str, np.ndarray]) -> int:
    """Columns beyond the usual limits of KS and chi-square."""
    found = 0
    for name, (low, high, before) in profile[0].items():
        after = _counts(columns[name], low, high)
        n, m = before.sum(), after.sum()
        found += np.abs(np.cumsum(before) / n - np.cumsum(after) / m).max() > 1.358 * (1 / n + 1 / m) ** 0.5
    for name, before in profile[1].items():
        observed = np.array([before, np.bincount(columns[name], minlength=len(before))], float)
        expected = observed.sum(1, keepdims=True) * observed.sum(0) / observed.sum()
        found += ((observed - expected) ** 2 / expected).sum() > len(before) + 2.5 * (2 * len(before)) ** 0.5
    return int(found)


def scipy_loop(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> int:
    """A test a column, as anybody writes it; codes are ready."""
    from scipy.stats import chi2_contingency, ks_2samp

    found = 0
    for name, own in before.items():
        if name.startswith("num"):
            found += ks_2samp(own, after[name], method="asymp").pvalue < 0.05
        else:
            found += chi2_contingency([np.bincount(own), np.bincount(after[name])]).pvalue < 0.05
    return int(found)


_PEER = """
import json, os, sys, time, warnings
warnings.filterwarnings("ignore")
os.environ["NML_DISABLE_USAGE_LOGGING"] = os.environ["NANNYML_DISABLE_USAGE_LOGGING"] = "1"
import numpy as np
import pandas as pd
folder, peer = sys.argv[1], sys.argv[2]
def frame(name):
    columns = dict(np.load(f"{folder}/{name}.npz"))
    words = np.array([f"c{code:03d}" for code in range(100)], dtype=object)
    return pd.DataFrame({key: words[own] if key.startswith("cat") else own for key, own in columns.items()})
before, after = frame("reference"), frame("current")
numbers = [one for one in before if one.startswith("num")]
texts = [one for one in before if one.startswith("cat")]
def evidently(before, after):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    both = [Dataset.from_pandas(one, data_definition=definition) for one in (after, before)]
    for metric in Report([DataDriftPreset()]).run(*both).dict()["metrics"]:
        if isinstance(metric.get("value"), dict) and "count" in metric["value"]:
            return int(metric["value"]["count"])
def nannyml(before, after):
    import nannyml as nml
    calculator = nml.UnivariateDriftCalculator(
        column_names=list(before.columns), chunk_size=len(after),
        continuous_methods=["kolmogorov_smirnov"], categorical_methods=["chi2"])
    calculator.fit(before)
    found = calculator.calculate(after).filter(period="analysis").to_df()
    return int(found.xs("alert", axis=1, level=-1).to_numpy().sum())
def frouros(before, after):
    from frouros.detectors.data_drift import ChiSquareTest, KSTest
    flagged = 0
    for name in before.columns:
        detector = KSTest() if name in numbers else ChiSquareTest()
        detector.fit(X=before[name].to_numpy())
        flagged += detector.compare(X=after[name].to_numpy())[0].p_value < 0.05
    return int(flagged)
way = {"evidently": evidently, "nannyml": nannyml, "frouros": frouros}[peer]
way(before[:3000], after[:1000])
began = time.perf_counter()
flagged = way(before, after)
print(json.dumps({"seconds": time.perf_counter() - began, "flagged": flagged}))
"""
_PEERS = (("evidently", 0.1), ("nannyml", 1.0), ("frouros", 1.0))  # with the share of the rows that it is given


def peer(python: str, folder: Path, name: str) -> tuple[float, int] | None:
    """Seconds and flagged columns of another library in its own environment; None where it does not run."""
    done = subprocess.run([python, "-c", _PEER, str(folder), name], capture_output=True, text=True, check=False)
    if done.returncode:
        print(json.dumps({"workload": f"drift: {name}", "failed": done.stderr.strip().splitlines()[-1:]}), flush=True)
        return None
    said = json.loads(done.stdout.splitlines()[-1])
    return said["seconds"], said["flagged"]


def in_turn(ways: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """The best seconds of each, measured one after the other again and again."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(repeat):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - began)
    return {name: min(times) for name, times in taken.items()}


def streamed(path: Path) -> None:
    """Profile a Parquet file in batches; prints seconds, peak memory and rows."""
    began = time.perf_counter()
    profile = TableProfile.stream(pq.ParquetFile(path, pre_buffer=False).iter_batches(_BATCH))
    seconds = time.perf_counter() - began
    print(
        json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "rows": profile.rows, "bytes": len(profile.to_bytes())})
    )


def _say_streamed(rows: int) -> None:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        part = table(arrays(_BATCH, "current"))
        for size in (rows // 10, rows):
            path = Path(folder) / "rows.parquet"
            with pq.ParquetWriter(path, part.schema) as writer:
                for start in range(0, size, _BATCH):
                    writer.write_table(part.slice(0, min(_BATCH, size - start)))
            command = [sys.executable, "-m", "benchmarks.drift", "--file", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    say("drift: Parquet in batches, peak MB", 2000.0, found[1]["peak_mb"], **found[1])
    growth = found[1]["seconds"] / found[0]["seconds"]
    say("drift: Parquet in batches, time for ten times the rows", 11.0, growth, seconds=found[1]["seconds"])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--streamed", type=int, default=0)
    parser.add_argument("--file", type=Path, help="profile this Parquet file in this process")
    given = parser.parse_args()
    if given.file:
        streamed(given.file)
        return
    before, after = arrays(given.rows, "reference"), arrays(given.rows // 5, "current")
    reference, current = table(before), table(after)
    size = given.rows // WINDOWS
    began = time.perf_counter()
    windows = [TableProfile.of(reference.slice(start, size)) for start in range(0, given.rows, size)]
    profiled = time.perf_counter() - began
    baseline = Baseline.learn(windows)
    learned = time.perf_counter() - began - profiled
    ready = bare_profile(before)
    seconds = in_turn(
        {"bare": lambda: bare(ready, after), "ours": lambda: judge(baseline, TableProfile.of(current))}, given.repeat
    )
    say(
        "drift: 30 columns, profile and verdicts, s",
        _BARE_RATIO * seconds["bare"],
        seconds["ours"],
        bare=round(seconds["bare"], 4),
        rows=len(current),
        flagged=sum(one.state == "drift" for one in judge(baseline, TableProfile.of(current))),
        reference_s=round(profiled, 3),
        learn_s=round(learned, 3),
        baseline_bytes=len(baseline.to_bytes()),
    )
    _say_segments(reference, current, given.repeat)
    loop = in_turn({"scipy": lambda: scipy_loop(before, after)}, 1)["scipy"]
    say("drift: beside a loop over SciPy, s", loop, seconds["ours"], scipy=round(loop, 3))
    _say_peers(before, after, seconds["ours"])
    if given.streamed:
        _say_streamed(given.streamed)


def _say_segments(reference: pa.Table, current: pa.Table, repeat: int) -> None:
    names = pa.array([f"s{code:02d}" for code in range(SEGMENTS)])
    codes = np.random.default_rng(7).integers(0, SEGMENTS, len(reference))
    parts = [one.append_column("part", names.take(pa.array(codes[: len(one)]))) for one in (reference, current)]
    size = len(reference) // WINDOWS
    learning = {"columns": reference.column_names, "segments": ["part"]}
    windows = [TableProfile.of(parts[0].slice(start, size), **learning) for start in range(0, len(reference), size)]
    baseline = Baseline.learn(windows)
    best = in_turn(
        {"ours": lambda: judge(baseline, TableProfile.of(parts[1], like=baseline.reference))}, max(1, repeat // 5)
    )
    say("drift: with 50 segments, s", 1.0, best["ours"], verdicts=len(baseline.bounds))


def _say_peers(before: dict[str, np.ndarray], after: dict[str, np.ndarray], ours: float) -> None:
    python = os.environ.get("DRIFT_PYTHON")
    if python is None:
        say("drift: s, without Evidently, NannyML and Frouros beside it", None, ours)
        return
    for name, share in _PEERS:
        with tempfile.TemporaryDirectory() as folder:
            for part, columns in (("reference", before), ("current", after)):
                rows = round(share * len(columns["num00"]))
                np.savez(
                    Path(folder) / f"{part}.npz",
                    allow_pickle=False,
                    **{key: own[:rows] for key, own in columns.items()},
                )
            found = peer(python, Path(folder), name)
        if found:
            theirs, flagged = found
            say(f"drift: beside {name}, s", theirs, ours, theirs=round(theirs, 3), share_of_rows=share, flagged=flagged)


if __name__ == "__main__":
    main()
