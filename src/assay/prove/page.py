"""An evaluation as one HTML page that needs nothing but itself, and as a fragment for a notebook."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from assay.errors import InvalidInput, nearest
from assay.prove.drawing import Drawing, draw_forest, draw_heatmap
from assay.prove.plots import Heatmap, forest, forest_of_datasets, heatmap
from assay.stats import Metric, metric_named

if TYPE_CHECKING:
    from assay.prove.evaluation import Evaluation
    from assay.prove.gate import GateResult

__all__ = [
    "Pictures",
    "Plot",
    "evaluation_fragment",
    "evaluation_page",
    "evaluation_plot",
    "evaluation_style",
    "fragment",
]

T = TypeVar("T")


class Pictures:
    """Pictures with their tables: a notebook shows them, `save` writes them as a page of their own."""

    def __init__(self, html: str, title: str) -> None:
        self.html = html
        self.title = title

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> None:
        """Write the pictures as an HTML file under their title."""
        from markupsafe import escape

        heading = f'<div class="assay"><h1>{escape(self.title)}</h1></div>'
        Path(path).write_text(_page(heading + self.html, self.title), encoding="utf-8")


class Plot:
    """Pictures of an evaluation: a notebook shows them, `save` writes them as an HTML file.

    `forest` and `heatmap` give one of them as a drawing, to be saved as an SVG file.
    """

    def __init__(self, evaluation: "Evaluation") -> None:
        self.evaluation = evaluation
        self.html = _render(evaluation, None, whole=False)

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> None:
        """Write the pictures as a page of their own."""
        Path(path).write_text(_page(self.html, "Evaluation"), encoding="utf-8")

    def forest(
        self, metric: str, *, dataset: str | None = None, cross: int | None = None, segment: str | None = None
    ) -> Drawing:
        """The intervals of one metric, by segment on a dataset (by default the first), or by dataset on a `segment`.

        `cross` leaves out crosses of more columns. Raises InvalidInput for a metric, dataset or segment that the
        evaluation does not have.
        """
        rows = self.evaluation.table().rows
        one = _one_of("metric", metric, _metrics_of(self.evaluation))
        if segment is not None:
            _one_of("segment", segment, {row.segment: row for row in rows})
            title = one.title if segment == "overall" else f"{one.title}, {segment}"
            return draw_forest(forest_of_datasets(rows, metric, title, segment, signed=_is_signed(one)))
        chosen, title = self._on(dataset, one)
        return draw_forest(forest(rows, metric, title, chosen, cross=cross, signed=_is_signed(one)))

    def heatmap(self, metric: str, first: str, second: str, *, dataset: str | None = None) -> Drawing:
        """The crosses of two segment columns on one metric; InvalidInput where there are none."""
        one = _one_of("metric", metric, _metrics_of(self.evaluation))
        chosen, title = self._on(dataset, one)
        rows = self.evaluation.table().rows
        found = heatmap(rows, metric, title, chosen, first, second, signed=_is_signed(one))
        if found is None:
            raise InvalidInput(
                f"the evaluation has no crosses of {first!r} and {second!r}",
                expected=f"two of {', '.join(self.evaluation.segments)}, in this order",
            )
        return draw_heatmap(found)

    def _on(self, dataset: str | None, metric: Metric) -> tuple[str, str]:
        """The dataset that is meant, and the title of a picture of the metric on it."""
        datasets = _datasets_of(self.evaluation)
        chosen = _one_of("dataset", dataset or datasets[0], {each: each for each in datasets})
        return chosen, f"{metric.title}, {chosen}" if len(datasets) > 1 else metric.title


def evaluation_plot(evaluation: "Evaluation") -> Plot:
    """A forest for each metric, and a heatmap for each pair of segment columns."""
    return Plot(evaluation)


def evaluation_page(evaluation: "Evaluation", result: "GateResult | None") -> str:
    """The page of an evaluation, with the verdict on it where one is given."""
    return _page(_render(evaluation, result, whole=True), _title(evaluation))


def evaluation_fragment(evaluation: "Evaluation", result: "GateResult | None") -> Pictures:
    """The same without the frame of a page, to stand inside another one that brings `evaluation_style` along."""
    return Pictures(_render(evaluation, result, whole=True, styled=False), _title(evaluation))


def evaluation_style() -> str:
    """The style sheet of `evaluation_fragment`; all of it is below the class `assay`."""
    return Path(__file__).with_name("templates").joinpath("evaluation.css").read_text(encoding="utf-8")


def _datasets_of(evaluation: "Evaluation") -> list[str]:
    return [evaluation.dataset_name, *evaluation.others]


def _metrics_of(evaluation: "Evaluation") -> dict[str, Metric]:
    named = (metric_named(name, evaluation.profile.task) for name in evaluation.metrics)
    return {one.name: one for one in (*named, *evaluation.own)}


def _is_signed(metric: Metric) -> bool:
    """Whether 0 is the value to be near to, as for calibration and bias, so that a scale has to show it."""
    return metric.larger_is_better is None and metric.bounds[0] < 0


def _one_of(what: str, name: str, there: Mapping[str, T]) -> T:
    if name not in there:
        close = nearest(name, list(there))
        raise InvalidInput(
            f"the evaluation has no {what} {name!r}",
            expected=", ".join(list(there)[:20]),
            hint=f"did you mean {close!r}?" if close else None,
        )
    return there[name]


def _title(evaluation: "Evaluation") -> str:
    names = {role: "a function" if name == "<lambda>" else name for role, name in evaluation.names.items()}
    candidate, baseline = names["candidate"], names.get("baseline")
    if candidate == baseline:
        return "Two functions" if candidate == "a function" else f"Two models of {candidate}"
    title = f"{candidate} beside {baseline}" if baseline else f"{candidate} on labelled rows"
    return title[0].upper() + title[1:] if title.startswith("a function") else title


def _render(evaluation: "Evaluation", result: "GateResult | None", *, whole: bool, styled: bool = True) -> str:
    rows = evaluation.table().rows
    datasets = _datasets_of(evaluation)
    metrics = _metrics_of(evaluation)
    heatmaps: list[Heatmap] = []
    for first, second in combinations(evaluation.segments, 2):
        for name, one in metrics.items():
            found = heatmap(rows, name, one.title, datasets[0], first, second, signed=_is_signed(one))
            heatmaps += [found] if found else []
    return fragment(
        "evaluation.html",
        styled=styled,
        title=_title(evaluation) if whole else None,
        about=_about(evaluation),
        result=result,
        many=len(datasets) > 1,
        periods=[
            forest_of_datasets(rows, name, one.title, "overall", signed=_is_signed(one))
            for name, one in metrics.items()
            if len(datasets) > 1
        ],
        forests=[
            forest(rows, metric, one.title, name, signed=_is_signed(one))
            for name in datasets
            for metric, one in metrics.items()
        ],
        heatmaps=heatmaps,
        groups=[check for check in result.checks if check.kind == "fairness"] if result else [],
        rows=rows if whole else [],
    )


def fragment(template: str, *, styled: bool = True, **values: object) -> str:
    """A template of this room; `styled` with its style inside."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(loader=PackageLoader("assay.prove"), autoescape=True)
    css = Markup(evaluation_style()) if styled else ""  # noqa: S704 - a file of this package
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
