"""The right to erasure: all that is known of an entity leaves the log and the online store, and does not come back.

The source is not ours: who owns it takes the rows out there as well. Until then they are not taken in again.
"""

import secrets
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Annotated

import msgspec
import pyarrow as pa

from assay.build.views.arriving.applying import apply_log
from assay.build.views.declared.keys import key_type
from assay.build.views.declared.moments import latest_us
from assay.build.views.log.log_rewriting import take_out
from assay.build.views.log.suppressing import Suppression
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import ViewVersion, find_view, view_versions
from assay.errors import InvalidInput, nearest
from assay.operation import operation
from assay.record.clearing.leaving import Leaving
from assay.record.clearing.reachable import reachable
from assay.record.ledger import decide
from assay.record.store import Store

__all__ = ["Erased", "erase"]


class Erased(msgspec.Struct, frozen=True):
    """What left: `rows` of the logs of `versions`, entries `online`, `blobs` with what was logged.

    `decision` is its number in the ledger.
    """

    view: str
    versions: list[int]
    rows: int
    online: int
    blobs: int
    decision: int


@operation("features erase", local=True)
def erase(
    store: Store,
    view: str,
    *,
    entity: Annotated[list[str], "Its key, as customer=42; once for each column of the key"] = [],  # noqa: B006
    online: Annotated[str | None, "File, redis:// or postgresql:// of the online store, if not the usual one"] = None,
) -> Erased:
    """Take all that is logged and served of an entity out of a view, in all its versions, for good.

    Of what its source still holds nothing is taken in again, unless it happened after the erasure. The ledger notes
    that an entity was erased, and not which.

    Raises NotFound for an unknown view, InvalidInput for what is no key of it.
    """
    name = find_view(store, view).name
    versions = view_versions(store, name)
    keys = [_key(version, entity) for version in versions]
    now = latest_us(store.clock)
    rows, old = 0, list[str]()
    opened = open_online(store, online)
    try:
        entries = 0
        for version, key in zip(versions, keys, strict=True):
            one = Suppression.of(key, secrets.randbits(62), now)
            declared = version.declared.entity
            detail = msgspec.json.encode(one).decode()
            count, blobs = take_out(store, version, partial(one.covers, entity=declared), "erased", now, detail)
            rows, old = rows + count, old + blobs
            table = opened.table(version)
            if table.mark() is not None:
                entries += table.erase([tuple(column[0].as_py() for column in key.columns)])
                apply_log(store, version, table, lambda: now)  # and anew, should somebody have been writing it
    finally:
        opened.close()
    detail_text = {"entity": keys[0].column_names, "versions": [one.version for one in versions], "rows": rows}
    decision = decide(store, "erasure", name, detail_text)
    return Erased(name, [one.version for one in versions], rows, entries, _remove(store, old), decision)


def _key(version: ViewVersion, entity: Sequence[str]) -> pa.Table:
    """One row with the key, in the types of the version."""
    declared, schema = version.declared.entity, version.declared.rows_schema
    given = dict(part.partition("=")[::2] for part in entity)
    strange = next((name for name in given if name not in declared), None)
    missing = next((name for name in declared if not given.get(name)), None)
    if strange is not None or missing is not None:
        close = nearest(strange, declared) if strange is not None else None
        raise InvalidInput(
            f"{strange!r} is no key of {version.reference}" if strange is not None else f"the key lacks {missing!r}",
            expected=" ".join(f"--entity {name}=..." for name in declared),
            hint=f"did you mean {close!r}?" if close else None,
        )
    fields = [schema.field(name) for name in declared]
    values = [pa.array([_value(given[field.name], field, version)], field.type) for field in fields]
    return pa.table(values, schema=pa.schema(fields))


def _value(text: str, field: pa.Field, version: ViewVersion) -> object:
    try:
        if pa.types.is_integer(field.type):
            return int(text)
        if pa.types.is_date(field.type):
            return date.fromisoformat(text)
        if pa.types.is_boolean(field.type):
            return {"true": True, "false": False}[text.lower()]
        return bytes.fromhex(text) if pa.types.is_large_binary(field.type) else text
    except (ValueError, KeyError):
        raise InvalidInput(
            f"{text!r} is no value of the key {field.name!r} of {version.reference}", expected=key_type(field.type)
        ) from None


def _remove(store: Store, blobs: list[str]) -> int:
    """Blobs that nothing names any more go at once: they hold what was erased."""
    if not blobs:
        return 0
    named = reachable(store, Leaving())
    gone = [blob for blob in set(blobs) if blob not in named]
    for blob in gone:
        store.blobs.path(blob).unlink(missing_ok=True)
    return len(gone)
