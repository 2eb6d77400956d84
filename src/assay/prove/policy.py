"""The policy of a gate: what a candidate must show, written down before it is seen.

A margin is a loss the team agreed to be unimportant; it has no default. Everything else has the defaults of the
evidence literature (see docs/statistics of each method) and is printed with every verdict.
"""

import math
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from assay.errors import InvalidInput, nearest
from assay.record.canonical import digest
from assay.stats.metrics import METRICS

__all__ = ["Guard", "Policy", "load_policy", "parse_policy"]


class Guard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A guarded metric. `margin` > 0, in the metric's own unit; `harm_at` is the loss from which harm is tested.

    `harm_at = 0` calls any proven loss harm; with an agreed tolerance it is that tolerance.
    """

    margin: float
    harm_at: float = 0.0


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate demands. `alpha` is one-sided; `power` is that of the sample sizes it prints."""

    name: str
    metrics: dict[str, Guard]
    segments: list[str] = []
    cross: int = 2
    required: list[str] = []
    alpha: float = 0.05
    power: float = 0.8
    minimum_n: int = 10
    on_inconclusive: Literal["block", "warn"] = "warn"

    @property
    def version(self) -> str:
        """Hash of the content: a policy that says the same is the same policy."""
        return digest(msgspec.to_builtins(self))


def load_policy(path: str | Path) -> Policy:
    """Read a policy from a TOML file. Raises InvalidInput with the file and the key that is wrong."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"the policy cannot be read: {error.strerror}", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the policy is not UTF-8 text: {error.reason}", where=str(file)) from error
    return parse_policy(text, str(file))


def parse_policy(text: str, where: str) -> Policy:
    """Read a policy from the text of a TOML file; `where` names it in messages."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"the policy is not valid TOML: {error}", where=where) from error
    metrics = content.get("metrics")
    for name, guard in metrics.items() if isinstance(metrics, dict) else ():
        if isinstance(guard, dict) and "margin" not in guard:
            raise InvalidInput(
                f"metric {name!r} has no margin",
                where=f"{where}: metrics.{name}",
                expected="margin = the loss your team agrees to be unimportant",
                hint=_nearest_of(guard, "margin"),
            )
    try:
        policy = msgspec.convert(content, Policy)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the policy is not valid: {error}", where=where, hint=_nearest_key(str(error))) from error
    _check(policy, where)
    return policy


def _check(policy: Policy, where: str) -> None:
    if not policy.metrics:
        raise InvalidInput("the policy guards no metric", where=where, expected="at least one [metrics.NAME]")
    for name, guard in policy.metrics.items():
        metric = METRICS.get(name)
        if metric is None:
            close = nearest(name, list(METRICS))
            hint = f"did you mean {close!r}?" if close else f"there are {', '.join(METRICS)}"
            raise InvalidInput(f"there is no metric {name!r}", where=f"{where}: metrics", hint=hint)
        if metric.larger_is_better is None:
            raise InvalidInput(
                f"{name} has no better direction", where=f"{where}: metrics.{name}", hint="guard another"
            )
        most = 1.0 if metric.numerator is not None else math.inf  # a rate cannot lose more than 1
        if not (0 < guard.margin <= most and math.isfinite(guard.margin)):
            expected = f"more than 0{' and at most 1' if most == 1 else ', a loss and not a change'}"
            raise InvalidInput(f"margin is {guard.margin}", where=f"{where}: metrics.{name}", expected=expected)
        if not (0 <= guard.harm_at <= most and math.isfinite(guard.harm_at)):
            expected = f"0 or more{', at most 1' if most == 1 else ''}"
            raise InvalidInput(f"harm_at is {guard.harm_at}", where=f"{where}: metrics.{name}", expected=expected)
    if not 0 < policy.alpha < 0.5:
        raise InvalidInput(f"alpha is {policy.alpha}", where=f"{where}: alpha", expected="more than 0, less than 0.5")
    if not 0.5 < policy.power < 1:
        raise InvalidInput(f"power is {policy.power}", where=f"{where}: power", expected="more than 0.5, less than 1")
    if policy.cross not in (1, 2, 3):
        raise InvalidInput(f"cross is {policy.cross}", where=f"{where}: cross", expected="1, 2 or 3")
    if policy.minimum_n < 1:
        raise InvalidInput(f"minimum_n is {policy.minimum_n}", where=f"{where}: minimum_n", expected="1 or more")


def _nearest_key(message: str) -> str | None:
    _, _, rest = message.partition("unknown field `")
    word = rest.partition("`")[0]
    close = nearest(word, [*Policy.__struct_fields__, *Guard.__struct_fields__]) if word else None
    return f"did you mean {close!r}?" if close else None


def _nearest_of(guard: dict[str, object], key: str) -> str | None:
    """A hint where `key` was probably written as another key that is there."""
    close = nearest(key, [name for name in guard if name not in Guard.__struct_fields__])
    return f"is {close!r} meant to be {key!r}?" if close else None
