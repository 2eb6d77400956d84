"""Results for people: tables in a terminal, or one JSON document."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.text import Text

from assay.cli.alerts import (
    alert_history,
    alert_list,
    alert_told,
    incident_detail,
    incident_list,
    incident_told,
)
from assay.cli.approvals import (
    approval_check,
    approval_detail,
    approval_list,
    approval_policy,
    approval_state,
    exception_told,
    overrides,
)
from assay.cli.audit import feature_audit
from assay.cli.cards import (
    card_difference,
    card_list,
    card_text,
    dossier,
    dossier_text,
    one_regime,
    regime_list,
    shown_card,
    written_card,
)
from assay.cli.checks import data_check
from assay.cli.comparison import comparison, difference, repetition
from assay.cli.compiled import compile_report, endpoint_policies, version_detail
from assay.cli.data import dataset_detail, dataset_difference, dataset_lineage, dataset_list, dataset_version
from assay.cli.demo_table import demo_table
from assay.cli.endpoints import endpoint_detail, endpoint_list, unit_variant
from assay.cli.feature_answer import feature_answer
from assay.cli.feature_replay import replayed
from assay.cli.feature_rows import erased, materialization, pushed
from assay.cli.feature_views import (
    duplicates,
    found_features,
    registration,
    usage,
    view_detail,
    view_difference,
    view_list,
    worth,
)
from assay.cli.features import suggestions
from assay.cli.ideas import ideas, one_idea, one_try
from assay.cli.joined import joined_rows
from assay.cli.ledger import (
    anchors,
    bundle,
    checkpoint,
    erased_person,
    keys,
    ledger_check,
    model_check,
    new_key,
    signatures,
    signed,
    signed_model,
)
from assay.cli.lineage import lineage
from assay.cli.monitors import checked_list, monitor_list, monitor_states, told_monitor
from assay.cli.objectives import (
    new_objective,
    objective_detail,
    objective_list,
    observation_list,
    review_list,
    review_told,
    threshold_advice,
    value_report,
)
from assay.cli.online_tests import (
    checked_metrics,
    ended_test,
    online_test,
    online_tests,
    planned_test,
    reading_of_test,
    shared_out,
)
from assay.cli.predictions import label_coverage, prediction_answer
from assay.cli.project import candidate_run, new_project, project_search
from assay.cli.releases import release_list, release_replay, release_report
from assay.cli.run_steps import logs, question, steps_table
from assay.cli.search import search_report
from assay.cli.tables import lines, number, pairs, table, when
from assay.cli.talk import (
    comment_list,
    comment_told,
    communication,
    digest_text,
    notice_list,
    record_list,
    record_told,
    rule_list,
    rule_told,
)
from assay.cli.time_tables import projects, time_report
from assay.cli.triggers import firing_list, story_list, tick_report, told_story, trigger_drill, trigger_list
from assay.cli.why import step_reason, step_reasons

if TYPE_CHECKING:
    from assay.operate.doctor import Examination
    from assay.operate.serving.process import Serving
    from assay.prove.judgement import Judgement
    from assay.prove.measurement import Measurement
    from assay.prove.promotion import Promotion
    from assay.prove.remedy import Remedy
    from assay.record.clearing.gc import GarbageReport
    from assay.record.ledger import Entry
    from assay.record.models.aliases import AliasMove, AliasThen
    from assay.record.models.registry import ModelSummary
    from assay.record.notify.webhooks import Webhook
    from assay.record.people import RoleOf
    from assay.record.tracking.runs import RunDetail, RunSummary
    from assay.server.serve import ServerReady
    from assay.stats import FoundSlice

__all__ = ["RENDERERS", "show"]

_PIPE_WIDTH = 10_000  # a pipe has no width: a row stays one line, for grep and its like


def show(result: object, *, as_json: bool) -> None:
    """Print a result on standard output; nothing for None."""
    if result is None:
        return
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
        sys.stdout.flush()
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = _Console(highlight=False, markup=False, emoji=False, width=width)
    if isinstance(result, list):
        console.print(LIST_RENDERERS[type(result[0]).__name__](result) if result else Text("nothing yet"))
    else:
        console.print(RENDERERS.get(type(result).__name__, _fields)(result))


class _Console(Console):
    """Prints what was recorded as it is: no mark-up in names, and a reader that went away is the caller's to judge."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this where it handles the BrokenPipeError


