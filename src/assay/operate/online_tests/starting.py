"""`assay test new`: a test is written down and its traffic begins, in one transaction."""

from collections.abc import Sequence
from typing import Annotated, Literal, cast

import msgspec

from assay.build.data.words import names_in
from assay.errors import AlreadyExists, Conflict, InvalidInput
from assay.operate.online_tests.aggregating import ARMS
from assay.operate.online_tests.definition import Arm, Design, OnlineTest, all_tests, find_test
from assay.operate.online_tests.metric import Metric, check_metrics
from assay.operate.online_tests.metric_files import chosen_metrics, load_metrics
from assay.operate.routing.changing import set_shadows, set_split
from assay.operation import operation
from assay.prove.promotion import gate_standing, passed_or_overridden
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.models.registry import ModelVersion, find_version, version_by_id
from assay.record.models.routes import FULL_COVERAGE, Route, Split, Variant, current_route, decision_behind
from assay.record.names import check_key
from assay.record.store import Store

__all__ = ["CHAMPION_SHADOW", "add_phase", "arms_of", "coverage_of", "new_test", "start_test"]

CHAMPION_SHADOW = "champion-shadow"  # answers beside every variant, as the covariate of metrics that ask for it

Kind = Literal["ab", "shadow", "bandit"]


@operation("test new")
def start_test(
    store: Store,
    endpoint: str,
    versions: list[str],
    *,
    name: Annotated[str | None, "What the test is called; by default after its versions"] = None,
    metrics: Annotated[str | None, "File of metrics, [metrics.NAME]; without it [tests] of assay.toml"] = None,
    metric: Annotated[list[str], "A success metric by name, more than once for several"] = [],  # noqa: B006 - never changed
    guardrail: Annotated[list[str], "A metric that must not become worse"] = [],  # noqa: B006 - never changed
    share: Annotated[float | None, "Share of all units that each version answers, such as 0.05"] = None,
    coverage: Annotated[float | None, "Share of all units that take part; 1 by default"] = None,
    weights: Annotated[str | None, "Whole numbers for champion and versions, such as 1,1; equal by default"] = None,
    segment: Annotated[str | None, "Only rows for which this expression is true take part"] = None,
    design: Annotated[str, "anytime, group (planned looks) or fixed (one look at the end)"] = "anytime",
    alpha: Annotated[float, "Probability of finding a difference where there is none"] = 0.05,
    looks: Annotated[int, "Planned looks of a group sequential test"] = 5,
    n: Annotated[int | None, "Units that each variant is to have at the end"] = None,
    shadow: Annotated[bool, "The versions answer beside the champion, and nobody gets their answers"] = False,
    bandit: Annotated[bool, "Shares follow what is found: see `assay test reallocate`"] = False,
    floor: Annotated[float, "Least share of each variant in a bandit"] = 0.1,
    override: Annotated[str | None, "Begin against the gate's verdict, for this reason, which stays on record"] = None,
) -> OnlineTest:
    """Begin an A/B test, a shadow test or a bandit of one or more versions against the champion of an endpoint.

    Versions are numbers of the endpoint's model, or MODEL/VERSION. Each needs a passing verdict of the gate,
    but for a shadow, which answers nobody.
    """
    chosen = chosen_metrics(load_metrics(metrics), metric, guardrail)
    if shadow and bandit:
        raise InvalidInput("a test is either a shadow test or a bandit", expected="--shadow or --bandit")
    if design not in ("anytime", "group", "fixed"):
        raise InvalidInput(f"the design is {design!r}", expected="anytime, group or fixed")
    planned = Design(cast("Literal['anytime', 'group', 'fixed']", design), alpha, n, looks)
    shares = tuple(_whole(one) for one in names_in(weights)) or (1,) * (len(versions) + 1)
    covered = coverage_of(coverage, share, shares)
    kind: Kind = "shadow" if shadow else "bandit" if bandit else "ab"
    return new_test(
        store,
        endpoint,
        versions,
        name=name,
        metrics=chosen,
        kind=kind,
        design=planned,
        weights=shares,
        coverage=covered,
        segment=segment,
        floor=floor if bandit else 0.0,
        override=override,
    )


