"""Feature views in the terminal: which there are, what is in one, and how versions differ."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from assay.cli.tables import number, pairs, table, when

if TYPE_CHECKING:
    from assay.build.views.catalogue.comparing import ViewDifference
    from assay.build.views.catalogue.duplicates import Duplicates, Likeness
    from assay.build.views.catalogue.finding import FoundFeatures
    from assay.build.views.catalogue.registering import RegisteredView, Registration
    from assay.build.views.catalogue.reuse import Usage, ViewUsage
    from assay.build.views.catalogue.showing import FeatureLine, ViewDetail, ViewList, ViewSummary
    from assay.build.views.log.results import ViewResult
    from assay.steer.feature_store_ladder import Worth
    from assay.steer.ladder_money import Money

__all__ = [
    "duplicates",
    "found_features",
    "registration",
    "usage",
    "view_detail",
    "view_difference",
    "view_list",
    "worth",
]

_OUTCOMES = {"new": "green", "changed": "yellow", "unchanged": "dim", "a copy": "red"}
_MOST_NAMED = 6


def registration(found: "Registration") -> RenderableType:
    """A line a view, and below it what changed and what is wrong."""
    return Group(*[part for one in found.views for part in _registered(one)])


def view_list(found: "ViewList") -> RenderableType:
    """A line a view, or what to do where there is none."""
    if not found.views:
        return Text("no feature views yet; `assay features register FILE.py` keeps those that a file declares")
    shown = table(
        "view", "entity", "features", "source", "owner", "in production", "newest row", "failed", "description"
    )
    for one in found.views:
        cells = (", ".join(one.entity), _named(one.features), one.source, one.owner or "", ", ".join(one.production))
        shown.add_row(
            f"{one.name}@{one.version}", *cells, _freshness(one), Text(", ".join(one.failed), "red"), one.description
        )
    return shown


def view_detail(found: "ViewDetail") -> RenderableType:
    """What is declared in a few lines, a line a feature, a line a version where there are several."""
    facts = {
        "entity": ", ".join(f"{name} ({kind})" for name, kind in found.entity.items()),
        "source": found.source,
        "made by": f"{found.function}, {found.file}" if found.function and found.file else found.function,
        "time": found.time,
        "known since": found.created,
        "one event": ", ".join(found.event) or None,
        "ttl": found.ttl,
        "delay": found.delay,
        "strict": "a row at the very moment does not count" if found.strict else None,
        "owner": found.owner,
        "tags": ", ".join(found.tags) or None,
        "promise": f"never older than {found.fresh}" if found.fresh else None,
        "newest row": _freshness(found.usage) or None,
        "rows": f"{found.rows:,}, seen {when(found.seen)}" if found.rows is not None and found.seen else None,
        "log": f"{found.usage.rows:,} rows, {found.usage.bytes / 1e6:,.1f} MB" if found.usage.rows else None,
    }
    head = Text.assemble((f"{found.name}@{found.version}", "bold"), f"  {found.description}".rstrip())
    parts: list[RenderableType] = [head, pairs({name: said for name, said in facts.items() if said})]
    parts.append(_feature_lines(found.features, "its function" if found.function else "a column"))
    if len(found.versions) > 1:
        shown = table("version", "registered", "by", "hash", "models")
        for one in found.versions:
            shown.add_row(str(one.version), when(one.registered), one.actor, one.hash[:12], ", ".join(one.models))
        parts += [shown, Text(f"`assay features diff {found.name}` says what the newest changed", "dim")]
    if found.usage.breaks:
        parts += [Text("in production", "bold"), *(Text(f"- {said}") for said in found.usage.breaks)]
    elif not found.models:
        parts.append(Text("no version of a model takes a feature of it", "dim"))
    if found.sets:
        shown = table("training set", "version", "as of", "rows", "with a value", "too old", "written later", "made")
        for each in found.sets:
            later = "" if each.later is None else f"{each.later:,}"
            counts = (f"{each.rows:,}", f"{each.rate:.1%}", f"{each.expired:,}", later, when(each.made))
            shown.add_row(f"{each.name}@{each.hash[:12]}", str(each.version), each.as_of, *counts)
        parts.append(shown)
    if found.results:
        shown = table("found", "about", "result", "when", "")
        for result in found.results:
            shown.add_row(*_result(result))
        parts.append(shown)
    return Group(*parts)


def view_difference(found: "ViewDifference") -> RenderableType:
    """A sentence for everything that differs."""
    head = f"{found.before} -> {found.after}"
    if found.same:
        return Text(f"{head}: the same")
    return Group(Text(head, "bold"), *(Text(f"- {sentence}") for sentence in found.changes))


def duplicates(found: "Duplicates") -> RenderableType:
    """A line a pair, the copies first."""
    about = f"{found.features} features of {found.views} views"
    parts: list[RenderableType] = []
    if not found.pairs:
        parts.append(Text(f"none is there twice among {about}"))
    else:
        shown = table("feature", "is like", "how", "rows", "rank correlation")
        for one in found.pairs:
            shown.add_row(one.feature, one.other, *_how(one))
        parts += [Text(f"among {about}"), shown]
    return Group(*parts, *[Text(f"values not compared: {said}", "yellow") for said in found.not_compared])


def found_features(found: "FoundFeatures") -> RenderableType:
    """A line a feature, the best first."""
    if not found.found:
        return Text(f"no feature has {found.text!r} in its name, view, description, entity, owner, tag, source or type")
    shown = table("feature", "type", "entity", "owner", "found in", "description")
    for one in found.found:
        name = f"{one.view.partition('@')[0]}:{one.feature}"
        shown.add_row(name, one.type, ", ".join(one.entity), one.owner or "", ", ".join(one.matched), one.description)
    more = found.total - len(found.found)
    return Group(shown, *([Text(f"and {more:,} more; --limit lists them", "dim")] if more else []))


def usage(found: "Usage") -> RenderableType:
    """A line a view, a line a feature that is used, and what would break."""
    if not found.views:
        return Text("no feature views yet; `assay features register FILE.py` keeps those that a file declares")
    views = table(
        "view", "models", "in production", "versions in use", "newest row", "log rows", "log MB", "no model takes"
    )
    for one in found.views:
        views.add_row(
            one.view,
            str(len(one.models)),
            str(len(one.production)),
            ", ".join(map(str, one.in_use)),
            _freshness(one),
            f"{one.rows:,}",
            f"{one.bytes / 1e6:,.1f}",
            "any of it" if not one.models else _named(one.unused_features),
        )
    parts: list[RenderableType] = [views]
    used = [one for one in found.features if one.models]
    if used:
        features = table("feature", "versions", "models", "in production")
        for each in used:
            cells = (", ".join(map(str, each.versions)), ", ".join(each.models), ", ".join(each.production))
            features.add_row(f"{each.view}:{each.feature}", *cells)
        parts.append(features)
    breaking = [f"- {said}" for one in found.views for said in one.breaks]
    if breaking:
        parts += [Text("what would break", "bold"), *map(Text, dict.fromkeys(breaking))]
    reused = f"used by several models in production: {', '.join(found.reused)}" if found.reused else ""
    return Group(*parts, *([Text(reused)] if reused else []))


def worth(found: "Worth") -> RenderableType:
    """The rung in one line, why, what would change it, what nobody measured; then the measures."""
    parts: list[RenderableType] = [Text(f"rung {found.rung} of 3: {found.name}", "bold")]
    if found.verdict == "inconclusive":
        parts.append(Text("it may be more: what nobody measured could need a higher one", "yellow"))
    for title, texts in (
        ("why", found.why),
        ("the next rung when", found.triggers),
        ("not measured", found.not_measured),
    ):
        if texts:
            parts += [Text(title, "bold"), *(Text(f"- {said}") for said in texts)]
    shown = table("measured", "", "what it is")
    for one in found.measures:
        shown.add_row(one.name, "not measured" if one.value is None else number(one.value, 3), one.said)
    parts.append(shown)
    return Group(*parts, *(_money(found.money) if found.money else []))


def _money(found: "Money") -> list[RenderableType]:
    head = f"in {found.days:,.0f} days: {round(found.net.low):+,} to {round(found.net.high):+,}"
    left = [Text(f"- left out: {said}", "dim") for said in found.left_out]
    return [Text(head, "bold"), *(Text(f"- {said}") for said in found.lines), *left]


def _freshness(one: "ViewUsage | ViewSummary") -> str:
    """The age of the newest row, and whether what was promised is kept."""
    age = "" if one.age_s is None else f"{_age(one.age_s)} old" if one.age_s >= 0 else "in the future"
    said = {"kept": f"within {one.promise}", "broken": f"MORE than {one.promise}", "unknown": f"{one.promise} promised"}
    return ", ".join(part for part in (age, said.get(one.fresh, "")) if part)


def _age(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"


def _result(one: "ViewResult") -> tuple[str | Text, ...]:
    colour = {"pass": "green", "fail": "red", "warn": "yellow"}.get(one.result, "")
    said = [one.said, *(f"{feature}: {words}" for feature, words in one.features.items())]
    return one.what, one.about, Text(one.result, colour), when(one.ts), "; ".join(part for part in said if part)


def _registered(one: "RegisteredView") -> list[RenderableType]:
    what = f"{len(one.features)} feature{'s' if len(one.features) != 1 else ''} of {one.rows:,} rows"
    name = one.view if one.version is None else f"{one.view}@{one.version}"
    outcome = (one.outcome, _OUTCOMES[one.outcome])
    said = [Text.assemble((name, "bold"), " ", outcome, f", {what}: {_named(one.features)}")]
    said += [Text(f"- {sentence}") for sentence in one.changes]
    said += [Text(f"- {word}", "red" if word.startswith("stop") else "yellow") for word in one.broken]
    for likeness in one.like:
        how, _, correlation = _how(likeness)
        more = f" ({correlation})" if correlation and not likeness.is_copy else ""
        feature = likeness.feature.partition(":")[2]
        said.append(Text(f"- {feature} is like {likeness.other}: {how}{more}", "yellow"))
    said += [Text(f"- values not compared: {word}", "dim") for word in one.not_compared]
    if one.version is None:
        said.append(Text("- not kept, as all its features are there already; --copies keeps it", "red"))
    return list(said)


def _how(one: "Likeness") -> tuple[str, str, str]:
    rows = f"{one.rows:,}" if one.rows else ""
    return one.how, rows, f"{one.correlation:+.4f}" if one.correlation is not None else ""


def _feature_lines(features: "list[FeatureLine]", made_by: str) -> RenderableType:
    shown = table("feature", "type", "no value", "made by", "models")
    for one in features:
        missing = "" if one.null_rate is None else f"{one.null_rate:.1%}"
        shown.add_row(one.name, one.type, missing, one.definition or made_by, ", ".join(one.models))
    return shown


def _named(features: list[str]) -> str:
    more = len(features) - _MOST_NAMED
    return ", ".join(features[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
