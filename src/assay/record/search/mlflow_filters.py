"""Filters and orders as MLflow's clients send them: a part of what `filters.py` takes, the rest refused in its words.

    filter := clause (AND clause)*, where AND may be missing or doubled
    clause := key = value | key [NOT] IN ('a', 'b') | key IS [NOT] NULL

Which keys, comparators and values go together is written out for each subject. The messages are those of MLflow, as
tools look for them; they have no second line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from assay.errors import InvalidInput
from assay.record.search.filters import LONGEST_PATTERN, MOST, MOST_VALUES, And, Comparison, Node, Value
from assay.record.search.keys import Key, Subject, split
from assay.record.search.order import Term, checked_terms
from assay.record.search.tokens import Token, tokens

__all__ = ["mlflow_filter", "mlflow_order"]

_NUMBER = ("=", "!=", ">", ">=", "<", "<=")
_TEXT = ("=", "!=", "LIKE", "ILIKE")
_LISTS = ("IN", "NOT IN")
_NULLS = ("IS NULL", "IS NOT NULL")
_SIGNS = ("=", "!=", ">", ">=", "<", "<=", "==", "<>")
_PLAIN = re.compile(r"[^\W\d]\w*(?:\.(?:`[^`]*`|\"[^\"]*\"|\w+))*|`[^`]*`(?:\.(?:`[^`]*`|\"[^\"]*\"|\w+))*|\"[^\"]*\"")
_OWN = dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute")
_TAG = {"tag": "tag", "tags": "tag"}
_STATUS = (
    "upper(CASE run.status WHEN 'stopped' THEN 'killed' WHEN 'pruned' THEN 'killed' WHEN 'waiting' THEN 'running'"
    " ELSE run.status END)"
)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a search takes: entities by spelling, attributes, those that take a list, keys to sort by."""

    entities: Mapping[str, str]
    attributes: tuple[str, ...]
    listed: tuple[str, ...]
    orders: tuple[str, ...]
    only_equal: tuple[str, ...] = ()  # attributes that know = and != only
    nulls: str = "tags"  # what IS NULL is for


_RULES = {
    "runs": _Rules(
        entities={
            **dict.fromkeys(("metric", "metrics"), "metric"),
            **dict.fromkeys(("parameter", "parameters", "param", "params"), "param"),
            **_TAG,
            **_OWN,
            **dict.fromkeys(("dataset", "datasets"), "dataset"),
        },
        attributes=(
            *("run_id", "run_name", "Run name", "run name", "Run Name", "user_id", "status", "artifact_uri"),
            *("start_time", "end_time", "created", "Created"),
        ),
        listed=("run_id",),
        orders=(
            *("run_id", "run_name", "user_id", "status", "artifact_uri"),
            *("start_time", "end_time", "created", "Created"),
        ),
        nulls="tags and params",
    ),
    "experiments": _Rules(
        entities={"attribute": "attribute", **_TAG},
        attributes=("name", "experiment_id", "creation_time", "last_update_time"),
        listed=("experiment_id",),
        orders=("name", "experiment_id", "creation_time", "last_update_time"),
        only_equal=("experiment_id",),
    ),
    "registered models": _Rules(
        entities={"attribute": "attribute", **_TAG},
        attributes=("name",),
        listed=("name",),
        orders=("name", "timestamp", "last_updated_timestamp"),
    ),
    "versions": _Rules(
        entities={"attribute": "attribute", **_TAG},
        attributes=("name", "version_number", "run_id", "source_path"),
        listed=("name", "run_id"),
        orders=("name", "version_number", "creation_timestamp", "last_updated_timestamp"),
    ),
    "logged models": _Rules(
        entities={name: name[:-1] for name in ("attributes", "metrics", "params", "tags")},
        attributes=(
            *("name", "model_id", "model_type", "status", "source_run_id"),
            *("creation_time", "creation_timestamp", "creation_timestamp_ms"),
            *("last_updated_time", "last_updated_timestamp", "last_updated_timestamp_ms"),
        ),
        listed=("name", "model_id", "model_type", "status", "source_run_id"),
        orders=(
            *("name", "model_id", "model_type", "status", "source_run_id"),
            *("creation_time", "creation_timestamp", "creation_timestamp_ms"),
            *("last_updated_time", "last_updated_timestamp", "last_updated_timestamp_ms"),
        ),
    ),
}