def _fields(result: msgspec.Struct) -> RenderableType:
    return pairs({name.replace("_", " "): str(getattr(result, name)) for name in result.__struct_fields__})


def _runs(runs: "list[RunSummary]") -> RenderableType:
    if runs[0].columns:
        return _columns(runs)
    shown = table("run", "name", "experiment", "kind", "status", "started", "seconds", "metrics")
    for run in runs:
        metrics = "  ".join(f"{key} {number(value, 4)}" for key, value in run.metrics.items())
        seconds = f"{run.seconds:.1f}" if run.seconds is not None else ""
        shown.add_row(
            run.run_id[:8], run.name, run.experiment, run.kind, run.status, when(run.started), seconds, metrics
        )
    return shown


def _columns(runs: "list[RunSummary]") -> RenderableType:
    shown = table("run", "name", *runs[0].columns)
    for run in runs:
        values = [number(value, 4) if isinstance(value, float) else str(value or "") for value in run.columns.values()]
        shown.add_row(run.run_id[:8], run.name, *values)
    return shown


def _models(models: "list[ModelSummary]") -> RenderableType:
    shown = table("model", "version", "aliases", "verdict", "run", "hash", "compiled", "created", "description")
    for model in models:
        shown.add_row(
            model.model,
            str(model.version),
            ", ".join(model.aliases),
            model.verdict or "",
            (model.run_id or "")[:8],
            model.hash[:12],
            model.compiled or "",
            when(model.created),
            model.description or "",
        )
    return shown


def _move(move: "AliasMove") -> RenderableType:
    why = f": {move.reason}" if move.reason else ""
    return Text(f"{move.model}@{move.alias} {_steps(move)} (decision {move.decision}){why}")


def _moves(moves: "list[AliasMove]") -> RenderableType:
    shown = table("alias", "move", "when", "who", "decision", "reason")
    for move in moves:
        shown.add_row(move.alias, _steps(move), when(move.ts), move.actor, str(move.decision), move.reason or "")
    return shown


def _steps(move: "AliasMove") -> str:
    if move.after is None:
        return f"taken from version {move.before}"
    return f"to version {move.after}" + (f" from {move.before}" if move.before is not None else "")


def _alias_then(found: "AliasThen") -> RenderableType:
    where = "no version" if found.version is None else f"version {found.version}"
    return Text(f"{found.model}@{found.alias} pointed to {where} at {when(found.moment)}")


def _webhooks(hooks: "list[Webhook]") -> RenderableType:
    shown = table("webhook", "name", "address", "status", "form", "signed", "for", "events")
    for hook in hooks:
        signed = "yes" if hook.signed else "no"
        known = (hook.webhook_id[:8], hook.name, hook.url, hook.status, hook.form, signed)
        shown.add_row(*known, hook.audience or "", ", ".join(hook.events))
    return shown


def _entries(entries: "list[Entry]") -> RenderableType:
    shown = table("no", "kind", "subject", "when", "who", "hash", "what")
    for entry in entries:
        what = str(entry.detail.get("verdict") or entry.detail.get("reason") or "")
        if "gate" in entry.detail:
            what += f" ({str(entry.detail['gate'])[:8]})"
        reasons = entry.detail.get("reasons")
        if isinstance(reasons, list) and reasons:
            what += f": {reasons[0]}"
        shown.add_row(str(entry.seq), entry.kind, entry.subject, when(entry.ts), entry.actor, entry.hash[:12], what)
    return shown


