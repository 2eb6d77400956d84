"""Which names of metrics, params and tags runs have, and what was meant where none has one."""

from collections.abc import Sequence

from assay.errors import InvalidInput, nearest
from assay.record.search.keys import Key
from assay.record.search.subjects import RUNS
from assay.record.store import Sql, Store

__all__ = ["check_known", "known_names"]

_MOST_NAMES = 2_000


def known_names(store: Store, entity: str) -> list[str]:
    """Names that some run has, in order, at most 2,000: of `metric`, `param` or `tag`. One look into the index each."""
    table = RUNS.children[entity].table
    text = (
        f"WITH RECURSIVE names(key) AS (SELECT min(key) FROM {table} UNION ALL"
        f" SELECT (SELECT min(t.key) FROM {table} t WHERE t.key > names.key) FROM names WHERE names.key IS NOT NULL)"
        " SELECT key FROM names WHERE key IS NOT NULL LIMIT :most"
    )
    return [row["key"] for row in store.select(Sql(text, {"most": _MOST_NAMES}))]


def check_known(store: Store, keys: Sequence[Key]) -> None:
    """InvalidInput where no run has one of the keys, with the nearest one. A store without any takes all."""
    for entity in ("metric", "param", "tag"):
        asked = [key for key in keys if key.entity == entity]
        names = known_names(store, entity) if asked else []
        for key in asked:
            if names and key.name not in names and len(names) < _MOST_NAMES:
                close = nearest(key.name, names)
                hint = f"did you mean {entity}s.{close}?" if close else f"there are {', '.join(names[:10])}"
                raise InvalidInput(f"no run has {key.shown}", hint=hint)
