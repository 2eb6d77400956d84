"""How much of a feature store is worth its cost for this team now: a rung of a ladder, from what the records say.

A rung is needed where what it guarantees costs something now: reuse and copies (a registry), answers that differ from
training and lookups by key (an online store). What nobody measured decides nothing, and is said.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from assay.build.views.catalogue.duplicates import duplicate_features
from assay.build.views.catalogue.reuse import Usage, feature_usage
from assay.build.views.declared.spans import span_text
from assay.build.views.log.results import AUDIT, SKEW, results_of_kind
from assay.build.views.registry.registered import view_versions
from assay.operation import operation
from assay.record.clock import iso, moment
from assay.record.store import Store
from assay.steer.ladder_money import Money, Terms, money_of

__all__ = ["RUNGS", "LadderFacts", "Measure", "Need", "Worth", "feature_store_worth", "judge_ladder", "ladder_facts"]

RUNGS = (
    "shared feature functions in code and the point-in-time join",
    "a registry of feature views and offline materialisation",
    "an online store: in process, SQLite or Redis",
    "a managed platform",
)
_DAY_US = 86_400_000_000
_MANY_MODELS = 10  # online and sharing features: the rule of thumb of economics.md section 9
_MANY_OWNERS = 3
_RECENT_DAYS = 365  # what happened before costs nothing now
_SECONDS = 20.0


class LadderFacts(msgspec.Struct, frozen=True):
    """What was measured of the store, in the last year; None where nobody has measured it.

    `online_models` are answered by an endpoint, `online_with_features` take features of views there. `skewed` replays
    of `replayed` and `leaking` audits of `audited` failed. `lookups` were answered with features. `fresh_us` is the
    shortest promise among views in production, `nearly_reused` are features with one model in production and another
    that is not.
    """

    views: int
    features: int
    online_models: int
    online_with_features: int
    owners: int
    reused: list[str]
    nearly_reused: list[str]
    reuses: int
    copies: int
    copies_unknown: list[str]
    replayed: int
    skewed: int
    audited: int
    leaking: int
    lookups: int | None
    fresh_us: int | None
    days: float


class Measure(msgspec.Struct, frozen=True):
    """A fact that the answer rests on; `value` is None where it was not measured, and `said` says how to."""

    name: str
    value: float | None
    said: str


class Need(msgspec.Struct, frozen=True):
    """Whether something needs a rung: pass where the records show it, fail where they show that not."""

    rung: int
    what: str
    needed: Literal["pass", "fail", "inconclusive"]
    said: str


class Worth(msgspec.Struct, frozen=True):
    """The lowest rung whose guarantees cost something now, and why. Above it `triggers` say what would change that.

    The verdict is inconclusive where something that nobody measured could need a higher rung.
    """

    rung: int
    name: str
    verdict: Literal["pass", "inconclusive"]
    why: list[str]
    triggers: list[str]
    not_measured: list[str]
    needs: list[Need]
    measures: list[Measure]
    money: Money | None


@operation("features worth", local=True)  # it compares features, which calls functions of views
def feature_store_worth(
    store: Store,
    *,
    hours: Annotated[
        str | None, "Hours that a feature takes to build, as 4 or 4-16: with --rate what reuse saved"
    ] = None,
    rate: Annotated[str | None, "What an hour costs, as 80 or 60-100"] = None,
    loss: Annotated[str | None, "What an incident costs: answers that differ from training, or a leak"] = None,
    prevented: Annotated[str | None, "The share of incidents that a feature store would have prevented, 0 to 1"] = None,
    yearly: Annotated[str | None, "What a feature store costs in a year: its operation, licences, machines"] = None,
    seconds: Annotated[float, "How long features are compared at most, for copies"] = _SECONDS,
) -> Worth:
    """Say how much of a feature store is worth it now, from the records: a rung from 0 to 3, why, what is unknown.

    Rung 0 is functions in code and the point-in-time join, 1 a registry, 2 an online store, 3 a managed platform. Money
    is counted only from what the options give, as ranges. Ends with 3 where what nobody measured could need more.
    """
    terms = Terms.given(hours=hours, rate=rate, loss=loss, prevented=prevented, yearly=yearly)
    return judge_ladder(ladder_facts(store, seconds=seconds), terms)


def ladder_facts(store: Store, *, seconds: float) -> LadderFacts:
    """What the store has measured."""
    usage = feature_usage(store)
    online = [one for one in usage.models if one.endpoints]
    routed = sorted(one.mv_id for one in online)
    copies = duplicate_features(store, seconds=seconds) if len(usage.views) > 1 else None
    since = iso(store.clock.latest() - timedelta(days=_RECENT_DAYS))
    replays, audits = results_of_kind(store, SKEW, since), results_of_kind(store, AUDIT, since)
    windows = store.query("serving_window", {"mv_id in": routed, "day >=": since[:10]}) if routed else []
    versions = {one.name: one for one in reversed(view_versions(store))}
    promises = [versions[one.view].declared.fresh_us for one in usage.views if one.production]
    first = store.query("feature_view", order_by=["ts"], limit=1)
    return LadderFacts(
        views=len(usage.views),
        features=sum(len(versions[one.view].feature_names) for one in usage.views),
        online_models=_online_models(store),
        online_with_features=len({one.model for one in online}),
        owners=len({one.owner for one in online}),
        reused=usage.reused,
        nearly_reused=_nearly_reused(usage),
        reuses=sum(max(0, len({name.rpartition("/")[0] for name in one.models}) - 1) for one in usage.features),
        copies=len([one for one in copies.pairs if one.is_copy]) if copies else 0,
        copies_unknown=copies.not_compared if copies else [],
        replayed=len(replays),
        skewed=sum(row["result"] == "fail" for row in replays),
        audited=len(audits),
        leaking=sum(row["result"] == "fail" for row in audits),
        lookups=sum(row["predictions"] for row in windows) if windows else (None if routed else 0),
        fresh_us=min((one for one in promises if one is not None), default=None),
        days=_days(moment(first[0]["ts"]), store.clock.latest()) if first else 0.0,
    )


def judge_ladder(facts: LadderFacts, terms: Terms | None = None) -> Worth:
    """The rung for these facts: the lowest that covers everything that costs something now."""
    needs = [*_registry(facts), *_online(facts), _platform(facts)]
    rung = max((need.rung for need in needs if need.needed == "pass"), default=0)
    open_needs = [need for need in needs if need.needed == "inconclusive"]
    above = [need for need in open_needs if need.rung > rung]
    why = [need.said for need in needs if need.needed == "pass"]
    if not why:
        why = [need.said for need in needs if need.needed == "fail" and need.rung < 3]
    if facts.leaking:
        why.append(
            f"{facts.leaking} of {facts.audited} audits found values that were not known at the time: what the join of"
            " rung 0 prevents, `assay.features.training_set`"
        )
    unknown = [need.said for need in open_needs]
    if facts.views and not facts.audited:
        unknown.append("no training set was audited: `assay features audit` says whether values were known at the time")
    unknown.append("how fast answers must be: no record says it")
    return Worth(
        rung=rung,
        name=RUNGS[rung],
        verdict="inconclusive" if above else "pass",
        why=why,
        triggers=_triggers(rung + 1, facts),
        not_measured=unknown,
        needs=needs,
        measures=_measures(facts),
        money=money_of(facts.reuses, facts.skewed + facts.leaking, facts.days, terms or Terms()),
    )


def _registry(facts: LadderFacts) -> list[Need]:
    reused, copies = len(facts.reused), facts.copies
    unknown = "; ".join(facts.copies_unknown)
    return [
        Need(
            1,
            "reuse",
            "pass",
            f"{_count(reused, 'feature')} taken by several models in production: {_few(facts.reused)}",
        )
        if reused
        else Need(1, "reuse", "fail", "no feature is taken by two models in production"),
        Need(1, "copies", "pass", f"{_count(copies, 'pair')} of features that are copies: `assay features duplicates`")
        if copies
        else Need(1, "copies", "inconclusive", f"whether features are copies: {unknown}")
        if unknown
        else Need(1, "copies", "fail", "no feature is a copy of another"),
    ]


def _online(facts: LadderFacts) -> list[Need]:
    return [_skew(facts), _lookups(facts), _freshness(facts)]


def _skew(facts: LadderFacts) -> Need:
    if facts.skewed:
        said = f"{facts.skewed} of {facts.replayed} replays found answers with features that training would not compute"
        return Need(2, "skew", "pass", said)
    outside = facts.online_models - facts.online_with_features
    if not facts.online_models:
        return Need(2, "skew", "fail", "no model answers online, so nothing can differ from training there")
    if facts.online_with_features and not facts.replayed:
        return Need(2, "skew", "inconclusive", "whether served features are those of training: nothing was replayed")
    if outside > 0:
        said = (
            f"whether served features are those of training: {_count(outside, 'model')} online take them from callers"
        )
        return Need(2, "skew", "inconclusive", said)
    return Need(2, "skew", "fail", f"{_count(facts.replayed, 'replay')} found no difference to training")


def _lookups(facts: LadderFacts) -> Need:
    if facts.lookups is None:
        return Need(2, "lookups", "inconclusive", "how many answers looked features up by key: no window was read yet")
    if facts.lookups:
        return Need(2, "lookups", "pass", f"{_count(facts.lookups, 'answer')} looked features up by key")
    return Need(2, "lookups", "fail", "no answer looked features up by key")


def _freshness(facts: LadderFacts) -> Need:
    if facts.fresh_us is not None and facts.fresh_us < _DAY_US:
        said = f"a view in production promises to be never older than {span_text(facts.fresh_us)}"
        return Need(2, "freshness", "pass", said)
    return Need(2, "freshness", "fail", "no view in production promises to be fresher than a day")


def _platform(facts: LadderFacts) -> Need:
    many = facts.online_with_features >= _MANY_MODELS and facts.owners >= _MANY_OWNERS and bool(facts.reused)
    models, owners = _count(facts.online_with_features, "model"), _count(facts.owners, "owner")
    said = f"{models} online take features of views, of {owners}"
    return Need(3, "scale", "pass" if many else "fail", said)


def _triggers(rung: int, facts: LadderFacts) -> list[str]:
    """What would make the next rung worth it."""
    if rung == 1:
        near = f", as soon {_few(facts.nearly_reused)}" if facts.nearly_reused else ""
        return [f"a second model in production takes the same feature{near}", "a feature is made that is there already"]
    if rung == 2:
        return [
            "a model that answers online takes features by key",
            "a replay finds answers with features that training would not compute",
            "a view in production must be fresher than a day",
            "answers are needed faster than their features can be computed",
        ]
    if rung == 3:
        return [
            f"{_MANY_MODELS} models online share features, and {_MANY_OWNERS} people own them",
            "one machine, or one database, does not answer in time any more",
        ]
    return []


def _measures(facts: LadderFacts) -> list[Measure]:
    measured: list[tuple[str, float | None, str]] = [
        ("feature views", facts.views, "registered"),
        ("features", facts.features, "of their newest versions"),
        ("models online", facts.online_models, "an endpoint answers with them"),
        ("models online with features of views", facts.online_with_features, "of them"),
        ("features reused", len(facts.reused), "taken by two or more models in production"),
        ("reuses", facts.reuses, "a model took a feature that another had taken"),
        ("copies", None if facts.copies_unknown and not facts.copies else facts.copies, "pairs of features"),
        ("skew", facts.skewed if facts.replayed else None, f"replays that failed, of {facts.replayed} in a year"),
        ("leaks", facts.leaking if facts.audited else None, f"audits that failed, of {facts.audited} in a year"),
        ("lookups", facts.lookups, "answers with features looked up by key, in a year"),
    ]
    if facts.fresh_us is not None:
        measured.append(("freshness in days", facts.fresh_us / _DAY_US, "shortest promise of a view in production"))
    return [Measure(name, None if value is None else float(value), said) for name, value, said in measured]


def _online_models(store: Store) -> int:
    last = {row["endpoint"]: row["detail"] for row in store.query("route", order_by=["revision"])}
    ids = {one["mv_id"] for detail in last.values() for one in msgspec.json.decode(detail)["variants"]}
    return len({row["model"] for row in store.query("model_version", {"mv_id in": sorted(ids)})}) if ids else 0


def _nearly_reused(usage: Usage) -> list[str]:
    """Features with one model in production, and another that is not there yet."""
    found = []
    for one in usage.features:
        production = {name.rpartition("/")[0] for name in one.production}
        others = {name.rpartition("/")[0] for name in one.models} - production
        if len(production) == 1 and others:
            found.append(f"{one.view}:{one.feature}")
    return found


def _few(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def _days(began: datetime, now: datetime) -> float:
    return max(0.0, (now - began).total_seconds() / 86_400)
