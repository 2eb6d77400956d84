"""What a point-in-time join must give, by two loops over rows as dictionaries. It knows the rules and no algorithm."""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def joined(
    labels: Sequence[Row],
    rows: Sequence[Row],
    keys: Sequence[str],
    *,
    known: bool = False,
    strict: bool = False,
    delay: int = 0,
    ttl: int | None = None,
) -> list[tuple[str, Row | None]]:
    """The status of each label row and the row it uses. Times are whole numbers at `t`, `ts` and `created`."""
    found: list[tuple[str, Row | None]] = []
    for label in labels:
        best: Row | None = None
        for row in rows:
            same = all(label[key] is not None and label[key] == row[key] for key in keys)
            if not same or label["t"] is None or (known and row["created"] is None):
                continue
            visible = max(row["ts"] + delay, row["created"]) if known else row["ts"] + delay
            if (visible < label["t"] if strict else visible <= label["t"]) and (
                best is None or _rank(row) > _rank(best)
            ):
                best = row
        if any(label[key] is None for key in keys):
            found.append(("null_key", None))
        elif best is None:
            found.append(("missing", None))
        elif ttl is not None and best["ts"] < label["t"] - ttl:
            found.append(("expired", None))
        else:
            found.append(("present", best))
    return found


def _rank(row: Row) -> tuple[int, bool, int, int]:
    return row["ts"], row["created"] is not None, row["created"] or 0, row["arrival"]
