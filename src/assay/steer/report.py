"""The report: what happened to a model, on one HTML page that needs nothing but itself."""

from pathlib import Path
from typing import Annotated

import msgspec
from markupsafe import Markup

from assay.errors import InvalidInput, StoreUnavailable
from assay.operation import operation
from assay.record.files import write_whole
from assay.record.store import Store
from assay.stats import metric_of_any_task
from assay.steer.charts import ForestPlot, forest_plot, forest_range, time_chart
from assay.steer.facts import Facts
from assay.steer.loop import LoopSummary, summarise
from assay.steer.page_templates import environment

__all__ = ["ReportFile", "render", "report", "write_report"]

_READABLE = 0o644


class ReportFile(msgspec.Struct, frozen=True):
    """A report that was written, and its size in bytes."""

    path: str
    bytes: int
    model: str


@operation("report", local=True)
def report(
    store: Store, model: str, *, output: Annotated[str, "The HTML file to write"] = "assay-report.html"
) -> ReportFile:
    """Write the report of a model as one HTML file."""
    return write_report(store, model, Path(output).absolute())


def write_report(store: Store, model: str, target: Path) -> ReportFile:
    """Write the report to `target`: all of it or nothing, an earlier file is replaced.

    InvalidInput where the folder does not exist or the target is a folder, StoreUnavailable where the file cannot be
    written, NotFound where the model was never judged.
    """
    if target.is_dir() or not target.parent.is_dir():
        raise InvalidInput(
            "the report cannot be written", where=str(target), expected="the name of a file in a folder that exists"
        )
    content = render(summarise(store, model)).encode()
    try:
        write_whole(target, content, _READABLE)
    except OSError as error:
        raise StoreUnavailable(
            f"the report cannot be written: {error.strerror}", where=str(target), hint="--output another file"
        ) from error
    return ReportFile(path=str(target), bytes=len(content), model=model)


def render(summary: LoopSummary) -> str:
    """The page of a summary. The same summary gives the same page."""
    facts = Facts(summary)
    templates = environment()
    templates.globals.update(
        fact=facts.show,
        key=facts.key,
        heading=_heading,
        title=_title,
        embedded=Markup(_embedded(summary)),  # noqa: S704 - escaped for the element it stands in
    )
    page = templates.get_template("report.html")
    forests = _forests(summary)
    return page.render(s=summary, forests=forests, chart=time_chart(summary.watches, summary.deployments))


def _forests(summary: LoopSummary) -> dict[str, ForestPlot]:
    """The forest plots by part of the summary; candidates judged by the same metric share an axis."""
    parts = {"champion": summary.champion, "refused": summary.refused, "promoted": summary.promoted}
    judged = {name: part for name, part in parts.items() if part is not None}
    candidates = [part for name, part in judged.items() if name != "champion"]
    plots = {}
    for name, part in judged.items():
        beside = [part] if name == "champion" else [other for other in candidates if other.metric == part.metric]
        scale = forest_range([other.checks for other in beside], part.metric)
        plots[name] = forest_plot(part.checks, part.metric, scale)
    return plots


def _heading(metric: str) -> str:
    known = metric_of_any_task(metric)
    return known.title if known else metric


def _title(metric: str) -> str:
    """A metric as it stands inside a sentence: only names keep their capital."""
    text = _heading(metric)
    return text if text.startswith("Brier") else text[:1].lower() + text[1:]


def _embedded(summary: LoopSummary) -> str:
    """The summary as JSON that cannot end the script element it stands in."""
    text = msgspec.json.encode(summary).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
