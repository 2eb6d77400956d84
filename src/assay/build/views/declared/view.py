"""A feature view: a named set of features of one entity, from one source, with a time. It is declared and does nothing.

    @assay.feature_view(entity="customer", source="orders", time="ordered_at", created="loaded_at", ttl="30d")
    def spend(orders: pa.Table) -> pa.Table: ...

The function is called as before. Without one the view is columns, SQL expressions or aggregates over its source.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Required, TypeAlias, TypedDict, Unpack, overload

from assay.build.data import sql
from assay.build.data.expectations import Expectation, Expectations
from assay.build.views.declared.aggregates import Aggregate
from assay.build.views.declared.spans import Length, microseconds
from assay.errors import InvalidInput, nearest

__all__ = ["DEFINED", "FeatureDefinition", "FeatureView", "feature_view"]

FeatureDefinition: TypeAlias = str | Aggregate
# By name, as they were declared in this process: what a name means where there is no store.
DEFINED: "dict[str, FeatureView]" = {}


@dataclass(frozen=True, eq=False)
class FeatureView:
    """What was declared. Lengths are microseconds; `features` is None where every further column is one.

    `source` is the name of a dataset, a place that `assay.source` reads, a table, or several of these by the names of
    the function's parameters. `expressions` are SQL over a row of the source, `aggregates` are over windows of rows;
    a view has one kind or the other. `event` are the columns that, with the key, make two rows versions of one event
    (by default the time): of several versions the newest counts. `checks` are expectations about its rows, `fresh_us`
    is how old its newest row may be.
    """

    name: str
    entity: tuple[str, ...]
    time: str
    source: Any
    created: str | None = None
    ttl_us: int | None = None
    delay_us: int = 0
    strict: bool = False
    event: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    expressions: Mapping[str, str] = field(default_factory=dict)
    aggregates: Mapping[str, Aggregate] = field(default_factory=dict)
    function: Callable[..., Any] | None = None
    checks: Expectations | None = None
    owner: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    fresh_us: int | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself, for tests without Assay."""
        if self.function is None:
            raise InvalidInput(f"the feature view {self.name!r} has no function", hint="it is declared by expressions")
        return self.function(*args, **kwargs)


class _Declared(TypedDict, total=False):
    """The options of `feature_view`, for type checkers."""

    entity: Required[str | Sequence[str]]
    time: Required[str]
    source: Any
    features: Sequence[str] | Mapping[str, FeatureDefinition] | None
    created: str | None
    ttl: Length | None
    delay: Length | None
    strict: bool
    event: str | Sequence[str]
    fresh: Length | None
    checks: Sequence[Expectation] | Expectations | None
    owner: str | None
    description: str | None
    tags: Sequence[str]


@overload
def feature_view(name: str, /, **options: Unpack[_Declared]) -> FeatureView: ...
@overload
def feature_view(**options: Unpack[_Declared]) -> Callable[[Callable[..., Any]], FeatureView]: ...
def feature_view(
    name: str | None = None,
    /,
    *,
    entity: str | Sequence[str],
    time: str,
    source: Any = None,
    features: Sequence[str] | Mapping[str, FeatureDefinition] | None = None,
    created: str | None = None,
    ttl: Length | None = None,
    delay: Length | None = None,
    strict: bool = False,
    event: str | Sequence[str] = (),
    fresh: Length | None = None,
    checks: Sequence[Expectation] | Expectations | None = None,
    owner: str | None = None,
    description: str | None = None,
    tags: Sequence[str] = (),
) -> FeatureView | Callable[[Callable[..., Any]], FeatureView]:
    """Declare a feature view: with a name it is the view itself, without one it decorates the function that makes it.

    `entity` names the key columns, `time` when the facts of a row became true, `created` when the row became known.
    `features` are columns of the function's table or the source (by default all others), or by name: SQL expressions of
    a row, or aggregates such as `assay.features.mean("delay", over="7d")`. A value older than `ttl` at the moment it is
    wanted for is null; a row counts only from `delay` after its time on; with `strict` a row at the very moment does
    not count. `event` columns say with the key which rows are versions of one event, for aggregates; by default the
    time. A decorated function takes the source, or with a mapping of sources one for each parameter, as Arrow tables.
    `fresh` promises that the newest row is never older; `checks` are what `assay.load_expectations` gives.

    InvalidInput for what makes no sense; nothing is recorded before `assay.features.register` or its use.
    """

    def made(called: str, function: Callable[..., Any] | None) -> FeatureView:
        said = description if description is not None else (inspect.getdoc(function) or "").partition("\n")[0]
        view = _checked(
            FeatureView(
                called,
                _names(entity, "entity"),
                time,
                source,
                created,
                None if ttl is None else _more_than_nothing(ttl, "ttl", "for values that hold for ever"),
                0 if delay is None else microseconds(delay, "delay"),
                strict,
                _beside(_names(event, "event"), _names(entity, "entity")) if event else (),
                *_split(features),
                function,
                _checks(checks),
                owner,
                said,
                _tags(tags),
                None if fresh is None else _more_than_nothing(fresh, "fresh", "where nothing is promised"),
            )
        )
        if function is not None:
            vars(view).update(__wrapped__=function, __name__=function.__name__, __doc__=function.__doc__)
        DEFINED.pop(called, None)  # it stands where it was declared last
        DEFINED[called] = view
        return view

    if name is not None:
        return made(name, None)
    return lambda function: made(function.__name__, function)


