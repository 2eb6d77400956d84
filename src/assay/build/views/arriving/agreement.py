"""Whether the online store answers as the offline join does, asked for a sample of entities; kept as a test result."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from assay.build.views.declared.view import FeatureView
from assay.build.views.log.log import log_end, log_parts, logged_rows, part_rows
from assay.build.views.matching.matching import NOTHING, STATUSES, Matched, matched
from assay.build.views.matching.wanted import Wanted
from assay.build.views.online.store import OnlineTable
from assay.build.views.registry.registered import ViewVersion
from assay.record.canonical import canonical_json
from assay.record.identity import ordered_id
from assay.record.store import Store

__all__ = ["Agreement", "agreement", "record_agreement"]

_PARTS = 4  # of the log that entities are drawn from
_TRIES = 3


class Agreement(msgspec.Struct, frozen=True):
    """`compared` entities at one moment, of which `differing` have another answer online than offline; one of them."""

    compared: int
    differing: int
    example: str | None


def agreement(
    store: Store, version: ViewVersion, view: FeatureView, table: OnlineTable, now_us: int, most: int
) -> Agreement:
    """Compare at most so many entities, drawn from what is logged.

    Offline is the knowledge-time join over the log at `now_us`. It reads the log once.
    """
    for attempt in range(_TRIES):
        end = log_end(store, version)
        keys = _drawn(store, version, most, end)
        if not keys.num_rows:
            return Agreement(0, 0, None)
        online = table.read(list(zip(*[column.to_pylist() for column in keys.columns], strict=True)), now_us)
        asked = Wanted(keys, np.full(keys.num_rows, now_us), np.ones(keys.num_rows, np.bool_))
        offline = matched(asked, logged_rows(store, version), view, "known")
        differing = [place for place, answer in enumerate(online) if _shown(answer) != _shown_offline(offline, place)]
        if not differing or log_end(store, version) == end or attempt == _TRIES - 1:
            break  # what others log meanwhile may be in the one and not yet in the other
    example = None
    if differing:
        first = differing[0]
        key = ", ".join(f"{name}={keys[name][first].as_py()!r}" for name in keys.column_names)
        example = f"{key}: online {_shown(online[first])}, offline {_shown_offline(offline, first)}"
    return Agreement(len(online), len(differing), example)


def record_agreement(store: Store, version: ViewVersion, found: Agreement) -> None:
    """Keep it as a test result about the version. The example, which names an entity, is not kept."""
    store.append(
        "test_result",
        {
            "id": ordered_id(),
            "subject_kind": "feature_view",
            "subject_id": version.reference,
            "tag": "M3",  # ML Test Score: training and serving are not skewed
            "kind": "online_agreement",
            "result": "fail" if found.differing else "pass",
            "mode": "auto",
            "detail": canonical_json({"compared": found.compared, "differing": found.differing}),
        },
    )


def _drawn(store: Store, version: ViewVersion, most: int, seed: int) -> pa.Table:
    """Different keys without nulls, of rows in a few parts of the log: the last one, and others by chance."""
    parts = [part for part in log_parts(store, version) if part.kind in ("source", "push") and part.rows]
    random = np.random.default_rng(seed + 1)
    chosen = parts[-1:] + [parts[place] for place in random.permutation(max(0, len(parts) - 1))[: _PARTS - 1]]
    found = []
    for part in chosen:
        rows = part_rows(store, version, part).select(version.declared.entity)
        found.append(rows.take(pa.array(random.permutation(rows.num_rows)[: most // len(chosen) + 1])))
    keys = pa.concat_tables(found).drop_null() if found else log_parts_schema(version).empty_table()
    return keys.group_by(keys.column_names, use_threads=False).aggregate([]).slice(0, most)


def log_parts_schema(version: ViewVersion) -> pa.Schema:
    schema = version.declared.rows_schema
    return pa.schema([schema.field(name) for name in version.declared.entity])


def _shown(answer: Any) -> Sequence[Any]:
    if STATUSES[answer.status] != "present":
        return [STATUSES[answer.status]]
    return [STATUSES[answer.status], answer.row[0], *map(_plain, answer.row[3:])]


def _shown_offline(offline: Matched, place: int) -> Sequence[Any]:
    status = STATUSES[offline.status[place]]
    if offline.ts[place] == NOTHING or status != "present":
        return [status]
    return [status, int(offline.ts[place]), *[_plain(column[place].as_py()) for column in offline.values.columns]]


def _plain(value: Any) -> Any:
    """Times without a zone are UTC on both sides."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
