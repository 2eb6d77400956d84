"""Registering the feature views of a Python file: what is new, what changed, and what is there already."""

import time
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
import pyarrow as pa

from assay.build.data.checks import CheckResult, check_results, record_results
from assay.build.data.words import names_in
from assay.build.steps.code_files import load_file
from assay.build.views.catalogue.comparing import diff_views
from assay.build.views.catalogue.duplicates import Known, Likeness, alike
from assay.build.views.declared.history import made_of
from assay.build.views.declared.view import DEFINED, FeatureView
from assay.build.views.registry.declaration import Declaration, content_of
from assay.build.views.registry.registered import Seen, ViewVersion, draft, enter, look_at, view_versions
from assay.build.views.registry.source_rows import SourceRows
from assay.build.views.registry.types import feature_types
from assay.errors import InvalidInput
from assay.operation import operation
from assay.progress import tell
from assay.record.store import Store

__all__ = ["RegisteredView", "Registration", "register_file"]

Outcome = Literal["new", "changed", "unchanged", "a copy"]
_SECONDS = 10.0  # for reading other views of the entity


class RegisteredView(msgspec.Struct, frozen=True):
    """A view of the file: `changes` to the version before, or of what is said about it; `broken` checks on its rows.

    `like` are features of other views that its own are like. `a copy`, of which all are there already, is not kept and
    has no version.
    """

    view: str
    version: int | None
    outcome: Outcome
    changes: list[str]
    features: list[str]
    rows: int
    seconds: float
    broken: list[str]
    like: list[Likeness]
    not_compared: list[str]


class Registration(msgspec.Struct, frozen=True):
    """The views that a file declares. `verdict` is fail where a `stop` check is broken or a copy was not kept."""

    file: str
    verdict: Literal["pass", "fail"]
    views: list[RegisteredView]


def _look(*, file: str, **_: object) -> None:
    """Refuse before a store is made what can be refused without one."""
    _views_of(file)


@operation("features register", creates_store=True, check=_look, local=True)
def register_file(
    store: Store,
    file: str,
    *,
    only: Annotated[str | None, "Views of the file, with commas, instead of all"] = None,
    copies: Annotated[bool, "Keep also a new view all of whose features are there already in others"] = False,
) -> Registration:
    """Keep the feature views that a Python file declares; the same content again is the same version.

    The file is imported, the source of each view is read once, and its checks are looked at. A version is another one
    where code, declaration or types differ; owner, description, tags, promise and checks may change. Features are
    compared with those of other views, and a new view that only copies them is not kept.

    Raises InvalidInput for a file that cannot be imported or declares no view, and a view that cannot be computed.
    """
    views = _chosen(_views_of(file), only, file)
    looks = []
    for number, view in enumerate(views):
        tell("reading sources", number / len(views), view.name)
        looks.append(_looked_at(store, view))
    tell("reading sources", 1)
    made = [_registered(store, look, copies) for look in looks]
    failed = any(each.version is None or any(one.startswith("stop: ") for one in each.broken) for each in made)
    return Registration(file=file, verdict="fail" if failed else "pass", views=made)


class _Look(NamedTuple):
    """What is known of a view before anything of its file is kept: whatever is refused is refused by then."""

    view: FeatureView
    form: pa.Table
    seen: Seen
    declared: Declaration
    results: list[CheckResult]


def _looked_at(store: Store, view: FeatureView) -> _Look:
    form, seen = look_at(SourceRows(view, store))
    declared = draft(view, form)
    results: list[CheckResult] = []
    if view.checks is not None:
        results = check_results(made_of(view, store), view.checks, now=store.clock.latest(), store=store)
    return _Look(view, form, seen, declared, results)


def _registered(store: Store, look: _Look, copies: bool) -> RegisteredView:
    began = time.perf_counter()
    view = look.view
    before = view_versions(store, view.name)
    like, missing = _likeness(store, look, before)
    names = list(feature_types(look.declared))
    copied = {one.feature.partition(":")[2] for one in like if one.is_copy}
    version: int | None = None
    outcome: Outcome = "a copy"
    changes: list[str] = []
    if before or copied != set(names) or copies:
        kept = enter(store, view, look.form, look.seen)
        record_results(store, kept.reference, look.results, "feature_view")
        version = kept.version
        outcome, changes = _outcome(store, before, kept)
    return RegisteredView(
        view=view.name,
        version=version,
        outcome=outcome,
        changes=changes,
        features=names,
        rows=look.seen.rows,
        seconds=look.seen.seconds + time.perf_counter() - began,
        broken=_broken(look.results),
        like=like,
        not_compared=missing,
    )


def _likeness(store: Store, look: _Look, before: list[ViewVersion]) -> tuple[list[Likeness], list[str]]:
    """How a version that is not there yet is like other views: of its features only those that are new."""
    view, declared = look.view, look.declared
    if any(one.hash == content_of(view.name, declared) for one in before):
        return [], []
    old = feature_types(before[0].declared) if before else {}
    new = Known(view.name, declared, view, SourceRows(view, store))
    like, missing = alike(store, new, seconds=_SECONDS)
    return [one for one in like if one.feature.partition(":")[2] not in old], missing


def _outcome(store: Store, before: list[ViewVersion], now: ViewVersion) -> tuple[Outcome, list[str]]:
    if not before:
        return "new", []
    if before[0].version != now.version:
        again = any(one.version == now.version for one in before)
        changes = diff_views(store, before[0].reference, now.reference).changes
        return "changed", [*([f"it is version {now.version} again"] if again else []), *changes]
    old, new = before[0].declared.said, now.declared.said
    said = [what for what in sorted({*old, *new}) if old.get(what) != new.get(what)]
    return "unchanged", [
        "its checks changed" if what == "checks" else f"{what} {old.get(what, 'none')} -> {new.get(what, 'none')}"
        for what in said
    ]


def _broken(results: list[CheckResult]) -> list[str]:
    words = {"fail": "stop", "warn": "warn"}
    return [f"{words[one.result]}: {one.name}: {one.detail}" for one in results if one.result != "pass"]


def _views_of(file: str) -> list[FeatureView]:
    """The views that importing the file declares, in their order, and those that it has names for."""
    before = dict(DEFINED)
    module = load_file(Path(file), file)
    fresh = [one for name, one in DEFINED.items() if before.get(name) is not one]
    kept: list[FeatureView] = vars(module).setdefault("__assay_views__", fresh)  # a file is imported once
    named = [one for one in vars(module).values() if isinstance(one, FeatureView)]
    found = {one.name: one for one in [*kept, *named]}
    if not found:
        raise InvalidInput(
            f"{file} declares no feature view",
            expected="@assay.feature_view(entity=..., source=..., time=...) above a function",
        )
    return list(found.values())


def _chosen(views: list[FeatureView], only: str | None, file: str) -> list[FeatureView]:
    if only is None:
        return views
    names = names_in(only)
    known = {view.name: view for view in views}
    strange = next((name for name in names if name not in known), None)
    if strange is not None or not names:
        raise InvalidInput(f"{file} declares no feature view {strange!r}", expected=", ".join(known))
    return [known[name] for name in names]
