"""Changing who answers at an endpoint: a decision in the ledger and a new revision of the route, at once.

Whoever read the route before says with `expect` which revision that was: then nobody's change is lost. The champion is
changed by a promotion or a rollback only (`prove.promotion`), which also ends the split.
"""

from collections.abc import Mapping, Sequence

import msgspec

from assay.build.models.packaging import answers_of
from assay.errors import Conflict, InvalidInput
from assay.operate.routing.hashing import HIGHEST_TOTAL, bounds, hasher
from assay.operate.routing.segments import segment_of
from assay.operate.routing.taken_columns import kind_of, taken_by, taken_together
from assay.record.ledger import decide
from assay.record.models.registry import version_by_id
from assay.record.models.routes import FULL_COVERAGE, Route, Split, Variant, append_route, current_route, route_of
from assay.record.store import Store

__all__ = ["end_split", "set_shadows", "set_split"]


def set_split(
    store: Store,
    endpoint: str,
    variants: Sequence[Variant],
    *,
    shadows: Sequence[Variant] = (),
    split: Split | None,
    kind: str,
    reason: str,
    expect: int | None = None,
    detail: Mapping[str, object] | None = None,
) -> Route:
    """Share the units of an endpoint out among variants, the champion of now first.

    `kind` is that of the decision, `reason` says why in words, and `detail` is written into it besides. Conflict where
    the route is no longer at revision `expect`; it names who changed it. InvalidInput for weights, a coverage, a
    segment, a hash or names that cannot be, for another champion, and for versions that answer with another kind of
    value or take a column as one; NotFound for an endpoint that is not there.
    """
    with store.transaction():
        route = current_route(store, endpoint)
        _check_unchanged(store, route, expect)
        if not variants or variants[0].mv_id != route.variants[0].mv_id:
            raise InvalidInput(
                f"the first variant of endpoint {endpoint!r} is not its champion",
                expected=_called(store, route.variants[0]),
                hint="assay promote changes the champion",
            )
        kinds = _kinds(store, [*variants, *shadows])
        _check_answers(store, [*variants, *shadows])
        if split is not None:
            _check_split(store, endpoint, variants, split, kinds)
        said: dict[str, object] = {
            "endpoint": endpoint,
            "from_revision": route.revision,
            "variants": [_shown(store, variant) for variant in variants],
            "shadows": [_shown(store, variant) for variant in shadows],
            "split": msgspec.to_builtins(split),
            "reason": reason,
            **(detail or {}),
        }
        decision = decide(store, kind, endpoint, said)
        return append_route(store, endpoint, variants, shadows=shadows, split=split, decision=decision)


def set_shadows(
    store: Store,
    endpoint: str,
    shadows: Sequence[Variant],
    *,
    kind: str,
    reason: str,
    expect: int | None = None,
    detail: Mapping[str, object] | None = None,
) -> Route:
    """Give copies of the requests to these versions and no others; who answers stays as it is."""
    with store.transaction():
        route = current_route(store, endpoint)
        return set_split(
            store,
            endpoint,
            route.variants,
            shadows=shadows,
            split=route.split,
            kind=kind,
            reason=reason,
            expect=expect,
            detail=detail,
        )


def end_split(
    store: Store,
    endpoint: str,
    *,
    kind: str,
    reason: str,
    expect: int | None = None,
    detail: Mapping[str, object] | None = None,
) -> Route:
    """Let the champion answer everything again, without shadows."""
    with store.transaction():
        champion = current_route(store, endpoint).variants[:1]
        return set_split(store, endpoint, champion, split=None, kind=kind, reason=reason, expect=expect, detail=detail)


def _check_unchanged(store: Store, route: Route, expect: int | None) -> None:
    if expect is None or expect == route.revision:
        return
    row = store.get("route", {"endpoint": route.endpoint, "revision": route.revision})
    raise Conflict(
        f"the route of endpoint {route.endpoint!r} was changed by {row['actor']} at {row['ts']}",
        expected=f"revision {expect}, it is {route.revision} now (decision {row['decision']})",
        hint="look at it again and repeat",
    )


def _check_split(store: Store, endpoint: str, variants: Sequence[Variant], split: Split, kinds: dict[str, str]) -> None:
    _check_salt(store, endpoint, split)
    where = f"the split of endpoint {endpoint!r}"
    for variant in variants:
        if variant.weight < 0:
            raise InvalidInput(f"{variant.name} has the weight {variant.weight}", where=where, expected="0 or more")
    try:
        hasher(split.hash_version, split.salt)
        bounds(split.hash_version, [variant.weight for variant in variants])
    except InvalidInput as error:
        raise error.at(where) from None
    if not any(variant.weight for variant in variants):
        raise InvalidInput("all weights are 0", where=where, expected=f"one above 0, together at most {HIGHEST_TOTAL}")
    if not 0 <= split.coverage <= FULL_COVERAGE:
        raise InvalidInput(
            f"the coverage is {split.coverage}",
            where=where,
            expected=f"0 to {FULL_COVERAGE}, so many of {FULL_COVERAGE}",
        )
    if split.segment is not None:
        segment_of(split.segment, kinds)


def _kinds(store: Store, variants: Sequence[Variant]) -> dict[str, str]:
    """Of each column that one of the versions takes, its kind; no server could load a route where two do not agree."""
    taken = [(one.name, taken_by(version_by_id(store, one.mv_id).signature)) for one in variants]
    return {name: kind_of(column) for name, column in taken_together(taken).items()}


def _check_answers(store: Store, variants: Sequence[Variant]) -> None:
    """InvalidInput where some tell classes apart and others predict numbers: no server could load such a route."""
    if len(variants) < 2:
        return
    champion, *others = variants
    gives = answers_of(store, version_by_id(store, champion.mv_id))
    for one in others:
        own = answers_of(store, version_by_id(store, one.mv_id))
        if own != gives:
            raise InvalidInput(
                f"{_named(store, champion)} {gives}, and {_named(store, one)} {own}",
                expected="variants of one endpoint that answer with the same kind of value",
            )


def _check_salt(store: Store, endpoint: str, split: Split) -> None:
    """InvalidInput where the salt was used with another hash: all its units would move."""
    for row in store.query("route", {"endpoint": endpoint}, order_by=["-revision"]):
        used = route_of(row).split
        if used and used.salt == split.salt and used.hash_version != split.hash_version:
            raise InvalidInput(
                f"the salt {split.salt!r} was used with the hash {used.hash_version} at revision {row['revision']}",
                where=f"the split of endpoint {endpoint!r}",
                expected=f"the same hash for ever: {split.hash_version} would give its units other variants",
                hint="take another salt",
            )


def _shown(store: Store, variant: Variant) -> dict[str, object]:
    return {"name": variant.name, "version": _called(store, variant), "hash": variant.hash, "weight": variant.weight}


def _named(store: Store, variant: Variant) -> str:
    return f"{variant.name} ({_called(store, variant)})"


def _called(store: Store, variant: Variant) -> str:
    version = version_by_id(store, variant.mv_id)
    return f"{version.model}/{version.version}"
