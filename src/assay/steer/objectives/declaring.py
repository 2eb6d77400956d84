"""`assay objective new`, `show` and `ls`: what models are for, decided and read."""

import sys
from datetime import datetime
from typing import Annotated

import msgspec

from assay.errors import InvalidInput, NotFound
from assay.operate.moments import moment_given
from assay.operation import operation
from assay.record.clock import iso
from assay.record.objectives import (
    KpiObservation,
    Objective,
    decide_objective,
    find_objective,
    kpi_observations,
    newest_observation,
    objective_of,
    objective_versions,
    objectives,
)
from assay.record.store import Store
from assay.steer.objectives.asking import ask_terms
from assay.steer.objectives.correlation import Correlation, correlations
from assay.steer.objectives.files import example_terms, read_terms, write_template
from assay.steer.objectives.reviews import ObjectiveReview, next_review, reviews_of
from assay.steer.objectives.sentence import sentence
from assay.steer.objectives.user_mix import changed_mix
from assay.steer.objectives.valuing import recent_value

__all__ = ["NewObjective", "ObjectiveDetail", "ObjectiveLine", "list_objectives", "new_objective", "show_objective"]


class NewObjective(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the objective as it now is, or the file that waits to be filled in."""

    objective: Objective | None = None
    changed: bool = False
    written: str | None = None


class ObjectiveLine(msgspec.Struct, frozen=True, kw_only=True):
    """An objective in a line. `last` is the newest that is known of its KPI; `open_review` the id of one that waits."""

    model: str
    statement: str
    owner: str
    version: int
    kpi: str
    unit: str
    target: float
    floor: float
    last: KpiObservation | None
    next_review: str
    overdue: bool
    open_review: str | None


class ObjectiveDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An objective, the versions before it, what its KPIs were, and its reviews, newest first. `sentence` says how it
    stands, in words for everybody; nothing for how it was at an earlier moment. `correlations` are the team's own."""

    objective: Objective
    versions: list[Objective]
    observations: list[KpiObservation]
    reviews: list[ObjectiveReview]
    next_review: str
    sentence: str
    correlations: list[Correlation]


@operation("objective new", local=True)
def new_objective(
    store: Store,
    model: Annotated[str, "The model"],
    file: Annotated[str | None, "A TOML file with the objective; without it the terminal asks"] = None,
    *,
    template: Annotated[bool, "Write the file instead, with comments, to be filled in"] = False,
    reason: Annotated[str, "Why it changes, for the ledger"] = "",
) -> NewObjective:
    """Decide what a model is for: the next version of its objective, from a file or asked for in the terminal.

    With `--template` a file is written: the objective as it is, or an example where there is none.

    Raises InvalidInput with file, line and key for what cannot be.
    """
    now = store.clock.latest()
    known = objective_of(store, model)
    if template:
        terms = known.terms if known else example_terms(model, store.actor.name, now.date())
        return NewObjective(written=str(write_template(file or f"{model.replace('/', '-')}-objective.toml", terms)))
    if file is not None:
        terms = read_terms(file)
    elif sys.stdin.isatty():
        if not store.query("registered_model", {"name": model}, limit=1):
            raise NotFound(f"there is no model {model!r}", where=store.location, hint="`assay models`")
        terms = ask_terms(model, store.actor.name, now.date())
    else:
        raise InvalidInput(
            "no file is given, and there is no terminal to ask in",
            expected=f"assay objective new {model} FILE.toml",
            hint=f"assay objective new {model} FILE.toml --template",
        )
    found = decide_objective(store, model, terms, reason=reason)
    return NewObjective(objective=found, changed=known is None or known.version != found.version)


@operation("objective show")
def show_objective(
    store: Store,
    model: Annotated[str, "The model"],
    *,
    at: Annotated[str | None, "As it was at this moment: a day, or a time with its zone"] = None,
) -> ObjectiveDetail:
    """Show what a model is for, how its KPIs were, and when that is looked at again."""
    moment = moment_given(store, at, "--at")
    found = find_objective(store, model, at=moment)
    return ObjectiveDetail(
        objective=found,
        versions=[one for one in objective_versions(store, model) if one.version <= found.version],
        observations=[one for one in kpi_observations(store, model) if moment is None or one.recorded <= iso(moment)],
        reviews=reviews_of(store, model),
        next_review=next_review(store, found),
        sentence="" if moment else told(store, found),
        correlations=correlations(store),
    )


@operation("objective ls")
def list_objectives(store: Store) -> list[ObjectiveLine]:
    """List what models are for, with their owner, the newest KPI and the next review."""
    return [_line(store, one, store.clock.latest()) for one in objectives(store)]


def told(store: Store, objective: Objective) -> str:
    """How it stands, from the log and the records."""
    report = recent_value(store, objective)
    return sentence(objective, report, kpi_observations(store, objective.model), changed_mix(store, objective))


def _line(store: Store, one: Objective, now: datetime) -> ObjectiveLine:
    kpi = one.terms.kpi
    waiting = [review for review in reviews_of(store, one.model) if review.closed is None]
    due = next_review(store, one)
    return ObjectiveLine(
        model=one.model,
        statement=one.terms.statement,
        owner=one.terms.owner,
        version=one.version,
        kpi=kpi.name,
        unit=kpi.unit,
        target=kpi.target,
        floor=kpi.floor,
        last=newest_observation(kpi_observations(store, one.model, kpi=kpi.name)),
        next_review=due,
        overdue=due < iso(now),
        open_review=waiting[0].review_id if waiting else None,
    )