def mlflow_filter(text: str, subject: Subject) -> Node | None:
    """The tree of a filter in MLflow's grammar, None for an empty one."""
    if not text:
        return None
    rules = _RULES[subject.name]
    words = tokens(text)[:-1]
    if not words:
        raise InvalidInput(f"Invalid filter '{text}'. Could not be parsed.")
    if any(word.text == ";" for word in words[:-1]):
        if subject.name == "logged models":
            raise InvalidInput(f"Invalid filter string: {text!r}. Expected a single SQL expression.")
        raise InvalidInput(f'Search filter contained multiple expression "{text}". Provide AND-ed expression list.')
    clauses, rest = _clauses(text, words)
    if rest:
        if subject.name == "logged models":
            raise InvalidInput(
                f"Invalid filter string: {text!r}. Expected a list of comparisons separated by 'AND' "
                "(e.g. 'metrics.loss > 0.1 AND params.lr = 0.01')."
            )
        shown = ", ".join(f"'{clause}'" if subject.name == "runs" else clause for clause in rest)
        raise InvalidInput(f"Invalid clause(s) in filter string: {shown}")
    if len(clauses) > MOST:
        raise InvalidInput(f"the filter has {len(clauses)} comparisons", expected=f"at most {MOST}")
    found = tuple(_comparison(clause, subject, rules) for clause in clauses)
    return found[0] if len(found) == 1 else And(found) if found else None


def mlflow_order(texts: list[str], subject: Subject, default: list[Term]) -> list[Term]:
    """The terms of an order in MLflow's words, then those of the default order."""
    rules = _RULES[subject.name]
    return checked_terms([_term(text, subject, rules) for text in texts], default)


@dataclass(frozen=True, slots=True)
class _Clause:
    """A key, an operator in capitals and its values."""

    key: Token
    operator: str
    values: tuple[Token, ...]
    listed: str = ""  # the list as it was written


def _clauses(text: str, words: list[Token]) -> tuple[list[_Clause], list[str]]:
    """Comparisons, and the words that belong to none."""
    clauses: list[_Clause] = []
    rest: list[str] = []
    at = 0
    while at < len(words):
        if words[at].says("AND"):
            at += 1
            continue
        found = _clause(text, words, at)
        if found is not None:
            clause, at = found
            clauses.append(clause)
            continue
        end = _closing(words, at) + 1 if words[at].says("(") else at + 1
        last = words[end - 1]
        rest.append(text[words[at].position : last.position + len(last.text)])
        at = end
    return clauses, rest


def _closing(words: list[Token], at: int) -> int:
    """Where the bracket at `at` is closed, the last word where it is not."""
    depth = 0
    for number in range(at, len(words)):
        depth += words[number].says("(") - words[number].says(")")
        if not depth:
            return number
    return len(words) - 1


def _clause(text: str, words: list[Token], at: int) -> tuple[_Clause, int] | None:
    """The comparison that begins at `at` and where it ends."""
    key, after = words[at], words[at + 1 : at + 6]
    if key.kind == "sign" or len(after) < 2:
        return None
    if after[0].says("IS"):
        inverted = after[1].says("NOT")
        if len(after) > inverted + 1 and after[1 + inverted].says("NULL"):
            return _Clause(key, _NULLS[inverted], ()), at + 3 + inverted
        return None
    inverted = after[0].says("NOT")
    word = after[inverted]
    prefix = "NOT " if inverted else ""
    if word.says("IN") and len(after) > inverted + 1 and after[inverted + 1].says("("):
        start = at + 2 + inverted
        end = _closing(words, start)
        listed = text[words[start].position : words[end].position + 1]
        return _Clause(key, f"{prefix}IN", tuple(words[start + 1 : end]), listed), end + 1
    is_sign = word.text in _SIGNS and not inverted
    if not (is_sign or word.says("LIKE", "ILIKE")) or len(after) < inverted + 2:
        return None
    value, end = after[inverted + 1], at + 3 + inverted
    if value.says("-", "+") and end < len(words) and words[end].kind == "number":
        number = words[end]
        value, end = Token("number", value.text.replace("+", "") + number.text, value.position), end + 1
    if value.kind == "sign":
        return None
    return _Clause(key, prefix + word.text.upper(), (value,)), end


