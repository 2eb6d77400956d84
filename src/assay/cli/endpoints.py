"""Endpoints in the terminal: who answers, which workers serve what, and which variant a unit has."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from assay.cli.tables import pairs, table, when

if TYPE_CHECKING:
    from assay.operate.routing.endpoints import EndpointDetail, EndpointSummary, EndpointVariant, UnitVariant

__all__ = ["endpoint_detail", "endpoint_list", "unit_variant"]


def endpoint_list(found: "list[EndpointSummary]") -> RenderableType:
    """One line for each endpoint."""
    if not found:
        return Text("no endpoints yet; `assay promote` makes one")
    shown = table("endpoint", "answers", "shadows", "experiment", "revision", "workers", "changed")
    for one in found:
        live = [variant for variant in one.variants if variant.role == "live"]
        shadows = [_version(variant) for variant in one.variants if variant.role == "shadow"]
        answers = ", ".join(f"{_version(variant)} {variant.share:.4g}" for variant in live)
        shown.add_row(
            one.endpoint,
            answers if len(live) > 1 else _version(live[0]),
            ", ".join(shadows),
            one.experiment or "",
            str(one.revision),
            f"{one.serving} of {one.workers}",
            f"{when(one.ts)} by {one.actor}",
        )
    return shown


def endpoint_detail(found: "EndpointDetail") -> RenderableType:
    """The variants, the split, the workers and the decisions."""
    parts: list[RenderableType] = [Text(f"{found.endpoint}, routing revision {found.revision}", "bold")]
    parts.append(_variants(found))
    if found.split is not None:
        split = found.split
        facts = {
            "experiment": f"{split.experiment}, phase {split.phase}",
            "takes part": f"{split.coverage / 100:g} % of the units",
            "segment": split.segment or "all rows",
            "hash": f"{split.hash_version} salted with {split.salt}",
        }
        parts.append(pairs(facts, "split"))
    if found.workers:
        shown = table("worker", "address", "serves", "seen", "", title="workers")
        for one in found.workers:
            serves = "nothing yet" if one.revision is None else f"revision {one.revision}"
            said = one.problem or ("" if one.live else "lost")
            shown.add_row(one.worker, one.url, serves, when(one.seen), said, style="" if one.live else "yellow")
        parts.append(shown)
    else:
        parts.append(Text(f"no workers; `assay serve {found.endpoint}` starts one", "dim"))
    if found.decisions:
        widths = {"who": 12, "why": 50}
        decided = table("revision", "decision", "what", "when", "who", "why", title="decisions", widths=widths)
        for decision in found.decisions:
            why = (decision.kind, when(decision.ts), decision.actor, decision.reason)
            decided.add_row(str(decision.revision), str(decision.decision), *why)
        parts.append(decided)
    return Group(*parts)


def unit_variant(found: "UnitVariant") -> RenderableType:
    """The variant of a unit in a sentence, and the figures behind it."""
    said = Text(f"{found.unit} has {found.variant}, {found.model}/{found.version}: {found.words}")
    bucket = "" if found.bucket is None else f", bucket {found.bucket}"
    figures = f"reason {found.reason}, probability {found.propensity:.4g}{bucket}, routing revision {found.revision}"
    return Group(said, Text(figures, "dim"))


def _variants(found: "EndpointDetail") -> Table:
    shown = table("variant", "version", "answers", "weight", title="variants")
    for one in found.variants:
        share = f"{one.share * 100:.4g} % of the units" if one.role == "live" else "a copy, for the log"
        shown.add_row(one.name, _version(one), share, str(one.weight) if one.role == "live" else "")
    return shown


def _version(one: "EndpointVariant") -> str:
    return f"{one.model}/{one.version}"
