"""An evaluation as one HTML page that needs nothing but itself, and as a fragment for a notebook."""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from assay.prove.plots import Forest, Heatmap, forest, heatmap
from assay.stats import metric_named

if TYPE_CHECKING:
    from assay.prove.evaluation import Evaluation
    from assay.prove.gate import GateResult

__all__ = ["Plot", "evaluation_page", "evaluation_plot", "forests_plot", "fragment"]


class Plot:
    """Pictures of an evaluation: a notebook shows them, `save` writes them as an HTML file."""

    def __init__(self, html: str, title: str = "Evaluation") -> None:
        self.html = html
        self.title = title

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> None:
        """Write the pictures as a page of their own."""
        from markupsafe import escape

        heading = f'<div class="assay"><h1>{escape(self.title)}</h1></div>'
        Path(path).write_text(_page(heading + self.html, self.title), encoding="utf-8")


def evaluation_plot(evaluation: "Evaluation") -> Plot:
    """A forest for each metric, and a heatmap for each pair of segment columns."""
    return Plot(_render(evaluation, None, whole=False))


def evaluation_page(evaluation: "Evaluation", result: "GateResult | None") -> str:
    """The page of an evaluation, with the verdict on it where one is given."""
    return _page(_render(evaluation, result, whole=True), _title(evaluation))


def _title(evaluation: "Evaluation") -> str:
    candidate, baseline = evaluation.names["candidate"], evaluation.names.get("baseline")
    if candidate == baseline:
        return f"Two models of {candidate}"
    return f"{candidate} beside {baseline}" if baseline else f"{candidate} on labelled rows"


def _render(evaluation: "Evaluation", result: "GateResult | None", *, whole: bool) -> str:
    rows = evaluation.table().rows
    datasets = [evaluation.dataset_name, *evaluation.others]
    task = evaluation.profile.task
    metrics = [*(metric_named(name, task) for name in evaluation.metrics), *evaluation.own]
    titles = {one.name: one.title for one in metrics}
    heatmaps: list[Heatmap] = []
    for first, second in combinations(evaluation.segments, 2):
        found = (heatmap(rows, m, title, evaluation.dataset_name, first, second) for m, title in titles.items())
        heatmaps += [one for one in found if one is not None]
    return fragment(
        "evaluation.html",
        title=_title(evaluation) if whole else None,
        about=_about(evaluation),
        result=result,
        many=len(datasets) > 1,
        forests=[forest(rows, metric, title, name) for name in datasets for metric, title in titles.items()],
        heatmaps=heatmaps,
        groups=[check for check in result.checks if check.kind == "fairness"] if result else [],
        rows=rows if whole else [],
    )


def forests_plot(forests: list[Forest], title: str) -> Plot:
    """Forests alone."""
    return Plot(fragment("evaluation.html", forests=forests), title)


def fragment(template: str, **values: object) -> str:
    """A template of this room, with its style."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(loader=PackageLoader("assay.prove"), autoescape=True)
    source = environment.loader.get_source(environment, "evaluation.css")[0] if environment.loader else ""
    css = Markup(source)  # noqa: S704 - a file of this package
    return environment.get_template(template).render(css=css, **values)


def _about(evaluation: "Evaluation") -> str:
    unlabelled = evaluation.profile.n_rows - evaluation.profile.n_labelled
    labels = f", {unlabelled:,} of them without a label" if unlabelled else ""
    unit = f"rows of one {' and '.join(evaluation.unit)} hang together" if evaluation.unit else "rows are independent"
    return (
        f"{evaluation.rows:,} rows of {evaluation.dataset_name}{labels}; label {evaluation.label}; {unit}; "
        f"{len(evaluation.profile.segments):,} segments; rows' hash {evaluation.dataset_hash[:12]}."
    )


def _page(fragment: str, title: str) -> str:
    from markupsafe import escape

    body = "margin: 0 auto; padding: 1.5rem clamp(0.75rem, 4vw, 2.5rem); max-width: 80rem"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body { margin: 0; background: #fbfbfa; }"
        "@media (prefers-color-scheme: dark) { body { background: #14171a; } }</style></head>"
        f'<body><main style="{body}">{fragment}</main></body></html>\n'
    )
