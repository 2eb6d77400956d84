"""Objectives as files that people write: read with the place of what is wrong, written with a comment for each part."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import msgspec

from assay.errors import AlreadyExists, InvalidInput
from assay.record.objective_terms import Baseline, Decision, Guardrail, Kpi, Terms, Value, check_terms
from assay.record.toml_text import parse_toml, place, read_text

__all__ = ["example_terms", "read_terms", "terms_as_toml", "write_template"]

_WHAT = "objective"
_HALF_A_YEAR = timedelta(days=182)


def read_terms(path: str | Path) -> Terms:
    """The terms in a file; InvalidInput with file, line and key for what is wrong, and the nearest right spelling."""
    text = read_text(path, _WHAT)
    name = Path(path).name
    terms = parse_toml(text, name, Terms, _WHAT)
    try:
        check_terms(terms)
    except InvalidInput as error:
        keys = [int(key) if key.isdecimal() else key for key in (error.where or "").split(".") if key]
        raise error.at(place(text, name, keys)) from None
    return terms


def write_template(path: str | Path, terms: Terms) -> Path:
    """Write terms with comments into a new file; AlreadyExists where there is one."""
    file = Path(path).absolute()
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(terms_as_toml(terms))
    except FileExistsError:
        raise AlreadyExists(f"there is a file {path} already", hint="another name") from None
    except OSError as error:
        raise InvalidInput(f"the file cannot be written: {error.strerror}", where=str(path)) from error
    return file


def example_terms(model: str, owner: str, today: date) -> Terms:
    """What a template begins with: an example of two outcomes and two actions, to be changed in every line."""
    return Terms(
        statement=f"Say in one sentence what gets better for whom through {model}",
        owner=owner,
        kpi=Kpi(name="net value", unit="EUR a month", target=40_000.0, floor=10_000.0, source="value"),
        decision=Decision(drives="which customers are called", actions=["leave", "call"]),
        baseline=Baseline(words="nobody is called", action="leave"),
        value=Value(
            version="1",
            unit="EUR",
            source="who says so, such as: cost sheet of the finance department, January",
            owner=owner,
            valid_until=today + _HALF_A_YEAR,
            outcomes={"leaves": 1.0, "stays": 0.0},
            matrix={
                "leaves": {"leave": 0.0, "call": (20.0, 40.0, 70.0)},
                "stays": {"leave": 0.0, "call": (-6.0, -4.0, -3.0)},
            },
        ),
        guardrails=[
            Guardrail(name="complaints", unit="a month", limit=20.0, direction="lower", said_by="the help desk")
        ],
        outcome_after="30d",
    )


def terms_as_toml(terms: Terms) -> str:
    """Terms as people write them, a comment before each part; reading it gives the same terms."""
    kpi, value = terms.kpi, terms.value
    parts = [
        "# What the model is for. Change what is wrong; `assay objective new MODEL FILE` makes it the next version.",
        _keys(
            {
                "statement": terms.statement,
                "owner": terms.owner,
                **_unless_default(terms, "endpoint", "outcome_after", "coverage", "segments", "mix_tolerance"),
                "review_every": terms.review_every,
                **_unless_default(terms, "review_on"),
            }
        ),
        "# Success, by month. source: value (what `assay objective value` finds), sql (a query over the tables\n"
        "# predictions and labels that gives value, and low and high where it can), or outside (a person brings it).\n"
        "# Below the floor a review opens; direction says whether higher or lower is better.",
        _table("kpi", {"name": kpi.name, "unit": kpi.unit, "target": kpi.target, "floor": kpi.floor}, kpi),
        "# The decision that an answer drives: below the first threshold the first action, from it on the next.\n"
        "# Without thresholds that of the version's evaluation counts.",
        _table("decision", {"drives": terms.decision.drives, "actions": terms.decision.actions}, terms.decision),
        "# What is done without the model: always one action, or a rule in SQL that names one, such as\n"
        "# rule = \"case when features.visits > 3 then 'call' else 'leave' end\"",
        _table("baseline", {"words": terms.baseline.words}, terms.baseline),
    ]
    if value is not None:
        parts += [
            "# What an action is worth when an outcome comes: a number, or [least, likeliest, most]. `times` is SQL\n"
            "# that multiplies it for each row, such as features.contract. The numbers hold until valid_until.",
            _table("value", {"version": value.version, "unit": value.unit, "source": value.source}, value),
        ]
    parts += ["# What running the model costs, in the unit of the values.", _table("cost", {}, terms.cost)]
    for one in terms.guardrails:
        parts += [
            '# What must not get worse for it: at least the limit, or at most with direction = "lower".',
            "[[guardrails]]\n" + _keys({"name": one.name, "unit": one.unit, "limit": one.limit, **_others(one)}),
        ]
    parts += [
        "# When to retire it: so many reviews in a row found P(net value > 0) below the probability.",
        _table("stop", {"probability": terms.stop.probability, "reviews": terms.stop.reviews}, terms.stop),
    ]
    return "\n\n".join(part for part in parts if part).replace("\n\n[", "\n[") + "\n"


def _table(name: str, first: Mapping[str, object], part: msgspec.Struct) -> str:
    """A table: the keys of `first`, then those that are not as they are anyway; tables inside it last."""
    keys = {**first, **{key: item for key, item in _others(part).items() if key not in first}}
    flat = {key: item for key, item in keys.items() if not isinstance(item, dict)}
    text = f"[{name}]\n{_keys(flat)}" if flat else f"[{name}]"
    for key, item in keys.items():
        if isinstance(item, dict):
            rows = {_quoted(outer): inner for outer, inner in item.items()}
            nested = any(isinstance(inner, dict) for inner in rows.values())
            for outer, inner in rows.items() if nested else [("", item)]:
                heading = f"{name}.{key}.{outer}" if nested else f"{name}.{key}"
                text += f"\n\n[{heading}]\n{_keys(inner)}"
    return text.replace("\n\n[", "\n[")


def _others(part: msgspec.Struct) -> dict[str, object]:
    return _unless_default(part, *part.__struct_fields__)


def _unless_default(part: msgspec.Struct, *names: str) -> dict[str, object]:
    found = {}
    for field in msgspec.structs.fields(type(part)):
        value = getattr(part, field.name)
        default = field.default_factory() if callable(field.default_factory) else field.default
        if field.name in names and value is not None and value != default:
            found[field.name] = value
    return found


def _keys(values: Mapping[str, object]) -> str:
    return "\n".join(f"{_quoted(key)} = {_written(value)}" for key, value in values.items())


def _quoted(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _written(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_written(one) for one in value) + "]"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
