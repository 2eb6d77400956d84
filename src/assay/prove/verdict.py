"""What a gate said: the verdict with everything it rests on, as words, as a page and as JSON."""

from collections.abc import Sequence
from html import escape

import msgspec

from assay.prove.checks import Check, Verdict
from assay.prove.policy import Policy

__all__ = ["GateResult", "Setting", "settings_of"]

_METHODS = {
    "tango": "Tango's score test",
    "paired t": "paired t-test",
    "delong": "DeLong's test",
    "obuchowski": "Obuchowski's test for clustered areas",
    "jackknife": "jackknife over buckets of units",
    "wilson": "Wilson's interval",
    "t": "t-interval",
    "score": "score tests between groups",
    "delta": "delta method",
    "order statistics": "order statistics of the calls",
    "counted": "counting",
    "calibration": "calibration in the large",
}
_NO_METHOD = ("", "too small", "not kept", "value only", "separated")
_FOR_PEOPLE = ("version", "description", "owner")
_MEANING = {
    "pass": "shown to be good enough",
    "fail": "proven harm, or a condition that is broken",
    "inconclusive": "the rows do not decide; this is no pass",
}


class Setting(msgspec.Struct, frozen=True):
    """A line of the policy in effect: its key as in the file, its value in words, and whether that is the default."""

    key: str
    value: str
    default: bool

    def __str__(self) -> str:
        return f"{self.key} {self.value}{' (default)' if self.default else ''}"


class GateResult(msgspec.Struct, frozen=True):
    """The verdict with all it rests on. `reasons` are sentences, the decisive ones first, remarks last.

    `alpha` is what was spent on this verdict, `holm_tests` over how many statements of harm it was shared out;
    `settings` is the whole policy in effect. `validation_uses` counts the verdicts on the same rows, this one among
    them, or is 0 where nobody counts because there is no store. `unit` is empty where rows are independent. Prints as
    text and shows itself in a notebook.
    """

    gate_id: str
    evaluation_id: str
    model: str
    version: int | None
    baseline_version: int | None
    candidate: str
    baseline: str | None
    dataset: str
    dataset_hash: str
    rows: int
    labelled: int
    unit: list[str]
    policy: str
    policy_version: str
    settings: list[Setting]
    alpha: float
    holm_tests: int
    verdict: Verdict
    reasons: list[str]
    checks: list[Check]
    validation_uses: int
    decision: int | None

    @property
    def headline(self) -> str:
        """The verdict, on whom, and what it means, in one line."""
        against = f" against {self.baseline}" if self.baseline else ""
        return f"{self.verdict}: {self.candidate}{against} ({_MEANING[self.verdict]})"

    @property
    def about(self) -> list[str]:
        """What the verdict rests on, a sentence each: rows, methods, error rate, uses of the rows, policy."""
        unlabelled = self.rows - self.labelled
        labels = f", {unlabelled:,} of them without a label" if unlabelled else ""
        unit = f"rows of one {' and '.join(self.unit)} hang together" if self.unit else "rows are taken as independent"
        methods = list(
            dict.fromkeys(_METHODS.get(c.method, c.method) for c in self.checks if c.method not in _NO_METHOD)
        )
        shared = f"; harm is proven over {self.holm_tests:,} tests together (Holm)" if self.holm_tests else ""
        return [
            f"Rows: {self.rows:,} of {self.dataset} (hash {self.dataset_hash[:12]}){labels}; {unit}.",
            f"Methods: {', '.join(methods) or 'none'}; error rate {self.alpha:g} one-sided{shared}.",
            self._uses(),
            self._policy(),
            f"In effect: {'; '.join(str(one) for one in self.settings if one.key not in _FOR_PEOPLE)}.",
        ]

    def _policy(self) -> str:
        said = {one.key: one.value for one in self.settings}
        version = f" {said['version']}" if "version" in said else ""
        owner = f", kept by {said['owner']}" if "owner" in said else ""
        description = f" {said['description']}" if "description" in said else ""
        return f"Policy: {self.policy}{version} (hash {self.policy_version[:12]}){owner}.{description}"

    def _uses(self) -> str:
        if not self.validation_uses:
            return "Uses of these rows: not counted, because the verdict is not recorded."
        if self.validation_uses == 1:
            return "Uses of these rows: this is the first verdict on them."
        spent = any(one.key == "spend_alpha" and one.value == "yes" for one in self.settings)
        said = (
            "the error rate was lowered for it" if spent else "each makes a pass by luck likelier (spend_alpha = true)"
        )
        return f"Uses of these rows: this is verdict {self.validation_uses} on them; {said}."

    def __str__(self) -> str:
        return "\n".join([self.headline, *(f"  {reason}" for reason in self.reasons), *self.about])

    def _repr_html_(self) -> str:
        def listed(texts: Sequence[str]) -> str:
            return "".join(f"<li>{escape(text)}</li>" for text in texts)

        about = "<br>".join(escape(text) for text in self.about)
        return f"<p><strong>{escape(self.headline)}</strong></p><ul>{listed(self.reasons)}</ul><p>{about}</p>"

    def to_json(self) -> str:
        """All of it as one JSON document, as `assay gate --json` prints it."""
        return msgspec.json.encode(self).decode()


def settings_of(policy: Policy) -> list[Setting]:
    """The policy in effect, key by key as in its file; what is not set and has no value by default is left out."""
    return _settings(policy, "")


def _settings(part: msgspec.Struct, prefix: str) -> list[Setting]:
    found = []
    for field in msgspec.structs.fields(part):
        value = getattr(part, field.name)
        key = f"{prefix}{field.encode_name}"
        if key == "name" or value is None or (isinstance(value, dict) and not value):
            continue
        if isinstance(value, msgspec.Struct):
            found += _settings(value, f"{key}.")
        elif isinstance(value, dict):
            found += _of_table(value, key)
        else:
            default = field.default_factory() if callable(field.default_factory) else field.default
            found.append(Setting(key, _said(value), value == default))
    return found


def _of_table(table: dict[str, object], key: str) -> list[Setting]:
    found = []
    for name, value in table.items():
        if isinstance(value, msgspec.Struct):
            found += _settings(value, f"{key}.{name}.") or [
                Setting(f"{key}.{name}", "all guarded metrics", default=True)
            ]
        elif isinstance(value, dict):
            found += _of_table(value, f"{key}.{name}")
    return found


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value}"
