"""Changing an endpoint by hand: a split, shadows, and back to the champion alone."""

import re
from collections.abc import Sequence
from typing import Annotated

from assay.errors import Conflict, InvalidInput
from assay.operate.routing.changing import end_split, set_shadows, set_split
from assay.operate.routing.endpoints import EndpointDetail, show_endpoint
from assay.operate.routing.hashing import scheme_of
from assay.operation import operation
from assay.prove.promotion import passed_or_overridden
from assay.record.identity import new_id
from assay.record.models.registry import ModelVersion, find_version, version_by_id
from assay.record.models.routes import FULL_COVERAGE, HashVersion, Route, Split, Variant, current_route
from assay.record.store import Store

__all__ = ["reset_endpoint", "shadow_endpoint", "split_endpoint"]

BY_HAND = "by hand"
_VERSION = re.compile(r"(?P<model>.+)@(?P<version>[^@:]+)")
_VARIANT = re.compile(r"(?P<name>[^=@:\s]+)=(?P<version>.+?)(?::(?P<weight>-?\d+))?")


@operation("endpoint split")
def split_endpoint(
    store: Store,
    endpoint: str,
    *,
    variant: Annotated[
        list[str], "A version and its weight, as champion=MODEL@VERSION:90; once for each, champion first"
    ] = [],  # noqa: B006 - read only
    salt: Annotated[
        str | None, "What the hash is salted with; without it that of the split in place, or a new one"
    ] = None,
    coverage: Annotated[
        float, "The share of the units that take part, in percent; the others have the champion"
    ] = 100.0,
    segment: Annotated[
        str | None, "Only for rows for which this holds, such as distance > 500 and carrier = 'UA'"
    ] = None,
    hash: Annotated[str, "murmur3, or gb_v1 or gb_v2 to go on with a test of GrowthBook"] = "murmur3",
    experiment: Annotated[str, "The name that the predictions are logged with"] = BY_HAND,
    reason: Annotated[str, "Why, for the ledger"] = BY_HAND,
    override: Annotated[
        str | None, "Let a version answer against its verdict, for this reason, which stays on record"
    ] = None,
) -> EndpointDetail:
    """Share the units of an endpoint out among versions; each keeps its version while weights and salt stay.

    Every version but the champion needs a passing verdict of the gate against it, or an override.
    """
    scheme = scheme_of(hash)
    with store.transaction():
        route = current_route(store, endpoint)
        _check_free(store, endpoint)
        champion = version_by_id(store, route.variants[0].mv_id)
        named = [_variant(store, text) for text in variant]
        if len(named) < 2:
            raise InvalidInput(
                f"{len(named)} variants to share the units out among",
                expected="two or more",
                hint=f"--variant champion={champion.model}@{champion.version}:90 --variant challenger=MODEL@VERSION:10",
            )
        variants = [one for one, _ in named]
        split = _split(route, experiment, salt, scheme, _covered(coverage), segment)
        proofs = {
            one.name: passed_or_overridden(store, version, champion, override)
            for one, version in named
            if version.mv_id != champion.mv_id
        }
        set_split(
            store,
            endpoint,
            variants,
            shadows=route.shadows,
            split=split,
            kind="split",
            reason=reason,
            expect=route.revision,
            detail={"allowed": proofs},
        )
        return show_endpoint(store, endpoint)


@operation("endpoint shadow")
def shadow_endpoint(
    store: Store,
    endpoint: str,
    version: str | None = None,
    *,
    off: Annotated[bool, "Take this version, or all, out of the shadow"] = False,
    name: Annotated[str | None, "What it is called in the log; without it shadow, or shadow-2 and so on"] = None,
    reason: Annotated[str, "Why, for the ledger"] = BY_HAND,
) -> EndpointDetail:
    """Let MODEL@VERSION answer a copy of each request, only for the log, or with --off no longer."""
    with store.transaction():
        route = current_route(store, endpoint)
        _check_free(store, endpoint)
        if off:
            shadows = _without(store, route, version)
        elif version is None:
            raise InvalidInput("no version is named", expected="MODEL@VERSION, or --off")
        else:
            found = _version(store, version)
            if any(one.mv_id == found.mv_id for one in route.shadows):
                raise Conflict(f"{found.model}/{found.version} is a shadow of endpoint {endpoint!r} already")
            shadows = [*route.shadows, Variant(found.mv_id, found.hash, 0, name or _free_name(route))]
        set_shadows(store, endpoint, shadows, kind="shadow", reason=reason, expect=route.revision)
        return show_endpoint(store, endpoint)


