"""Evaluation by segment beside the leanest NumPy pass that computes the same values without intervals.

    python benchmarks/segment_eval.py [--rows 1000000] [--streamed 0] [--repeat 5]

1,000,000 rows, four text columns with all their pairs (997 segments and overall), seven metrics with 95 % intervals;
then the paired comparison of two models. Prints a JSON line for each figure: target, value, ratio, ok. `--streamed`
adds a Parquet file of that many rows, evaluated in batches in a process of its own.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.measured import peak_mb

from assay.prove.evaluation import evaluate
from assay.prove.gate import judge
from assay.prove.policy import Guard, Policy
from assay.stats import Columns, Profile, compare_all, estimate_all

CARDINALITIES = {"seg2": 2, "seg5": 5, "seg10": 10, "seg50": 50}
METRICS = ("accuracy", "precision", "recall", "fpr", "auc", "log_loss", "brier")
THRESHOLDS = {"candidate": 0.5, "champion": 0.5}
BATCH = 1_000_000


def workload(rows: int, seed: int = 31) -> pa.Table:
    """Labels, two models' scores, and four text columns."""
    generator = np.random.default_rng(seed)
    codes = {
        name: generator.choice(count, rows, p=generator.dirichlet(np.full(count, 3.0)))
        for name, count in CARDINALITIES.items()
    }
    logit = generator.normal(-1.0, 1.3, rows) + 0.25 * (codes["seg5"] - 2) + 0.02 * (codes["seg50"] - 25)
    label = generator.random(rows) < 1 / (1 + np.exp(-logit))
    scores = {
        name: 1 / (1 + np.exp(-(logit + generator.normal(0, 1, rows) * (noise + 0.3 * codes["seg2"]))))
        for name, noise in (("candidate", 0.5), ("champion", 0.55))
    }
    texts = {
        name: pa.array([f"{name}_{code:02d}" for code in range(CARDINALITIES[name])]).take(pa.array(column))
        for name, column in codes.items()
    }
    return pa.table({"label": label.astype(np.int8), **scores, **texts})


def limit(codes: dict[str, np.ndarray], label: np.ndarray, score: np.ndarray) -> int:
    """The exact values of all segments by bincount, with ranks for the area and Wilson's interval of the accuracy."""
    y, says = label.astype(np.float64), (score >= 0.5).astype(np.float64)
    log_loss = np.where(label == 1, -np.log(score), -np.log1p(-score))
    brier, right = (score - y) ** 2, y * says
    order = np.argsort(score)
    ordered, rows = y[order], len(y)
    segments = 0
    for names in (*itertools.combinations(CARDINALITIES, 1), *itertools.combinations(CARDINALITIES, 2)):
        code, size = np.zeros(rows, dtype=np.int64), 1
        for name in names:
            code, size = code * CARDINALITIES[name] + codes[name], size * CARDINALITIES[name]
        n, positives, selected, tp, _, _ = (
            np.bincount(code, weights, size) for weights in (None, y, says, right, log_loss, brier)
        )
        with np.errstate(all="ignore"):
            accuracy, fp = (n - positives - selected + 2 * tp) / n, selected - tp
            _ = tp / selected, tp / positives, fp / (n - positives)
            along = code[order]
            within = np.argsort(along.astype(np.int16), kind="stable")
            start = np.concatenate([[0], np.cumsum(n)[:-1]])
            rank = np.arange(rows) - start[along[within]] + 1
            ranks = np.bincount(along[within], rank * ordered[within], size)
            _ = (ranks - positives * (positives + 1) / 2) / (positives * (n - positives))
            centre = (accuracy + 1.96**2 / (2 * n)) / (1 + 1.96**2 / n)
            _ = centre + 1.96 * np.sqrt(accuracy * (1 - accuracy) / n + 1.96**2 / (4 * n * n)) / (1 + 1.96**2 / n)
        segments += size
    return segments


def profiled(table: pa.Table, models: tuple[str, ...], *, influence: bool) -> Profile:
    """The profile of some models of the workload."""
    return Profile.build(
        table["label"].to_numpy(),
        {model: table[model].to_numpy() for model in models},
        {name: table[name] for name in CARDINALITIES},
        None,
        {model: THRESHOLDS[model] for model in models},
        influence=influence,
    )


def evaluate_one(table: pa.Table) -> Profile:
    """One model, every metric with its interval on every segment."""
    profile = profiled(table, ("candidate",), influence=False)
    for metric in METRICS:
        estimate_all(profile, "candidate", metric)
    return profile


def compare_two(table: pa.Table) -> Profile:
    """Two models, every metric compared on every segment."""
    profile = profiled(table, ("candidate", "champion"), influence=True)
    for metric in METRICS:
        compare_all(profile, "candidate", "champion", metric, 0.01)
    return profile


