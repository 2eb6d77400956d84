"""`assay endpoint policy`: what becomes of values that the models of an endpoint never saw."""

from typing import Annotated

import msgspec

from assay.build.models.packaging import policies_of
from assay.operate.routing.taken_columns import taken_by
from assay.operation import operation
from assay.record.ledger import decide
from assay.record.models.column_policy import (
    ALL_COLUMNS,
    HARMLESS,
    ColumnPolicy,
    check_policies,
    merged,
)
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.models.routes import append_route, current_route
from assay.record.store import Store

__all__ = ["EndpointPolicies", "set_column_policy"]


class EndpointPolicies(msgspec.Struct, frozen=True):
    """What counts for each column of the champion, and for all (`*`), and which of it is the endpoint's own."""

    endpoint: str
    revision: int
    counts: list[ColumnPolicy]
    own: list[ColumnPolicy]


@operation("endpoint policy")
def set_column_policy(
    store: Store,
    endpoint: str,
    column: Annotated[str | None, "Its name; without it all columns that have no policy of their own"] = None,
    *,
    missing: Annotated[str | None, "No value where training always had one"] = None,
    mistyped: Annotated[str | None, "Text for a number or the like: refuse or impute"] = None,
    out_of_range: Annotated[str | None, "Below the least or above the greatest of training"] = None,
    unseen: Annotated[str | None, "A text that training did not have"] = None,
    extra: Annotated[str | None, "A column that no model takes: refuse or flag, of * only"] = None,
    reset: Annotated[bool, "First forget what the endpoint says of the column"] = False,
    reason: Annotated[str, "Why, for the ledger"] = "by hand",
) -> EndpointPolicies:
    """Say what becomes of values that training never had, of a column or of all, or show what counts.

    `refuse` the request, `impute` what training had in the middle, or `flag` the row in the log. It goes before what
    the versions say, and stays when versions change. InvalidInput for a column that no variant takes.
    """
    column = ALL_COLUMNS if column is None else column
    said = {
        "missing": missing,
        "mistyped": mistyped,
        "out_of_range": out_of_range,
        "unseen": unseen,
        "extra": extra,
    }
    given = {kind: action for kind, action in said.items() if action is not None}
    with store.transaction():
        route = current_route(store, endpoint)
        versions = [version_by_id(store, one.mv_id) for one in (*route.variants, *route.shadows)]
        names = list(dict.fromkeys(name for one in versions for name in _names(one)))
        if column != ALL_COLUMNS and column not in names:
            check_policies([ColumnPolicy(column)], names)
        if given or reset:
            known = {one.column: one for one in route.policies}
            before = ColumnPolicy(column) if reset else known.pop(column, ColumnPolicy(column))
            known.pop(column, None)
            after = msgspec.structs.replace(before, **given)
            check_policies([after], names)
            policies = [*known.values(), *([after] if after != ColumnPolicy(column) else [])]
            detail = {
                "endpoint": endpoint,
                "from_revision": route.revision,
                "column": column,
                "policy": msgspec.to_builtins(after),
                "reason": reason,
            }
            decision = decide(store, "column_policy", endpoint, detail)
            route = append_route(
                store,
                endpoint,
                route.variants,
                shadows=route.shadows,
                split=route.split,
                policies=policies,
                decision=decision,
            )
    champion = versions[0]
    layers = ([HARMLESS], policies_of(store, champion), route.policies)
    counts = [merged(name, *layers) for name in (ALL_COLUMNS, *_names(champion))]
    counts = [counts[0], *(msgspec.structs.replace(one, extra=None) for one in counts[1:])]
    return EndpointPolicies(endpoint, route.revision, counts, list(route.policies))


def _names(version: ModelVersion) -> list[str]:
    return [column.name for column in taken_by(version.signature)]
