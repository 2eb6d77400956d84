"""How one version of a feature view differs from another: what was declared, its features, and their code."""

import json

import msgspec

from assay.build.steps.why import code_differences
from assay.build.views.declared.spans import spoken
from assay.build.views.registry.declaration import Declaration
from assay.build.views.registry.registered import ViewVersion, find_view, view_versions
from assay.build.views.registry.types import feature_types
from assay.errors import InvalidInput
from assay.operation import operation
from assay.record.store import Store

__all__ = ["ViewDifference", "changes_between", "diff_views"]


class ViewDifference(msgspec.Struct, frozen=True):
    """How `after` differs from `before`, a sentence each in `changes`. `added`, `removed`, `retyped` name features."""

    before: str
    after: str
    same: bool
    changes: list[str]
    added: list[str]
    removed: list[str]
    retyped: list[str]


@operation("features diff")
def diff_views(store: Store, before: str, after: str | None = None) -> ViewDifference:
    """Say how one version of a feature view differs from another: declaration, features, code.

    BEFORE and AFTER are NAME@VERSION, or NAME for the one registered last. Without AFTER the version of NAME that was
    registered last is compared with the one before it, and NAME@VERSION with the last.

    Raises NotFound for a view or a version that is not there.
    """
    if after is None:
        name, mark, _ = before.partition("@")
        newest = find_view(store, name)
        versions = view_versions(store, name)
        if not mark and len(versions) == 1:
            raise InvalidInput(
                f"{name!r} has one version, and nothing to compare it with", hint=f"assay features diff {name} OTHER"
            )
        return _difference(find_view(store, before) if mark else versions[1], newest)
    return _difference(find_view(store, before), find_view(store, after))


def changes_between(before: Declaration, after: Declaration) -> list[str]:
    """What was declared otherwise, a sentence each; features and code are not among it."""
    said = []
    for what, old, new in (
        ("entity", ", ".join(before.entity), ", ".join(after.entity)),
        ("time", before.time, after.time),
        ("created", before.created, after.created),
        ("source", _source(before), _source(after)),
        ("ttl", spoken(before.ttl_us), spoken(after.ttl_us)),
        ("delay", spoken(before.delay_us or None), spoken(after.delay_us or None)),
        ("event", ", ".join(before.event), ", ".join(after.event)),
        ("owner", before.owner, after.owner),
        ("description", before.description, after.description),
        ("tags", ", ".join(before.tags), ", ".join(after.tags)),
        ("freshness promise", spoken(before.fresh_us), spoken(after.fresh_us)),
    ):
        if (old or "") != (new or ""):
            said.append(f"{what} {old or 'none'} -> {new or 'none'}")
    if before.strict != after.strict:
        word = "does not count any more" if after.strict else "counts now"
        said.append(f"a row at the very moment {word}")
    if before.checks != after.checks:
        said.append("its checks changed" if before.checks and after.checks else _gone("checks", after.checks))
    return said


def _difference(before: ViewVersion, after: ViewVersion) -> ViewDifference:
    old, new = feature_types(before.declared), feature_types(after.declared)
    made_before, made_after = _definitions(before.declared), _definitions(after.declared)
    both = [name for name in new if name in old]
    retyped = [name for name in both if old[name] != new[name]]
    said = changes_between(before.declared, after.declared)
    said += [f"feature {name} ({new[name]}) is new" for name in new if name not in old]
    said += [f"feature {name} ({old[name]}) is gone" for name in old if name not in new]
    said += [f"feature {name} {old[name]} -> {new[name]}" for name in retyped]
    said += [
        f"feature {name}: {made_before[name] or 'a column'} -> {made_after[name] or 'a column'}"
        for name in both
        if made_before[name] != made_after[name]
    ]
    if list(old) != list(new) and set(old) == set(new):
        said.append("the features stand in another order")
    said += _code(before.declared, after.declared)
    return ViewDifference(
        before=before.reference,
        after=after.reference,
        same=before.hash == after.hash and not said,
        changes=said,
        added=[name for name in new if name not in old],
        removed=[name for name in old if name not in new],
        retyped=retyped,
    )


def _code(before: Declaration, after: Declaration) -> list[str]:
    if before.code is None or after.code is None:
        return [] if before.code is after.code else [_gone("a function", after.code)]
    if before.code.hash == after.code.hash and before.code.libraries == after.code.libraries:
        return []
    said = []
    if before.code.name != after.code.name:
        said.append(f"function {before.code.name} -> {after.code.name}")
    old, new = ({**code.parts, **_marked(code.libraries)} for code in (before.code, after.code))
    return said + code_differences(old, new, after.code.name, "the function itself")


def _marked(libraries: dict[str, str]) -> dict[str, str]:
    return {f"{name}==": version for name, version in libraries.items()}


def _definitions(declared: Declaration) -> dict[str, str]:
    """What is declared of each feature, in words; empty for a column."""
    known = {**declared.expressions, **{name: one.text for name, one in declared.aggregates.items()}}
    return {name: known.get(name, "") for name in feature_types(declared)}


def _source(declared: Declaration) -> str:
    return declared.source if isinstance(declared.source, str) else json.dumps(declared.source)


def _gone(what: str, now: object) -> str:
    return f"it has {what} now" if now else f"it has no {what.removeprefix('a ')} any more"