def _run_detail(detail: "RunDetail") -> RenderableType:
    if detail.logs:
        return logs(detail.logs)
    run = detail.run
    facts = {
        "run": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        "kind": run.kind,
        "status": run.status,
        "reason": detail.reason,
        "trigger": run.trigger_type,
        "started": when(run.started),
        "event time": when(run.event_ts) if run.event_ts else None,
        "seconds": f"{run.seconds:.3f}" if run.seconds is not None else None,
        "actor": detail.actor,
        "seed": detail.seed,
        "pipeline": detail.pipeline,
        "code": f"{detail.code_sha}{' with uncommitted changes' if detail.dirty else ''}",
        "environment": f"{(detail.env_hash or '')[:12]}, {detail.packages} packages",
    }
    parts: list[RenderableType] = [pairs({key: str(value) for key, value in facts.items() if value is not None})]
    parts += [question(detail.question)] if detail.question else []
    for title in ("params", "tags", "inputs", "outputs"):
        found: dict[str, str] = getattr(detail, title)
        parts += [pairs(found, title)] if found else []
    if run.metrics:
        parts.append(pairs({key: number(value, 6) for key, value in run.metrics.items()}, "metrics"))
    if detail.steps:
        parts.append(steps_table(detail.steps))
    if detail.children:
        parts.append(_runs(detail.children))
    return Group(*parts)


def _examination(found: "Examination") -> RenderableType:
    counts = (
        f"{found.runs} runs, {found.blobs} blobs, {found.ledger_entries} decisions, {found.predictions:,} predictions"
    )
    said = [f"{'sound' if found.sound else 'NOT SOUND'}: {counts}"]
    said += [f"  problem: {text}" for text in found.problems]
    said += [f"  note: {text}" for text in found.notes]
    said += [f"  mended: {text}" for text in found.mended]
    return lines(said, "green" if found.sound else "red")


def _roles(found: "list[RoleOf]") -> RenderableType:
    shown = table("person", "role", "for", "since", "until")
    for one in found:
        shown.add_row(
            one.person, one.role, one.model or "all models", when(one.from_ts), when(one.to_ts) if one.to_ts else ""
        )
    return shown


def _promotion(done: "Promotion") -> RenderableType:
    instead = f" instead of version {done.previous_version}" if done.previous_version else ""
    return Text(
        f"{done.model}/{done.version} is the champion{instead} "
        f"(decision {done.decision}, routing revision {done.revision}): {done.reason}\n{done.approval}"
    )


def _judgement(found: "Judgement") -> RenderableType:
    colour = {"pass": "green", "fail": "red", "inconclusive": "yellow"}[found.verdict]
    said = [found.headline, *(f"  {reason}" for reason in found.reasons)]
    if found.reproduced is None:
        said.append(f"verdict {found.gate_id[:8]}, decision {found.decision}")
    elif found.reproduced:
        said.append(f"the same as recorded with decision {found.decision}, to the last bit")
    else:
        said.append(f"NOT as recorded with decision {found.decision}: {', '.join(found.differences)} differ")
    if found.versions:
        said.append(f"computed with other versions than then: {'; '.join(found.versions)}")
    return Group(lines(said, colour), _checks(found), lines(found.about, ""))


def _checks(found: "Judgement") -> RenderableType:
    headings = ("segment", "metric", "rows", "value", "baseline", "difference", "interval", "p Holm", "verdict")
    shown = table(*headings, "could see", "rows needed")
    for check in found.checks:
        interval = f"{check.low:+.4f} to {check.high:+.4f}" if check.low is not None and check.high is not None else ""
        shown.add_row(
            check.where,
            check.metric,
            f"{check.n:,}",
            _number(check.value, ",.0f" if check.method == "counted" else ".4f"),
            _number(check.baseline_value, ".4f"),
            _number(check.delta, "+.4f"),
            interval,
            f"{check.p_holm:.2g}" if check.delta is not None else "",
            check.verdict,
            _number(check.could_see, ".2g"),
            _number(check.rows_needed, ","),
        )
    return shown


