"""What starts a training by itself: as `[triggers.NAME]` in `assay.toml` says it."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from assay.errors import InvalidInput
from assay.operate.triggers.schedules import check_schedule
from assay.record.lengths import checked_length

__all__ = [
    "KINDS",
    "Budget",
    "Condition",
    "Costs",
    "NewData",
    "StaleFeatures",
    "Trigger",
    "TriggerDefinition",
    "Upstream",
    "check_trigger",
    "leaves",
]

KINDS = (
    "schedule", "new_data", "harm", "drift", "stale_features", "max_age", "decay", "cost", "upstream", "manual",
)  # fmt: skip


class NewData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many new rows of a dataset since the champion was trained on it; with 0, any new version of it."""

    dataset: str
    rows: int = 0


class StaleFeatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest row of a feature view is older than `max_age`."""

    view: str
    max_age: str


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a training costs, and what a loss of 1 costs per prediction, in one currency.

    The loss is that of the staleness curve. `success` is the chance that a candidate is let through.
    """

    training: float
    loss: float
    success: float = 1.0


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another model got a new champion."""

    model: str


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One thing that may be true: exactly one of the fields is given, `zone` only beside `schedule`.

    `schedule` is a cron expression in the time zone `zone`. `harm` and `drift` name a monitor that alarms. `max_age` is
    the age of the champion, `decay` the age at which its staleness curve says that a loss of so much is reached.
    `manual` waits for somebody who fires it: `assay triggers fire`, or a POST to the server. `any` and `all` are lists
    of conditions, `not` is one that must not hold.
    """

    schedule: str | None = None
    zone: str | None = None
    new_data: NewData | None = None
    harm: str | None = None
    drift: str | None = None
    stale_features: StaleFeatures | None = None
    max_age: str | None = None
    decay: float | None = None
    cost: Costs | None = None
    upstream: Upstream | None = None
    manual: Literal[True] | None = None
    any_of: list["Condition"] | None = msgspec.field(name="any", default=None)
    all_of: list["Condition"] | None = msgspec.field(name="all", default=None)
    none_of: "Condition | None" = msgspec.field(name="not", default=None)

    @property
    def kind(self) -> str:
        """Which of the fields is given: the first of them, where `check_trigger` has not refused it."""
        given = [*KINDS, "any_of", "all_of", "none_of"]
        return next((name for name in given if getattr(self, name) is not None), "nothing")


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The most that trainings may take within `per`: in number, in hours, in money at `cost_per_hour`."""

    per: str = "7d"
    runs: int | None = None
    hours: float | None = None
    money: float | None = None
    cost_per_hour: float | None = None


class TriggerDefinition(Condition, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A condition, and what keeps it from firing all the same.

    After a firing it rests for `cooldown`; longer, twice as long each time, after candidates that were refused.
    `new_rows` labelled rows must have come in since the last training. With `data_checks` it does not fire while a
    monitor of data quality alarms for a defect: nobody teaches a model that. Values that are only new to it, out of the
    range of training or never seen, keep nothing back.
    """

    cooldown: str = "1d"
    budget: Budget = Budget()
    new_rows: int = 0
    data_checks: bool = True
    enabled: bool = True


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as it is on record. `pipeline` is what it starts: a project file, or a name that somebody watches."""

    trigger_id: str
    name: str
    model: str
    pipeline: str
    declared: str
    enabled: bool
    definition: TriggerDefinition


def leaves(condition: Condition) -> Iterator[Condition]:
    """The conditions without those that only combine."""
    if condition.any_of is not None or condition.all_of is not None:
        for one in condition.any_of or condition.all_of or ():
            yield from leaves(one)
    elif condition.none_of is not None:
        yield from leaves(condition.none_of)
    else:
        yield condition


def check_trigger(definition: TriggerDefinition, where: str) -> None:
    """InvalidInput, with the place, for what types alone do not say."""
    _check_condition(definition, where)
    checked_length(definition.cooldown, "cooldown", where=where)
    checked_length(definition.budget.per, "budget.per", where=where)
    budget = definition.budget
    for name in ("runs", "hours", "money", "cost_per_hour"):
        value = getattr(budget, name)
        if value is not None and not value > 0:
            raise InvalidInput(f"budget.{name} is {value}", where=where, expected="a number above 0")
    if budget.money is not None and budget.cost_per_hour is None:
        raise InvalidInput("a budget of money says no cost_per_hour", where=where, expected="what an hour costs")
    if definition.new_rows < 0:
        raise InvalidInput(f"new_rows is {definition.new_rows}", where=where, expected="0 or more")


def _check_condition(condition: Condition, where: str) -> None:
    names = {"any_of": "any", "all_of": "all", "none_of": "not"}
    given = [name for name in (*KINDS, *names) if getattr(condition, name) is not None]
    if len(given) != 1:
        said = " and ".join(names.get(name, name) for name in given) or "nothing"
        known = ", ".join([*KINDS, *names.values()])
        raise InvalidInput(f"a condition says {said}", where=where, expected=f"one of {known}")
    _check_leaf(condition, where)
    for name in ("any_of", "all_of"):
        several = getattr(condition, name)
        if several is not None and not several:
            raise InvalidInput(f"{names[name]} holds no condition", where=where, expected="a list of conditions")
        for one in several or ():
            _check_condition(one, where)
    if condition.none_of is not None:
        _check_condition(condition.none_of, where)


def _check_leaf(condition: Condition, where: str) -> None:
    if condition.zone is not None and condition.schedule is None:
        raise InvalidInput("a zone stands without a schedule", where=where, expected='schedule = "0 6 * * *"')
    if condition.schedule is not None:
        check_schedule(condition.schedule, condition.zone, where)
    if condition.max_age is not None:
        checked_length(condition.max_age, "max_age", where=where)
    if condition.stale_features is not None:
        checked_length(condition.stale_features.max_age, "stale_features.max_age", where=where)
    if condition.decay is not None and not condition.decay > 0:
        raise InvalidInput(f"decay is {condition.decay}", where=where, expected="a loss above 0")
    if condition.new_data is not None and condition.new_data.rows < 0:
        raise InvalidInput(f"new_data.rows is {condition.new_data.rows}", where=where, expected="0 or more")
    costs = condition.cost
    if costs is not None and not (costs.training > 0 and costs.loss > 0 and 0 < costs.success <= 1):
        raise InvalidInput("a cost is not above 0, or success no chance", where=where, expected="numbers above 0")
