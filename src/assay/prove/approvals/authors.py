"""Who made a version: whoever did cannot be the one who approves it."""

import json

from assay.record.store import Row, Store

__all__ = ["authors_of", "same_person"]

_MOST_PARENTS = 20
_USER_TAG = "mlflow.user"


def authors_of(store: Store, mv_id: str) -> dict[str, str]:
    """The names of those who trained the version, wrote the code of its run, or registered it, each with what they did.

    Runs above the one that made it count too: who began a search is an author of its best trial.
    """
    version = store.get("model_version", {"mv_id": mv_id})
    found: dict[str, str] = {}
    run_id, left = version["run_id"], _MOST_PARENTS
    while run_id and left:
        rows = store.query("run", {"run_id": run_id})
        if not rows:
            break
        for name, did in _of_run(store, rows[0]):
            found.setdefault(name, did)
        run_id, left = rows[0]["parent_run_id"], left - 1
    found.setdefault(version["actor"], "registered the version")
    return found


def same_person(name: str, other: str) -> bool:
    """Whether two names stand for one person: the same but for case, or the beginning of the other's address."""
    one, two = (text.strip().casefold() for text in (name, other))
    return one == two or one == two.partition("@")[0] or two == one.partition("@")[0]


def _of_run(store: Store, run: Row) -> list[tuple[str, str]]:
    name = f"run {run['run_id'][:8]}"
    tags = store.query("run_tag", {"run_id": run["run_id"], "key": _USER_TAG})
    started = [run["actor"], run["user_id"], *(tag["value"] for tag in tags)]
    code = f"wrote the code of {name} (commit {(run['code_sha'] or '')[:8]})"
    return [
        *((one, f"trained it in {name}") for one in started if one),
        *((one, code) for one in json.loads(run["code_authors"] or "[]")),
    ]
