"""What evaluations say in a model's card: on which rows, by which metrics, and by segment with intervals."""

import json
from typing import Any, NamedTuple

import msgspec

from assay.prove.checks import Check
from assay.prove.evaluation import Evaluation, load_evaluation
from assay.prove.rows import EvaluationRow
from assay.record.store import Row, Store
from assay.stats import FoundSlice, metric_of_any_task
from assay.steer.cards.document import Fact, Section, Table
from assay.steer.cards.hub_names import hub_name
from assay.steer.cards.words import day, estimate, short

__all__ = [
    "Judged",
    "data_section",
    "factor_section",
    "judged",
    "metric_section",
    "names_of",
    "quantity_section",
    "results_of",
]

_MOST_ROWS = 200
_TASKS = {  # names of tasks on the Hugging Face hub
    "binary": ("tabular-classification", "Binary classification"),
    "multiclass": ("tabular-classification", "Classification"),
    "regression": ("tabular-regression", "Regression"),
    "quantile": ("tabular-regression", "Quantile regression"),
    "ranking": ("text-ranking", "Ranking"),
}
_METRICS = {"auc": "roc_auc", "brier": "brier_score", "average_precision": "average_precision", "r2": "r_squared"}


class Judged(NamedTuple):
    """The evaluations of a version, newest first, the newest of them in full, and the last verdict on that one."""

    rows: list[Row]
    newest: Evaluation
    table: list[EvaluationRow]
    gate: Row | None


def judged(store: Store, mv_id: str) -> Judged | None:
    """What is known of a version; None where it was never evaluated."""
    rows = store.query("evaluation", {"mv_id": mv_id}, order_by=["-ts", "evaluation_id"])
    if not rows:
        return None
    newest = load_evaluation(store, rows[0]["evaluation_id"])
    asked = {"evaluation_id": newest.evaluation_id, "mode": "auto"}
    gates = store.query("gate", asked, order_by=["-decision"], limit=1)
    return Judged(rows, newest, newest.table().rows, gates[0] if gates else None)


def factor_section(found: Judged | None) -> Section:
    """By what the rows were parted."""
    if found is None:
        return Section("factors", "Factors")
    values: dict[str, set[str]] = {}
    for segment in found.newest.profile.segments:
        for column, value in segment.conditions:
            values.setdefault(column, set()).add(value)
    facts = [Fact(column, f"{len(there):,} values") for column, there in values.items()]
    return Section(
        "factors", "Factors", facts=facts, lacking=[] if facts else ["segments: all rows were judged as one"]
    )


def metric_section(found: Judged | None) -> Section:
    """Which metrics, which direction is better, how their intervals are made, and what was agreed to be unimportant."""
    if found is None:
        return Section("metrics", "Metrics")
    policy = json.loads(found.gate["detail"])["policy"] if found.gate else {"metrics": {}}
    rows = []
    methods = {row.metric: row.method for row in reversed(found.table) if row.segment == "overall"}
    for name in found.newest.metrics:
        known = metric_of_any_task(name)
        better = known.larger_is_better if known else None
        margin = policy["metrics"].get(name, {}).get("margin")
        word = {True: "larger", False: "smaller", None: "neither"}[better]
        agreed = f"{margin:g}" if margin else "none stated"
        rows.append([known.title if known else name, name, word, methods.get(name, ""), agreed])
    headings = ["metric", "name", "better", "interval", "loss agreed to be unimportant"]
    unit = " and ".join(found.newest.unit)
    together = f"rows of one {unit} hang together" if unit else "rows are independent"
    detail = json.loads(found.rows[0]["detail"])
    notes = [f"Intervals are two-sided with 95 % confidence; {together}."]
    if found.newest.profile.task.name == "binary":
        notes.append(f"The answer is yes from a score of {detail['threshold']:g} on.")
    return Section("metrics", "Metrics", notes=notes, tables=[Table("", headings, rows)])


def data_section(found: Judged | None) -> Section:
    """On which rows it was judged."""
    if found is None:
        return Section("evaluation", "Evaluation data")
    rows, links = [], []
    for row in found.rows:
        detail = json.loads(row["detail"])
        baseline = detail["names"].get("baseline") or "none"
        hashes = short(row["dataset_hash"])
        rows.append(
            [
                row["evaluation_id"][:8],
                detail["dataset"],
                hashes,
                f"{detail['rows']:,}",
                detail["label"],
                baseline,
                day(row["event_ts"] or row["ts"]),
            ]
        )
        links.append(f"/evaluations/{row['evaluation_id']}")
    headings = ["evaluation", "dataset", "hash", "rows", "label", "beside", "when"]
    notes = []
    unlabelled = found.newest.profile.n_rows - found.newest.profile.n_labelled
    if unlabelled:
        rows_of = f"{found.newest.rows:,} rows of the newest evaluation"
        notes.append(f"{unlabelled:,} of the {rows_of} have no label and are left out.")
    return Section("evaluation", "Evaluation data", notes=notes, tables=[Table("", headings, rows, links=links)])