def _comparison(clause: _Clause, subject: Subject, rules: _Rules) -> Comparison:
    key = _key(clause.key, subject, rules, rules.attributes)
    if clause.operator in _NULLS:
        if key.entity not in rules.nulls:
            raise InvalidInput(
                f"IS NULL / IS NOT NULL is only supported for {rules.nulls}, not for '{_entity(key)}' '{key.name}'"
            )
        return Comparison(key, clause.operator.removeprefix("IS "))
    values = _list(clause, key, rules) if clause.operator in _LISTS else (_value(clause.values[0], key, subject),)
    allowed = (*(_NUMBER if key.kind != "text" else _TEXT), *(_LISTS if clause.listed else ()))
    if key.entity == "attribute" and key.name in rules.only_equal:
        allowed = ("=", "!=", *_LISTS)
        if clause.operator not in allowed:
            raise InvalidInput(f"Invalid comparator for {key.name}: {clause.operator}")
    if clause.operator not in allowed:
        if key.name == "version_number":
            raise InvalidInput(f"Invalid comparator for attribute version_number: {clause.operator}")
        shown = [*allowed, *(_NULLS if key.entity in ("param", "tag") else ())]
        if key.entity in ("attribute", "dataset") and key.kind == "text":
            shown += _LISTS
        raise InvalidInput(f"Invalid comparator '{clause.operator}' not one of '{_shown(shown)}'")
    return Comparison(key, clause.operator, values)


def _key(token: Token, subject: Subject, rules: _Rules, attributes: tuple[str, ...]) -> Key:
    """The key of a word."""
    if token.kind not in ("name", "quoted") or not _PLAIN.fullmatch(token.text):
        raise InvalidInput(f"Invalid comparison clause. Expected 'Identifier' found '{token.text}'")
    entity, name, _ = split(token.text)
    kind = rules.entities.get(entity) if entity else "attribute"
    if kind is None:
        if subject.name == "runs":
            known = "['metric', 'parameter', 'tag', 'attribute', 'dataset']"
            raise InvalidInput(f"Invalid entity type '{entity}'. Valid values are {known}")
        if subject.name == "logged models":
            raise InvalidInput(f"Invalid entity type: {entity!r}. Expected one of {[*rules.entities]}.")
        raise InvalidInput(f"Invalid entity type '{entity}'. Valid entity types are {tuple(rules.entities)}")
    if kind == "attribute" and name not in attributes:
        raise InvalidInput(f"Invalid attribute key '{name}' specified. Valid keys are '{_shown(attributes)}'")
    if kind == "dataset" and name not in subject.children["dataset"].names:
        valid = _shown(subject.children["dataset"].names)
        raise InvalidInput(f"Invalid dataset key '{name}' specified. Valid keys are '{valid}'")
    if kind == "attribute":
        key = subject.attribute(name, lambda what, _: InvalidInput(what))
        return replace(key, sql=_STATUS, fold=None) if subject.name == "runs" and key.name == "status" else key
    child = subject.children[kind]
    sql = child.value if child.keyed else child.names[name]
    return Key(kind, name, child.kind, sql, f"{kind}s.{name}", child)


