"""What happens to values that break the signature of a model, column by column."""

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import msgspec

from assay.errors import InvalidInput, nearest

__all__ = ["ALL_COLUMNS", "HARMLESS", "Action", "ColumnPolicy", "Kind", "check_policies", "merged"]

Action = Literal["refuse", "impute", "flag"]
Kind = Literal["missing", "mistyped", "out_of_range", "unseen", "extra"]

ALL_COLUMNS = "*"
_IMPOSSIBLE = {
    ("mistyped", "flag"): "a value of another type cannot be given to the model: refuse or impute",
    ("extra", "impute"): "nothing is imputed for a column that the model does not take: refuse or flag",
}


class ColumnPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is done where a value of a column breaks what training saw; None leaves it to what else is said.

    `refuse` the request, `impute` what training had in the middle, or let it through and `flag` it in the log. The
    column `*` stands for all columns without a policy of their own. `missing` is no value where training always had
    one, or no such column in the row; `mistyped` text for a number or the like; `out_of_range` below the least or above
    the greatest number of training; `unseen` a text that training did not have; `extra`, of `*` only, a column that the
    model does not take, which is left out where it is flagged.
    """

    column: str
    missing: Action | None = None
    mistyped: Action | None = None
    out_of_range: Action | None = None
    unseen: Action | None = None
    extra: Action | None = None


HARMLESS = ColumnPolicy(ALL_COLUMNS, "refuse", "refuse", "flag", "flag", "refuse")


def check_policies(policies: Iterable[ColumnPolicy], columns: Sequence[str]) -> tuple[ColumnPolicy, ...]:
    """The policies as they are. InvalidInput for a column that the model does not take or that comes twice, an action
    that there is not, and one that makes no sense.
    """
    found: dict[str, ColumnPolicy] = {}
    for one in policies:
        if one.column != ALL_COLUMNS and one.column not in columns:
            close = nearest(one.column, list(columns))
            raise InvalidInput(
                f"a policy is for the column {one.column!r}, which the model does not take",
                expected=f"one of {', '.join(columns)}, or {ALL_COLUMNS} for all",
                hint=f"did you mean {close!r}?" if close else None,
            )
        if one.column in found:
            raise InvalidInput(f"column {one.column!r} has two policies", expected="one")
        for kind in get_args(Kind):
            action = getattr(one, kind)
            if action is not None and action not in get_args(Action):
                raise InvalidInput(f"{kind}={action!r} of column {one.column!r}", expected=" | ".join(get_args(Action)))
            if (kind, action) in _IMPOSSIBLE:
                raise InvalidInput(f"{kind}={action!r} of column {one.column!r}", hint=_IMPOSSIBLE[kind, action])
        if one.extra is not None and one.column != ALL_COLUMNS:
            raise InvalidInput(f"extra= of column {one.column!r}", expected=f"a policy of {ALL_COLUMNS}")
        found[one.column] = one
    return tuple(found.values())


def merged(column: str, *layers: Iterable[ColumnPolicy]) -> ColumnPolicy:
    """What is said of a column: by later layers before earlier ones, and in each by its own before that of all columns.

    Nothing is said where None is left; then `HARMLESS` counts.
    """
    said: dict[str, Action | None] = dict.fromkeys(get_args(Kind))
    for layer in layers:
        for one in sorted(layer, key=lambda policy: policy.column != ALL_COLUMNS):
            if one.column in (column, ALL_COLUMNS):
                said.update({kind: getattr(one, kind) for kind in said if getattr(one, kind) is not None})
    return ColumnPolicy(column, **said)