def streamed(path: Path) -> None:
    """Evaluate a Parquet file in batches and print the peak memory of this process and the seconds it took."""

    def batches() -> Iterator[Columns]:
        for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(BATCH):
            columns = {name: batch.column(name) for name in CARDINALITIES}
            scores = {"candidate": batch.column("candidate").to_numpy()}
            yield Columns(batch.column("label").to_numpy(), scores, columns, None)

    begun = time.perf_counter()
    profile = Profile.stream(batches, {"candidate": 0.5}, influence=False)
    for metric in METRICS:
        estimate_all(profile, "candidate", metric)
    peak = peak_mb()
    print(json.dumps({"seconds": time.perf_counter() - begun, "peak_mb": peak, "rows": profile.n_rows}))


def median(work: Callable[[], object], repeat: int) -> float:
    """Median seconds of some runs, after one to warm up."""
    seconds = []
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:])


def report(name: str, target: float, value: float, unit: str, **more: object) -> None:
    """One line of figures; ok where the value is within the target."""
    line = {"benchmark": "segment-eval", "figure": name, "target": target, "value": round(value, 4), "unit": unit}
    print(json.dumps({**line, "ratio": round(value / target, 3), "ok": value <= target, **more}), flush=True)


def main() -> None:
    """Run all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--streamed", type=int, default=0, help="rows of the Parquet file that is read in batches")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=["one", "two"], help="measure the memory of one piece of work here")
    parser.add_argument("--table", type=Path, help="the Parquet file with the rows for --only")
    parser.add_argument("--file", type=Path, help="evaluate this Parquet file in batches in this process")
    given = parser.parse_args()
    if given.file:
        streamed(given.file)
        return
    if given.only:
        table = pq.read_table(given.table)
        before = peak_mb()
        (evaluate_one if given.only == "one" else compare_two)(table)
        print(json.dumps({"before_mb": before, "peak_mb": peak_mb()}))
        return
    table = workload(given.rows)
    codes = {
        name: table[name].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int16)
        for name in CARDINALITIES
    }
    label, score = table["label"].to_numpy(), table["candidate"].to_numpy()
    floor = median(lambda: limit(codes, label, score), given.repeat)
    one = median(lambda: evaluate_one(table), given.repeat)
    two = median(lambda: compare_two(table), given.repeat)
    seconds = {"limit_s": round(floor, 4), "rows": given.rows}
    report("evaluate, times the limit", 3.0, one / floor, "x", seconds=round(one, 4), **seconds)
    report("evaluate and compare, times the limit", 6.0, two / floor, "x", seconds=round(two, 4), **seconds)
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # read, not made: making the rows takes more memory than their answers
        path = Path(folder) / "rows.parquet"
        pq.write_table(table, path)
        for work, target in (("one", 1000.0), ("two", 1000.0)):
            command = [sys.executable, "-m", "benchmarks.segment_eval", "--only", work, "--table", str(path)]
            peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            report(f"peak memory, {work} model{'s' if work == 'two' else ''}", target, peak["peak_mb"], "MB", **peak)
    profile = profiled(table, ("candidate", "champion"), influence=True)
    stored = len(profile.to_bytes())
    report("stored profile of two models", 20e6, float(stored), "bytes", segments=len(profile.segments))
    size = given.rows // 100
    parts = [
        profiled(table.slice(start, size), ("candidate",), influence=False) for start in range(0, 100 * size, size)
    ]
    merging = median(lambda: Profile.total(parts), 1)
    report("merging 100 profiles", 1.0, merging, "s", rows_each=size)
    _report_gate(table, given.repeat)
    if given.streamed:
        _report_streamed(given.streamed)


def _report_gate(table: pa.Table, repeat: int) -> None:
    """The verdict on a finished profile, with a margin on three metrics in every segment."""
    evaluation = evaluate("candidate", table, baseline="champion", label="label", segments=list(CARDINALITIES))
    guards = {"accuracy": Guard(margin=0.01), "auc": Guard(margin=0.01), "brier": Guard(margin=0.005)}
    policy = Policy(name="benchmark", metrics=guards, segments=list(CARDINALITIES))
    seconds = median(lambda: judge(evaluation, policy), repeat)
    report("gate on a finished profile", 0.05, seconds, "s", checks=len(judge(evaluation, policy)[2]))


def _report_streamed(rows: int) -> None:
    """Files of a tenth of the rows and of all; the time must grow as the rows do."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for size in (rows // 10, rows):
            path = Path(folder) / f"{size}.parquet"
            with pq.ParquetWriter(path, workload(10).schema) as writer:
                for start in range(0, size, BATCH):
                    writer.write_table(workload(min(BATCH, size - start), seed=start % 7))
            command = [sys.executable, "-m", "benchmarks.segment_eval", "--file", str(path)]
            found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            path.unlink()
    report("streamed, peak memory", 2000.0, found[1]["peak_mb"], "MB", **found[1])
    growth = found[1]["seconds"] / found[0]["seconds"]
    report("streamed, growth of the time for ten times the rows", 11.0, growth, "x", **found[1])


if __name__ == "__main__":
    main()