def new_test(
    store: Store,
    endpoint: str,
    versions: Sequence[str],
    *,
    metrics: Sequence[Metric],
    name: str | None = None,
    kind: Kind = "ab",
    design: Design = Design(),  # noqa: B008 - frozen
    weights: Sequence[int] | None = None,
    coverage: int = FULL_COVERAGE,
    segment: str | None = None,
    floor: float = 0.0,
    rollout: str | None = None,
    override: str | None = None,
) -> OnlineTest:
    """The same with metrics and design as values; `coverage` of 10,000 units take part.

    InvalidInput for what cannot be tested, Refused where the gate did not let a version pass, Conflict where the
    endpoint splits its traffic already, AlreadyExists for the name of a test that runs. Then nothing is changed.
    """
    check_metrics(metrics)
    _check_design(design, kind, floor, len(versions) + 1)
    if override is not None and not override.strip():
        raise InvalidInput("the override gives no reason", expected="why the verdict does not count, in words")
    with store.transaction():
        route = current_route(store, endpoint)
        arms = arms_of(store, route, versions)
        champion = version_by_id(store, arms[0].mv_id)
        for arm in arms[1:] if kind != "shadow" else ():  # a shadow answers nobody
            passed_or_overridden(store, version_by_id(store, arm.mv_id), champion, override)
        called = name or "-".join([endpoint, *(arm.name for arm in arms[1:])])
        check_key("test", called)
        if any(test.name == called for test in all_tests(store, endpoint, running=True)):
            raise AlreadyExists(f"a test {called!r} runs at endpoint {endpoint!r}", hint=f"assay test stop {called}")
        test_id = new_id()
        salt = f"{called}:{test_id[:8]}"
        shares = tuple(weights or (1,) * len(arms)) if kind != "shadow" else (1,) + (0,) * len(versions)
        _check_weights(shares, arms)
        test = OnlineTest(
            test_id=test_id,
            name=called,
            endpoint=endpoint,
            model=arms[0].model,
            kind=kind,
            status="running",
            started=iso(store.clock.latest()),
            ended=None,
            outcome=None,
            reason=None,
            decision=0,
            arms=tuple(arms),
            metrics=tuple(metrics),
            design=design,
            salt=salt,
            segment=segment,
            floor=floor,
            rollout=rollout,
            phases=(),
        )
        said = f"override: {override}" if override else _said_by_gate(store, arms, kind)
        routed = _routed(store, test, route, shares, coverage, phase=1, reason=f"test {called} begins; {said}")
        return _write(store, test, routed, shares, coverage)


def _said_by_gate(store: Store, arms: Sequence[Arm], kind: Kind) -> str:
    """Why the versions may take part: shadows may also without a pass, and then it is said."""
    if kind != "shadow":
        return "the gate let it pass"
    champion, *others = (version_by_id(store, arm.mv_id) for arm in arms)
    return "; ".join(gate_standing(store, one, champion).words for one in others)


def add_phase(store: Store, test: OnlineTest, weights: Sequence[int], coverage: int, *, reason: str) -> OnlineTest:
    """Another phase of a running test with other shares: the route and the record of it, at once."""
    with store.transaction():
        route = current_route(store, test.endpoint)
        number = test.phases[-1].phase + 1
        routed = _routed(store, test, route, tuple(weights), coverage, phase=number, reason=reason)
        now = iso(store.clock.latest())
        store.amend("test_phase", {"test_id": test.test_id, "phase": number - 1}, {"ended": now})
        _phase(store, test.test_id, number, routed, weights, coverage)
        return find_test(store, test.test_id)


def arms_of(store: Store, route: Route, versions: Sequence[str]) -> list[Arm]:
    """The champion of a route and the named versions: numbers of its model, or MODEL/VERSION."""
    champion = version_by_id(store, route.variants[0].mv_id)
    arms = [_arm(champion, route.variants[0].name)]
    if not versions or len(versions) >= ARMS:
        raise InvalidInput(f"{len(versions)} versions are to be tested", expected=f"1 to {ARMS - 1}")
    for text in versions:
        model, _, number = str(text).rpartition("/")
        if not number.isdecimal():
            raise InvalidInput(f"{text!r} is no version", expected="a number, or MODEL/NUMBER")
        version = find_version(store, model or champion.model, int(number))
        name = f"v{version.version}" if version.model == champion.model else f"{version.model}-v{version.version}"
        if any(arm.mv_id == version.mv_id for arm in arms):
            raise Conflict(f"{version.model}/{version.version} would be tested against itself")
        arms.append(_arm(version, name))
    return arms


def coverage_of(coverage: float | None, share: float | None, weights: Sequence[int]) -> int:
    """So many of 10,000 units take part that each version has its `share`, or the `coverage` itself."""
    if coverage is not None and share is not None:
        raise InvalidInput("both a share and a coverage are given", expected="one of them: each follows from the other")
    if share is not None:
        fewest = min((weight for weight in weights[1:] if weight > 0), default=0)
        coverage = share * sum(weights) / fewest if fewest else 0.0
    covered = 1.0 if coverage is None else coverage
    if not 0 < covered <= 1 + 1e-9:
        hint = f"with these weights a version has at most {min(weights[1:]) / sum(weights):g}" if share else None
        raise InvalidInput(f"{covered:g} of all units would take part", expected="more than 0, at most 1", hint=hint)
    return max(1, round(min(covered, 1.0) * FULL_COVERAGE))