def _split(
    features: Sequence[str] | Mapping[str, FeatureDefinition] | None,
) -> tuple[tuple[str, ...] | None, dict[str, str], dict[str, Aggregate]]:
    if features is None:
        return None, {}, {}
    if isinstance(features, str):
        return (features,), {}, {}
    if not isinstance(features, Mapping):
        return tuple(features), {}, {}
    texts = {name: one for name, one in features.items() if isinstance(one, str)}
    windows = {name: one for name, one in features.items() if isinstance(one, Aggregate)}
    strange = next((name for name in features if name not in texts and name not in windows), None)
    if strange is not None:
        raise InvalidInput(
            f"the feature {strange!r} is a {type(features[strange]).__name__}",
            expected='an SQL expression, or an aggregate such as assay.features.mean("delay", over="7d")',
        )
    if texts and windows:
        raise InvalidInput(
            f"{next(iter(texts))!r} is an expression of a row and {next(iter(windows))!r} an aggregate over rows",
            expected="a view of the one kind or of the other",
            hint="make two views, or compute the expression in a function whose rows are aggregated",
        )
    for name, text in texts.items():
        sql.check_row_wise(text, name)
    return tuple(features), texts, windows


def _names(given: str | Sequence[str], what: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    if not all(names) or not names or len(set(names)) < len(names):
        raise InvalidInput(f"{what} is {given!r}", expected="the names of one or more different columns")
    return names


def _checks(given: Sequence[Expectation] | Expectations | None) -> Expectations | None:
    if given is None or isinstance(given, Expectations):
        return given
    if not all(isinstance(one, Expectation) for one in given):
        raise InvalidInput(f"checks is {given!r}", expected="expectations, as assay.load_expectations(FILE) gives them")
    return Expectations(tuple(given))


def _tags(given: Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _more_than_nothing(given: Length, what: str, left_out: str) -> int:
    found = microseconds(given, what)
    if not found:
        raise InvalidInput(f"{what} is 0", expected="a length of time", hint=f"leave it out {left_out}")
    return found


def _beside(event: tuple[str, ...], entity: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that tell events of one entity apart: those of its key are the same in all of them."""
    found = tuple(name for name in event if name not in entity)
    if not found:
        raise InvalidInput(
            f"event is {', '.join(event)}, which are key columns", expected="what differs between events"
        )
    return found


def _checked(view: FeatureView) -> FeatureView:
    words = view.name.replace("-", "_").replace(".", "_")
    if not words.isidentifier() or not view.name.isascii():
        raise InvalidInput(f"{view.name!r} cannot name a feature view", expected="letters, digits, _ - .")
    roles = [*view.entity, view.time, *([view.created] if view.created else [])]
    twice = next((one for one in roles if roles.count(one) > 1), None)
    if twice is not None:
        raise InvalidInput(f"{twice!r} is named twice as key or time of {view.name!r}", expected="different columns")
    clash = next((one for one in view.features or () if one in roles), None)
    if clash is not None:
        raise InvalidInput(f"the feature {clash!r} of {view.name!r} is a key or time of it", expected="another name")
    if view.source is None:
        raise InvalidInput(
            f"the feature view {view.name!r} has no source", expected="source=, a dataset, place or table"
        )
    if view.aggregates and view.ttl_us is not None:
        raise InvalidInput(f"{view.name!r} has windows and a ttl", expected="no ttl: a window says how old rows may be")
    if view.event and not view.aggregates:
        raise InvalidInput(f"{view.name!r} has no aggregates, so `event` says nothing", expected="no event")
    if isinstance(view.source, Mapping):
        if view.function is None:
            raise InvalidInput(f"{view.name!r} has several sources and no function", expected="one source")
        takes = list(inspect.signature(view.function).parameters)
        odd = next((one for one in [*view.source, *takes] if one not in view.source or one not in takes), None)
        if odd is not None:
            close = nearest(odd, takes if odd in view.source else list(view.source))
            raise InvalidInput(
                f"source {odd!r} of {view.name!r} and the parameters of its function do not agree",
                expected=f"a source for each of {', '.join(takes)}",
                hint=f"did you mean {close!r}?" if close else None,
            )
    return view
