"""Events of the registry: kept in the transaction of the change they tell of, with a delivery for each who asked.

What is told has the names and fields of MLflow's webhooks; models that are prompts tell of prompts.
"""

from assay.record.notify.telling import tell
from assay.record.store import Row, Store

__all__ = ["PROMPT_TAG", "tell_alias", "tell_model", "tell_model_tag", "tell_version", "tell_version_tag"]

PROMPT_TAG = "mlflow.prompt.is_prompt"
_PROMPT_TEXT = "mlflow.prompt.text"


def tell_model(store: Store, name: str, tags: dict[str, str], description: str | None) -> None:
    """A registered model was made."""
    prompt = tags.get(PROMPT_TAG) == "true"
    event = "prompt.created" if prompt else "registered_model.created"
    tell(store, event, {"name": name, "tags": tags, "description": description})


def tell_model_tag(store: Store, model: Row, key: str, value: str | None) -> None:
    """A tag of a model was set, or taken away (None): told of prompts only."""
    if _is_prompt(store, model["name"]):
        _tell_tag(store, "prompt_tag", {"name": model["name"]}, key, value)


def tell_version(store: Store, row: Row, tags: dict[str, str]) -> None:
    """A version was made."""
    data = {"name": row["model"], "version": str(row["version"]), "tags": tags, "description": row["description"]}
    if tags.get(PROMPT_TAG) == "true":
        tell(store, "prompt_version.created", {**data, "template": tags.get(_PROMPT_TEXT, "")})
    else:
        tell(store, "model_version.created", {**data, "source": row.get("origin") or "", "run_id": row["run_id"]})


def tell_version_tag(store: Store, row: Row, key: str, value: str | None) -> None:
    """A tag of a version was set, or taken away (None)."""
    kind = "prompt_version_tag" if _is_prompt(store, row["model"]) else "model_version_tag"
    _tell_tag(store, kind, {"name": row["model"], "version": str(row["version"])}, key, value)


def tell_alias(store: Store, row: Row, alias: str, *, cleared: bool) -> None:
    """An alias was pointed to a version, or taken away."""
    kind = "prompt_alias" if _is_prompt(store, row["model"]) else "model_version_alias"
    data = {"name": row["model"], "alias": alias}
    if cleared:
        tell(store, f"{kind}.deleted", data)
    else:
        tell(store, f"{kind}.created", {**data, "version": str(row["version"])})


def _tell_tag(store: Store, kind: str, data: dict[str, str], key: str, value: str | None) -> None:
    if value is None:
        tell(store, f"{kind}.deleted", {**data, "key": key})
    else:
        tell(store, f"{kind}.set", {**data, "key": key, "value": value})


def _is_prompt(store: Store, name: str) -> bool:
    found = store.query("registered_model", {"name": name}, limit=1)
    where = {"model_key": found[0]["model_key"] if found else "", "key": PROMPT_TAG, "value": "true"}
    return bool(store.query("registered_model_tag", where, limit=1))