def quantity_section(found: Judged | None) -> Section:
    """What came out: on all rows, by segment, by crosses of segments, and what the gate said."""
    if found is None:
        return Section("quantities", "Quantitative analyses")
    main = found.newest.dataset_name
    crossed = {one.name: len(one.conditions) for one in found.newest.profile.segments}
    metrics = list(dict.fromkeys(row.metric for row in found.table))
    here = [row for row in found.table if row.dataset == main]
    others = [row for row in found.table if row.dataset != main and row.segment == "overall"]
    tables = [
        _table("All rows", "dataset", metrics, [row for row in here if crossed[row.segment] == 0], by_dataset=True),
        _table("By segment", "segment", metrics, [row for row in here if crossed[row.segment] == 1]),
        _table("By several at once", "segment", metrics, [row for row in here if crossed[row.segment] > 1]),
        _table("Other datasets, all rows", "dataset", metrics, others, by_dataset=True),
        *_slices(found.newest.found),
    ]
    facts, fairness = _verdict(found.gate)
    tables = [table for table in [*tables, fairness] if table.rows]
    return Section("quantities", "Quantitative analyses", facts=facts, tables=tables)


def results_of(found: Judged, model: str) -> list[dict[str, Any]]:
    """`model-index` of a Hugging Face card: the newest evaluation on all rows of each of its datasets."""
    kind, name = _TASKS.get(found.newest.profile.task.name, ("other", found.newest.profile.task.name))
    results = []
    for dataset in dict.fromkeys(row.dataset for row in found.table):
        metrics = []
        for row in found.table:
            if row.dataset == dataset and row.segment == "overall" and row.value is not None:
                known = metric_of_any_task(row.metric)
                said = {"type": _METRICS.get(row.metric, row.metric), "value": round(row.value, 6)}
                metrics.append({**said, "name": known.title if known else row.metric})
        at: dict[str, Any] = {"type": hub_name(dataset), "name": dataset}
        if dataset == found.newest.dataset_name:
            at["revision"] = found.newest.dataset_hash
        if metrics:
            results.append({"task": {"type": kind, "name": name}, "dataset": at, "metrics": metrics})
    return [{"name": model, "results": results}] if results else []


def names_of(found: Judged) -> list[str]:
    """The metrics of the newest evaluation, as the hub calls them."""
    return [_METRICS.get(name, name) for name in found.newest.metrics]


def _table(title: str, what: str, metrics: list[str], rows: list[EvaluationRow], *, by_dataset: bool = False) -> Table:
    lines: dict[str, tuple[int, dict[str, str]]] = {}
    for row in rows:
        key = row.dataset if by_dataset else row.segment
        lines.setdefault(key, (row.n, {}))[1][row.metric] = estimate(row.value, row.low, row.high)
    kept = sorted(lines.items(), key=lambda line: -line[1][0])[:_MOST_ROWS]  # the same order where rows are as many
    order = {key: place for place, key in enumerate(lines)}
    kept.sort(key=lambda line: order[line[0]])
    more = len(lines) - len(kept)
    return Table(
        title,
        [what, "rows", *metrics],
        [[key, f"{n:,}", *(values.get(metric, "–") for metric in metrics)] for key, (n, values) in kept],
        more=f"{more:,} smaller ones are in the evaluation." if more else "",
    )


def _verdict(gate: Row | None) -> tuple[list[Fact], Table]:
    """What the gate said, and groups beside each other where its policy bounds them."""
    headings = ["group", "rate", "rows", "value", "reference", "bound", "verdict"]
    if gate is None:
        return [], Table("Groups", headings, [])
    detail = json.loads(gate["detail"])
    facts = [
        Fact("Verdict of the gate", gate["outcome"], f"/evaluations/{gate['evaluation_id']}"),
        Fact("Policy", f"{detail['policy'].get('name', '')} ({short(gate['policy_version'])})"),
        *(Fact("Reason", reason) for reason in detail["reasons"][:10]),
    ]
    rows = []
    for check in msgspec.json.decode(gate["checks"], type=list[Check]):
        if check.kind == "fairness":
            numbers = [f"{n:.4f}" if n is not None else "–" for n in (check.value, check.baseline_value, check.bound)]
            rows.append([check.segment, check.metric, f"{check.n:,}", *numbers, check.verdict])
    return facts, Table("Groups beside each other", headings, rows, keys=2)


def _slices(found: dict[str, list[FoundSlice]]) -> list[Table]:
    titles = {
        "loss": "Slices where the loss is higher than elsewhere, found on half of the units, tested on the others",
        "difference": "Slices where it is worse than the baseline, found on half of the units, tested on the others",
    }
    headings = ["slice", "rows", "loss more than elsewhere", "said"]
    return [
        Table(
            titles[kind],
            headings,
            [
                [
                    one.segment.name,
                    f"{one.n:,}",
                    f"{one.effect:+.4f} ({one.low:+.4f} to {one.high:+.4f})",
                    "confirmed" if one.confirmed else "not confirmed",
                ]
                for one in slices
            ],
        )
        for kind, slices in found.items()
    ]