def _routed(
    store: Store, test: OnlineTest, route: Route, weights: Sequence[int], coverage: int, *, phase: int, reason: str
) -> Route:
    """The new route of the endpoint for a phase of a test."""
    variants = [Variant(arm.mv_id, arm.hash, weight, arm.name) for arm, weight in zip(test.arms, weights, strict=True)]
    others = [one for one in route.shadows if one.name not in (*test.names, CHAMPION_SHADOW)]
    detail = {"test": test.test_id, "phase": phase, "metrics": msgspec.to_builtins(test.metrics)}
    if test.kind == "shadow":
        shadows = [*others, *(msgspec.structs.replace(one, weight=1) for one in variants[1:])]
        return set_shadows(
            store, test.endpoint, shadows, kind="test", reason=reason, expect=route.revision, detail=detail
        )
    if route.split is not None and route.split.experiment != test.test_id:
        raise Conflict(
            f"endpoint {test.endpoint!r} splits its traffic for {route.split.experiment!r} already",
            hint="assay test stop, or wait for the release",
        )
    if any(metric.covariate == "champion" for metric in test.metrics):
        others.append(Variant(test.arms[0].mv_id, test.arms[0].hash, name=CHAMPION_SHADOW))
    split = Split(test.test_id, phase, test.salt, coverage=coverage, segment=test.segment)
    return set_split(
        store,
        test.endpoint,
        variants,
        shadows=others,
        split=split,
        kind="test",
        reason=reason,
        expect=route.revision,
        detail=detail,
    )


def _write(store: Store, test: OnlineTest, routed: Route, weights: Sequence[int], coverage: int) -> OnlineTest:
    kept = ("arms", "metrics", "design", "salt", "segment", "floor")
    store.append(
        "online_test",
        {
            "test_id": test.test_id,
            "name": test.name,
            "endpoint": test.endpoint,
            "model": test.model,
            "kind": test.kind,
            "status": "running",
            "started": test.started,
            "rollout_id": test.rollout,
            "decision": decision_behind(store, test.endpoint, routed.revision),
            "detail": canonical_json({name: msgspec.to_builtins(getattr(test, name)) for name in kept}),
        },
    )
    _phase(store, test.test_id, 1, routed, weights, coverage)
    return find_test(store, test.test_id)


def _phase(store: Store, test_id: str, phase: int, routed: Route, weights: Sequence[int], coverage: int) -> None:
    detail = canonical_json({"weights": list(weights), "coverage": coverage})
    row = {"test_id": test_id, "phase": phase, "revision": routed.revision, "started": iso(store.clock.latest())}
    store.append("test_phase", {**row, "detail": detail})


def _check_design(design: Design, kind: Kind, floor: float, arms: int) -> None:
    if not 0 < design.alpha < 0.5:
        raise InvalidInput(f"alpha is {design.alpha:g}", expected="inside (0, 0.5), such as 0.05")
    if design.n is not None and design.n < 2:
        raise InvalidInput(f"each variant is to have {design.n} units", expected="2 or more")
    if design.kind != "anytime" and design.n is None:
        raise InvalidInput(
            f"a {design.kind} test needs a planned end",
            expected="n = units of each variant",
            hint="assay test plan says how many; or the design anytime, which needs none",
        )
    if design.kind == "group" and not 1 <= design.looks <= 100:
        raise InvalidInput(f"{design.looks} looks are planned", expected="1 to 100")
    if kind == "bandit" and (design.kind != "anytime" or not 0 < floor <= 1 / arms):
        raise InvalidInput(
            f"a bandit of {arms} variants with a floor of {floor:g} and the design {design.kind}",
            expected=f"a floor above 0 and at most {1 / arms:.2g}, and the design anytime",
        )


def _check_weights(weights: Sequence[int], arms: Sequence[Arm]) -> None:
    if len(weights) != len(arms):
        named = ", ".join(arm.name for arm in arms)
        raise InvalidInput(f"{len(weights)} weights are given", expected=f"one for each of {named}")


def _arm(version: ModelVersion, name: str) -> Arm:
    return Arm(name, version.mv_id, version.hash, version.model, version.version)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise InvalidInput(f"{text!r} is no weight", expected="whole numbers with commas between them, such as 1,1")
    return int(text)