def _measurement(found: "Measurement") -> RenderableType:
    beside = f" beside {found.baseline}" if found.baseline else ", without a baseline"
    labels = f", {found.unlabelled:,} of them without a label" if found.unlabelled else ""
    said = [
        f"{found.candidate}{beside} on {found.rows:,} rows{labels} ({found.dataset}, {found.dataset_hash[:12]}),"
        f" {found.segments:,} segments",
        f"evaluation {found.evaluation_id[:8]}; assay gate {found.evaluation_id[:8]} --policy FILE judges it",
    ]
    beside_headings = ("baseline", "difference", "90 % interval", "p Holm") if found.baseline else ()
    shown = table("segment", "metric", "rows", "value", "95 % interval", *beside_headings)
    for row in found.table:
        cells = [row.segment, row.metric, f"{row.n:,}", _number(row.value, ".4f")]
        cells.append(f"{row.low:.4f} to {row.high:.4f}" if row.low is not None and row.high is not None else row.method)
        if found.baseline:
            ends = ""
            if row.delta_low is not None and row.delta_high is not None:
                ends = f"{row.delta_low:+.4f} to {row.delta_high:+.4f}"
            delta = _number(row.delta, "+.4f")
            cells += [_number(row.baseline_value, ".4f"), delta, ends, _number(row.p_adjusted, ".2g")]
        shown.add_row(*cells)
    return Group(lines(said, ""), shown, *(_slices(kind, slices) for kind, slices in found.found.items()))


def _remedy(found: "Remedy") -> RenderableType:
    from assay.prove.repair_report import report_lines

    said = report_lines(found)
    if found.registered:
        judge = f"assay gate {(found.evaluation or '')[:8]} --policy FILE judges it on the held-out rows"
        said += ["", f"registered as {found.registered}; {judge}"]
    return lines(said, "")


def _slices(kind: str, slices: "list[FoundSlice]") -> RenderableType:
    """Found slices by what was looked for."""
    title = {"loss": "where the log loss is highest", "difference": "where it is higher than the baseline's"}[kind]
    if not slices:
        return Text(f"{title}: nothing found")
    headings = ("slice", "rows", "searched", "confirmed on others", "interval", "p Holm", "")
    shown = table(*headings, title=f"{title}, found on half of the units, tested on the others")
    for one in slices:
        said = "confirmed" if one.confirmed else "not confirmed"
        ends = f"{one.low:+.4f} to {one.high:+.4f}"
        effects = (f"{one.effect_discovery:+.4f}", f"{one.effect:+.4f}")
        shown.add_row(one.segment.name, f"{one.n:,}", *effects, ends, f"{one.p_holm:.2g}", said)
    return shown


def _number(value: float | None, form: str) -> str:
    return format(value, form) if value is not None else ""


def _serving(begun: "Serving") -> RenderableType:
    return Text(
        f"{begun.endpoint} answers at {begun.url}/predict with {begun.model}/{begun.version}; Ctrl-C ends it.\n"
        f"Its inputs: curl {begun.url}/v2/models/{begun.endpoint}"
    )


def _server_ready(begun: "ServerReady") -> RenderableType:
    return Text(
        f"Pages and API: {begun.url} (Ctrl-C ends the server)\n"
        f"Store: {begun.store}\n"
        f"For MLflow's clients: {begun.tracking_uri}"
    )


def _garbage(found: "GarbageReport") -> RenderableType:
    counts = ("runs", "experiments", "logged_models", "registered_models", "versions", "files", "blobs", "bytes")
    said = "gone for good" if found.deleted else f"would go (deleted over {found.older_than_days} days ago)"
    shown = pairs({name.replace("_", " "): f"{getattr(found, name):,}" for name in counts})
    parts: list[RenderableType] = [Text(said, "bold"), shown]
    parts += [Text(f"{said.partition(' (')[0]}: {one}") for one in found.going]
    parts += [Text(f"stays: {one}", "yellow") for one in found.kept]
    if not found.deleted:
        parts.append(Text("nothing was removed; `assay gc --delete` does it", "dim"))
    return Group(*parts)


