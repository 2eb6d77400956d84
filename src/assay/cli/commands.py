"""The commands by name. Where each lives and what its help says is written out here so that `--help` imports nothing;
a test compares this with the registry of operations.
"""

from typing import NamedTuple

__all__ = ["COMMANDS", "Command"]


class Command(NamedTuple):
    """Where an operation lives, and the first line of its help."""

    module: str
    summary: str


COMMANDS: dict[str, Command] = {
    "compare": Command("assay.record.comparing", "Put runs side by side: params, metrics and tags that differ"),
    "demo": Command("assay.demo.operation", "Turn the whole loop once on a year of real flights"),
    "diff": Command(
        "assay.record.comparing", "Say how one run differs from another: params, metrics, code, environment and data"
    ),
    "doctor": Command("assay.operate.doctor", "Check the store, its blobs, the ledger and the prediction logs"),
    "evaluate": Command(
        "assay.prove.measurement",
        "Score a version beside a baseline on labelled rows, by segment, and keep the evaluation",
    ),
    "gate": Command(
        "assay.prove.judgement", "Judge an evaluation by a policy, or compute a recorded verdict once more"
    ),
    "ledger list": Command("assay.record.ledger", "List decisions, newest first"),
    "ledger verify": Command("assay.record.ledger", "Check the chain of decisions from the first entry to the last"),
    "models": Command("assay.record.registry", "List models with their versions, aliases and verdicts"),
    "promote": Command(
        "assay.prove.promotion", "Make a version the champion, if the gate let it pass against the champion of now"
    ),
    "repair": Command(
        "assay.prove.remedy",
        "Offer ways to bring a rate of each group to the reference's, measured on rows they were not chosen on",
    ),
    "report": Command("assay.steer.report", "Write the report of a model as one HTML file"),
    "rollback": Command("assay.prove.promotion", "Put the previous champion back at once; no gate stands in the way"),
    "runs": Command("assay.record.runs", "List runs, newest first"),
    "serve": Command("assay.operate.serve", "Serve an endpoint over HTTP until interrupted"),
    "show": Command("assay.record.runs", "Show all that a run recorded; the first characters of its id are enough"),
}