@operation("endpoint reset")
def reset_endpoint(
    store: Store, endpoint: str, *, reason: Annotated[str, "Why, for the ledger"] = BY_HAND
) -> EndpointDetail:
    """Let the champion answer everything again, without a split and without shadows.

    Nothing stands in the way: a test or a release that is under way is interrupted, and the decision names it.
    """
    with store.transaction():
        route = current_route(store, endpoint)
        if route.split is None and not route.shadows:
            raise Conflict(f"the champion of endpoint {endpoint!r} answers everything already")
        interrupted = _running(store, endpoint)
        detail = {"interrupts": interrupted} if interrupted else None
        end_split(store, endpoint, kind="reset", reason=reason, detail=detail)
        return show_endpoint(store, endpoint)


def _running(store: Store, endpoint: str) -> list[str]:
    """The tests and releases that hold the route of an endpoint, in words."""
    tests = store.query("online_test", {"endpoint": endpoint, "status": "running"}, order_by=["started"])
    releases = store.query("rollout", {"endpoint": endpoint, "status in": ["running", "held"]}, order_by=["started"])
    return [f"test {row['name']}" for row in tests] + [f"release {row['rollout_id'][:8]}" for row in releases]


def _check_free(store: Store, endpoint: str) -> None:
    running = _running(store, endpoint)
    if running:
        raise Conflict(
            f"{running[0]} decides who answers at endpoint {endpoint!r}",
            expected="an endpoint without a test or a release under way",
            hint=f"stop it first; `assay endpoint reset {endpoint}` gives everything to the champion at once",
        )


def _variant(store: Store, text: str) -> tuple[Variant, ModelVersion]:
    match = _VARIANT.fullmatch(text)
    if match is None:
        raise InvalidInput(f"the variant {text!r} cannot be read", expected="NAME=MODEL@VERSION:WEIGHT")
    version = _version(store, match["version"])
    return Variant(version.mv_id, version.hash, int(match["weight"] or 1), match["name"]), version


def _version(store: Store, text: str) -> ModelVersion:
    match = _VERSION.fullmatch(text)
    if match is None:
        raise InvalidInput(f"the version {text!r} cannot be read", expected="MODEL@VERSION, such as delays@3")
    return find_version(store, match["model"], match["version"])


def _covered(percent: float) -> int:
    covered = round(percent * FULL_COVERAGE / 100)
    if not 0 <= percent <= 100 or abs(covered - percent * FULL_COVERAGE / 100) > 1e-6:
        raise InvalidInput(f"the coverage is {percent:g} percent", expected="0 to 100, in hundredths of a percent")
    return covered


def _split(
    route: Route, experiment: str, salt: str | None, scheme: HashVersion, coverage: int, segment: str | None
) -> Split:
    """The split, in the next phase of its experiment if that is the one in place."""
    before = route.split if route.split and route.split.experiment == experiment else None
    used = salt or (before.salt if before else new_id()[:12])
    return Split(experiment, before.phase + 1 if before else 1, used, scheme, coverage, segment)


def _without(store: Store, route: Route, version: str | None) -> Sequence[Variant]:
    if not route.shadows:
        raise Conflict(f"endpoint {route.endpoint!r} has no shadow")
    if version is None:
        return []
    found = _version(store, version)
    left = [one for one in route.shadows if one.mv_id != found.mv_id]
    if len(left) == len(route.shadows):
        there = [version_by_id(store, one.mv_id) for one in route.shadows]
        raise InvalidInput(
            f"{version} is no shadow of endpoint {route.endpoint!r}",
            expected=f"one of {', '.join(f'{one.model}@{one.version}' for one in there)}",
        )
    return left


def _free_name(route: Route) -> str:
    taken = {one.name for one in (*route.variants, *route.shadows)}
    number = 1
    while (name := f"shadow-{number}" if number > 1 else "shadow") in taken:
        number += 1
    return name
