"""What a release must show before it goes on, and what takes it back: guardrails, exposure, and how sure to be."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from assay.build.views.declared.spans import microseconds
from assay.errors import InvalidInput, nearest
from assay.operate.online_tests.definition import Design
from assay.operate.online_tests.metric import Metric, check_metrics
from assay.record.toml_text import parse_toml, read_text

__all__ = ["GUARDRAILS", "Exposure", "Guardrail", "Limit", "Rules", "read_rules", "with_options"]

Guardrail = Literal["errors", "slow", "invalid", "schema", "shift"]
GUARDRAILS: tuple[Guardrail, ...] = ("errors", "slow", "invalid", "schema", "shift")


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much worse the challenger may be on a share of units, such as those with an error.

    It is safe once its share is shown to be less than `margin` above the champion's. It is harmful once it is shown to
    be more than `tolerance` times the champion's; 1 tolerates nothing.
    """

    margin: float
    tolerance: float = 1.0


class Exposure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step needs before the next: units and rows of the challenger, and time; `weekly` asks for whole weeks."""

    units: int = 200
    rows: int = 0
    time: str = "0s"
    weekly: bool = False

    @property
    def seconds(self) -> int:
        """The least length of a step."""
        return max(microseconds(self.time, "time") // 1_000_000, 7 * 86_400 if self.weekly else 0)


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policy of a release.

    * `alpha`: with what probability a challenger that does no harm is rolled back, over all guardrails and however
      often one looks. It is shared equally among them.
    * `confidence_alpha`: with what probability one that is worse by a margin counts as safe, for each guardrail.
    * `guardrails`: which are watched. `errors`, `slow` (requests slower than `slo_ms`, without it than 99 of 100 of the
      champion's before the release), `invalid` (an output that is no finite number), `schema` (values that break the
      signature, and rows that the challenger cannot answer), `shift` (predictions that fall elsewhere).
    * `shift`: how far the share of units below any of nine cut points may differ. A model that tells units apart better
      spreads them further, so little of it is no harm.
    * `metrics`: what the online test of a shadow or of the step `ab` measures, by name, as `assay test` has them.
    * `count`: each unit's first event in a phase (`unit`), which is right where units return, or every `row`, which
      sees more where few units ask very often and is right where their rows do not resemble each other.
    """

    alpha: float = 0.01
    confidence_alpha: float = 0.05
    mismatch_alpha: float = 0.001
    guardrails: tuple[Guardrail, ...] = GUARDRAILS
    exposure: Exposure = Exposure()
    slo_ms: float | None = None
    errors: Limit = Limit(0.01)
    slow: Limit = Limit(0.02, 1.5)
    invalid: Limit = Limit(0.01)
    schema: Limit = Limit(0.01)
    shift: float = 0.25
    count: Literal["unit", "row"] = "unit"
    metrics: dict[str, Metric] = {}

    @property
    def quality_alpha(self) -> float:
        """A bound of the probability that a test on labels takes back a version that is no worse; 0 without metrics.

        Success metrics share the alpha of the test, and each of its guardrails has one.
        """
        roles = [metric.role for metric in self.metrics.values()]
        return Design().alpha * (roles.count("guardrail") + ("success" in roles))

    def limit(self, guardrail: str) -> Limit:
        """Margin and tolerance of a guardrail of shares."""
        found: Limit = getattr(self, guardrail)
        return found


def read_rules(path: str | Path) -> Rules:
    """The rules of a TOML file; InvalidInput names the line and the key of what is wrong in it."""
    rules = parse_toml(read_text(path, "release policy"), Path(path).name, Rules, "release policy")
    _check(rules, Path(path).name)
    return rules


def with_options(
    rules: Rules,
    *,
    min_units: int | None = None,
    min_rows: int | None = None,
    min_time: str | None = None,
    weekly: bool = False,
    slo_ms: float | None = None,
    alpha: float | None = None,
    metrics: Sequence[Metric] = (),
    margins: list[str] | tuple[str, ...] = (),
    tolerances: list[str] | tuple[str, ...] = (),
) -> Rules:
    """The rules with what was given on the command line in place of what they said; margins as `errors=0.01`."""
    if min_time is not None:
        microseconds(min_time, "min_time")
    exposure = msgspec.structs.replace(
        rules.exposure,
        units=rules.exposure.units if min_units is None else min_units,
        rows=rules.exposure.rows if min_rows is None else min_rows,
        time=min_time or rules.exposure.time,
        weekly=weekly or rules.exposure.weekly,
    )
    changes: dict[str, Any] = {"exposure": exposure}
    if slo_ms is not None:
        changes["slo_ms"] = slo_ms
    if alpha is not None:
        changes["alpha"] = alpha
    if metrics:
        changes["metrics"] = {metric.name: metric for metric in metrics}
    for text in margins:
        name, value = _assignment(text, GUARDRAILS)
        limit = changes.get(name, getattr(rules, name))
        changes[name] = value if name == "shift" else msgspec.structs.replace(limit, margin=value)
    for text in tolerances:
        name, value = _assignment(text, [name for name in GUARDRAILS if name != "shift"])
        changes[name] = msgspec.structs.replace(changes.get(name, getattr(rules, name)), tolerance=value)
    changed: Rules = msgspec.structs.replace(rules, **changes)
    _check(changed, "options")
    return changed


def _assignment(text: str, names: tuple[str, ...] | list[str]) -> tuple[str, float]:
    name, _, value = text.partition("=")
    close = nearest(name, list(names))
    try:
        if name in names:
            return name, float(value)
    except ValueError:
        close = None
    raise InvalidInput(
        f"{text!r} gives no guardrail a number",
        expected=f"as errors=0.01, for {', '.join(names)}",
        hint=f"did you mean {close!r}?" if close and close != name else None,
    )


def _check(rules: Rules, where: str) -> None:
    for name in ("alpha", "confidence_alpha", "mismatch_alpha"):
        if not 0 < getattr(rules, name) < 0.5:
            raise InvalidInput(
                f"{name} is {getattr(rules, name):g}", where=where, expected="a probability below 0.5, such as 0.01"
            )
    for name in GUARDRAILS:
        margin = rules.shift if name == "shift" else rules.limit(name).margin
        if not 0 < margin < 1:
            raise InvalidInput(f"the margin of {name} is {margin:g}", where=where, expected="a share between 0 and 1")
        if name != "shift" and not 1 <= rules.limit(name).tolerance < math.inf:
            raise InvalidInput(
                f"the tolerance of {name} is {rules.limit(name).tolerance:g}", where=where, expected="1 or more"
            )
    if len(set(rules.guardrails)) < len(rules.guardrails) or not rules.guardrails:
        raise InvalidInput("no guardrails, or one of them twice", where=where, expected=", ".join(GUARDRAILS))
    if rules.exposure.units < 1 or rules.exposure.rows < 0:
        raise InvalidInput("the exposure is negative or without units", where=where, expected="1 unit or more")
    if rules.metrics:
        check_metrics([msgspec.structs.replace(one, name=name) for name, one in rules.metrics.items()], where)
    if rules.slo_ms is not None and not 0 < rules.slo_ms < math.inf:
        raise InvalidInput(f"slo_ms is {rules.slo_ms:g}", where=where, expected="milliseconds above 0")
    _ = rules.exposure.seconds  # a length that cannot be read is refused here