RENDERERS: dict[str, Callable[[Any], RenderableType]] = {
    "AliasMove": _move,
    "Alert": alert_told,
    "AlertHistory": alert_history,
    "AliasThen": _alias_then,
    "ApprovalCheck": approval_check,
    "ApprovalDetail": approval_detail,
    "ApprovalPolicy": approval_policy,
    "ApprovalState": approval_state,
    "Audit": feature_audit,
    "Bundle": bundle,
    "Checkpoint": checkpoint,
    "CardDifference": card_difference,
    "CardText": card_text,
    "Comment": comment_told,
    "Communication": communication,
    "Comparison": comparison,
    "Coverage": label_coverage,
    "DatasetDetail": dataset_detail,
    "DatasetDifference": dataset_difference,
    "DatasetLineage": dataset_lineage,
    "DatasetList": dataset_list,
    "DatasetVersion": dataset_version,
    "DataCheck": data_check,
    "DecisionRecord": record_told,
    "Digest": digest_text,
    "DemoResult": demo_table,
    "Difference": difference,
    "Duplicates": duplicates,
    "CompileReport": compile_report,
    "Dossier": dossier,
    "DossierText": dossier_text,
    "EndpointDetail": endpoint_detail,
    "EndpointPolicies": endpoint_policies,
    "Erased": erased,
    "ErasedPerson": erased_person,
    "Examination": _examination,
    "CandidateRun": lambda found: candidate_run(found, _judgement(found.judgement)),
    "Idea": one_idea,
    "Incident": incident_told,
    "IncidentDetail": incident_detail,
    "IdeaTry": one_try,
    "Judgement": _judgement,
    "FeatureAnswer": feature_answer,
    "Firing": lambda found: firing_list([found]),
    "FoundFeatures": found_features,
    "NewProject": new_project,
    "NoticeRule": rule_told,
    "OnlineTest": online_test,
    "ProjectSearch": project_search,
    "JoinedRows": joined_rows,
    "LedgerCheck": ledger_check,
    "Materialization": materialization,
    "Measurement": _measurement,
    "ModelSignature": signed_model,
    "ModelSignatureCheck": model_check,
    "ExceptionRecord": exception_told,
    "Overrides": overrides,
    "PredictionAnswer": prediction_answer,
    "Promotion": _promotion,
    "Pushed": pushed,
    "Remedy": _remedy,
    "Registration": registration,
    "ReleaseReplay": release_replay,
    "ReleaseReport": release_report,
    "Rerun": repetition,
    "KnownRegime": one_regime,
    "GarbageReport": _garbage,
    "RunDetail": _run_detail,
    "ShownCard": shown_card,
    "SearchReport": search_report,
    "ServerReady": _server_ready,
    "Signature": signed,
    "SigningKey": new_key,
    "Serving": _serving,
    "StepReason": step_reason,
    "Reallocation": shared_out,
    "Replayed": replayed,
    "Suggestions": suggestions,
    "SelfCheck": checked_metrics,
    "TestEnd": ended_test,
    "Tick": tick_report,
    "ToldMonitor": told_monitor,
    "NewObjective": new_objective,
    "ObjectiveDetail": objective_detail,
    "ObjectiveReview": review_told,
    "ThresholdAdvice": threshold_advice,
    "ValueReport": value_report,
    "ToldStory": told_story,
    "TriggerDrill": trigger_drill,
    "TestPlan": planned_test,
    "TestReading": reading_of_test,
    "UnitVariant": unit_variant,
    "Usage": usage,
    "VersionLineage": lineage,
    "ViewDetail": view_detail,
    "ViewDifference": view_difference,
    "ViewList": view_list,
    "Worth": worth,
    "TimeReport": time_report,
    "VersionDetail": version_detail,
    "WrittenCard": written_card,
}
LIST_RENDERERS: dict[str, Callable[[Any], RenderableType]] = {
    "ApprovalLine": approval_list,
    "Alert": alert_list,
    "AliasMove": _moves,
    "CardState": card_list,
    "Checked": checked_list,
    "Comment": comment_list,
    "DecisionRecord": record_list,
    "EndpointSummary": endpoint_list,
    "Entry": _entries,
    "Idea": ideas,
    "Incident": incident_list,
    "LedgerAnchor": anchors,
    "KnownRegime": regime_list,
    "ModelSummary": _models,
    "Monitor": monitor_list,
    "MonitorState": monitor_states,
    "KpiObservation": observation_list,
    "ObjectiveLine": objective_list,
    "ObjectiveReview": review_list,
    "Notice": notice_list,
    "NoticeRule": rule_list,
    "OnlineTest": online_tests,
    "Project": projects,
    "ReleaseSummary": release_list,
    "RoleOf": _roles,
    "RunSummary": _runs,
    "Signature": signatures,
    "SigningKey": keys,
    "StepReason": step_reasons,
    "Story": story_list,
    "TriggerState": trigger_list,
    "Firing": firing_list,
    "Webhook": _webhooks,
}