def _value(token: Token, key: Key, subject: Subject) -> Value:
    """The value of one word, of the kind that the key has."""
    what = _entity(key)
    if key.kind != "text":
        if token.kind == "number":
            return _number(token.text)
        if key.name == "version_number" and token.kind == "text" and token.unquoted.isdecimal():
            return _number(token.unquoted)
        if key.entity == "metric":
            raise InvalidInput(f"Expected numeric value type for metric. Found {token.text}")
        raise InvalidInput(f"Expected numeric value type for numeric attribute: {key.name}. Found {token.text}")
    if token.kind in ("text", "quoted"):
        if len(token.text) > LONGEST_PATTERN:
            raise InvalidInput(f"the value of {what} {key.name} is too long", expected=f"at most {LONGEST_PATTERN}")
        return token.unquoted
    if subject.name == "logged models" and token.kind == "number":
        return token.text
    if token.kind == "name":
        raise InvalidInput(
            "Parameter value is either not quoted or unidentified quote types used for string value "
            f"{token.text}. Use either single or double quotes."
        )
    if key.entity in ("param", "tag"):
        raise InvalidInput(f"Expected a quoted string value for {what} (e.g. 'my-value'). Got value {token.text}")
    raise InvalidInput(
        f"Expected a quoted string value for {what} attributes. Got value {token.text}".replace(
            "attribute attributes", "attributes"
        )
    )


def _list(clause: _Clause, key: Key, rules: _Rules) -> tuple[Value, ...]:
    """The values of a list."""
    if key.kind != "text":
        kind = "metric" if key.entity == "metric" else f"numeric attribute: {key.name}"
        raise InvalidInput(f"Expected numeric value type for {kind}. Found {clause.listed}")
    if key.entity in ("param", "tag"):
        raise InvalidInput(
            f"Expected a quoted string value for {_entity(key)} (e.g. 'my-value'). Got value {clause.listed}"
        )
    if key.entity == "attribute" and key.name not in rules.listed:
        raise InvalidInput(f"Only {[*rules.listed]} attributes support comparison with a list of quoted string values.")
    beginning = "While parsing a list in the query, expected"
    if not clause.values:
        raise InvalidInput(f"{beginning} a non-empty list of string values, but got empty list")
    values, signs = clause.values[::2], clause.values[1::2]
    if any(value.kind != "text" for value in values):
        raise InvalidInput(
            f"{beginning} string value, punctuation, or whitespace, but got different type in list: {clause.listed}"
        )
    if any(sign.text != "," for sign in signs) or len(values) == len(signs) or not clause.listed.endswith(")"):
        raise InvalidInput(f"{beginning} a non-empty list of string values, but got ill-formed list.")
    if len(values) > MOST_VALUES:
        raise InvalidInput(f"a list of {len(values)} values", expected=f"at most {MOST_VALUES}")
    return tuple(value.unquoted for value in values)


def _term(text: str, subject: Subject, rules: _Rules) -> Term:
    shown = text.encode("utf-8", "replace").decode()
    unreadable = InvalidInput(f"Invalid order_by clause '{shown}'. Could not be parsed.")
    try:
        words = tokens(text)[:-1]
    except InvalidInput:
        raise unreadable from None
    if not words or len(words) > 2 or words[0].kind not in ("name", "quoted"):
        raise unreadable
    if len(words) == 2 and not words[1].says("ASC", "DESC"):
        raise InvalidInput(f"Invalid ordering key in order_by clause '{text}'.")
    entity, name, _ = split(words[0].text)
    if subject.name == "registered models" and (entity or name not in rules.orders):
        valid = _shown(("name", "timestamp"))
        raise InvalidInput(f"Invalid order by key '{words[0].text}' specified. Valid keys are '{valid}'")
    key = _key(words[0], subject, rules, rules.orders)
    if key.entity in ("dataset",) or (key.entity == "tag" and subject.name != "runs"):
        raise InvalidInput(f"Invalid order_by entity: {key.entity}")
    return Term(key, ascending=not words[-1].says("DESC"))


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else float(text)


def _entity(key: Key) -> str:
    return "parameter" if key.entity == "param" else key.entity


def _shown(words: object) -> str:
    listed = sorted(words)  # type: ignore[call-overload]
    return "{" + ", ".join(f"'{word}'" for word in listed) + "}"
