"""What came of compiling a version, and what becomes of values that training never had, in the terminal."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import pairs, table, when

if TYPE_CHECKING:
    from assay.build.models.compiling import CompileReport
    from assay.build.models.version_command import VersionDetail
    from assay.operate.routing.column_policies import EndpointPolicies

__all__ = ["compile_report", "endpoint_policies", "version_detail"]


def compile_report(found: "CompileReport") -> RenderableType:
    """The verdict, and the proof."""
    name = f"{found.model}/{found.version}"
    if found.outcome == "compiled":
        size = f", {found.size / 1000:,.1f} kB" if found.size is not None else ""
        head = Text(f"{name} is compiled: {found.form}{size}", "green")
    else:
        head = Text(f"{name} is not compiled: {found.reason}", "yellow")
    facts: dict[str, str] = {}
    if found.parity is not None:
        proof = found.parity
        facts["compared"] = f"{proof.rows:,} rows of training, {proof.border:,} at borders ({proof.refused:,} refused)"
        facts["difference"] = f"{proof.difference:.2g}, allowed is {found.tolerance:g}"
        facts["other class"] = f"{proof.flips:,} rows"
    if found.native_us is not None and found.compiled_us is not None:
        facts["one row"] = f"{found.compiled_us:,.1f} µs, the model itself {found.native_us:,.1f} µs"
    return Group(head, pairs(facts)) if facts else head


def version_detail(found: "VersionDetail") -> RenderableType:
    """The version as `assay models` lists it, and whether it is compiled."""
    one = found.summary
    facts = {
        "made": when(one.created),
        "run": (one.run_id or "")[:8],
        "hash": one.hash[:12],
        "aliases": ", ".join(one.aliases),
        "verdict": one.verdict or "",
        "description": one.description or "",
    }
    name = f"{one.model}/{one.version}"
    if found.compiling is not None:
        compiling = compile_report(found.compiling)
    else:
        compiling = Text(f"not compiled: nobody tried; `assay compile {one.model} {one.version}` does, or says why not")
    return Group(Text(name, "bold"), pairs({key: said for key, said in facts.items() if said}), compiling)


def endpoint_policies(found: "EndpointPolicies") -> RenderableType:
    """What counts, column by column; what the endpoint itself says is bold."""
    shown = table("column", "missing", "mistyped", "out of range", "unseen", "extra")
    own = {one.column: one for one in found.own}
    for one in found.counts:
        cells = []
        for kind in ("missing", "mistyped", "out_of_range", "unseen", "extra"):
            said = any(getattr(own[name], kind) for name in (one.column, "*") if name in own)
            cells.append(Text(getattr(one, kind) or "", "bold" if said else ""))
        shown.add_row(one.column, *cells)
    return Group(Text(f"{found.endpoint}, routing revision {found.revision}", "bold"), shown)
