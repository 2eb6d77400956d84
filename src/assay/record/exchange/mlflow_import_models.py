"""Registered models of an MLflow store, brought over with the numbers of their versions and their aliases."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from assay.errors import AlreadyExists, InvalidInput
from assay.progress import tell
from assay.record.models.aliases import set_alias
from assay.record.models.registered_models import create_registered_model
from assay.record.models.sources import PROMPT_SOURCES
from assay.record.models.versions import create_version, set_stage
from assay.record.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["MlflowImport", "import_models", "pages"]

_PAGE = 1_000
_PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"


class MlflowImport(msgspec.Struct):
    """What was brought over, and how much was here already. `problems`: what could not be read, in words."""

    uri: str
    experiments: int = 0
    runs: int = 0
    points: int = 0
    files: int = 0
    logged_models: int = 0
    models: int = 0
    versions: int = 0
    aliases: int = 0
    here_already: int = 0
    problems: list[str] = msgspec.field(default_factory=list)


def import_models(store: Store, client: "MlflowClient", done: MlflowImport) -> None:
    """Registered models, prompts among them, with versions under their numbers, stages and aliases."""
    models = list(pages(lambda token: client.search_registered_models(max_results=_PAGE, page_token=token)))
    with contextlib.suppress(Exception):  # a store that knows no prompts
        models += pages(lambda token: client.search_registered_models(_PROMPTS, max_results=_PAGE, page_token=token))
    for position, model in enumerate(models):
        tell("models", position / len(models), model.name)
        try:
            create_registered_model(store, model.name, tags=dict(model.tags), description=model.description)
            done.models += 1
        except AlreadyExists:
            done.here_already += 1
        quoted = model.name.replace("'", "\\'")
        versions = list(client.search_model_versions(f"name = '{quoted}'"))
        if not versions and model.tags.get("mlflow.prompt.is_prompt") == "true":
            versions = list(client.search_model_versions(f"name = '{quoted}' AND {_PROMPTS}"))
        for version in sorted(versions, key=lambda one: int(one.version)):
            _version(store, done, model.name, version)
        for alias, number in client.get_registered_model(model.name).aliases.items():
            _alias(store, done, model.name, alias, int(number))
    tell("models", 1)


def _version(store: Store, done: MlflowImport, name: str, version: Any) -> None:
    number = int(version.version)
    if store.query("model_version", {"model": name, "version": number}):
        done.here_already += 1
        return
    run_id = version.run_id if version.run_id and store.query("run", {"run_id": version.run_id}) else None
    source, model_id = _source(store, version, run_id)
    try:
        create_version(
            store,
            name,
            source,
            run_id=run_id,
            logged_model_id=model_id,
            tags=dict(version.tags),
            run_link=version.run_link,
            description=version.description,
            number=number,
        )
    except InvalidInput as error:
        done.problems.append(f"version {number} of {name}: {error.what}")
        return
    if version.current_stage not in (None, "", "None"):
        set_stage(store, name, number, version.current_stage)
    done.versions += 1


def _source(store: Store, version: Any, run_id: str | None) -> tuple[str, str | None]:
    """Where our copy of a version's files is: with its run or its logged model, whatever its address was."""
    source = version.source or ""
    if source in PROMPT_SOURCES:
        return source, None
    model_id = getattr(version, "model_id", None) or next(
        (part for part in source.split("/") if part.startswith("m-") and len(part) == 34), None
    )
    known = store.query("logged_model", {"model_id": model_id, "deleted": None}) if model_id else []
    if known:
        return f"models:/{model_id}", model_id
    if run_id is not None:
        _, inside, below = source.partition(f"{run_id}/artifacts/")
        if inside:
            return f"runs:/{run_id}/{below}", None
        if source.startswith("runs:/"):
            return source, None
    return source, None


def _alias(store: Store, done: MlflowImport, name: str, alias: str, number: int) -> None:
    if not store.query("model_version", {"model": name, "version": number, "deleted": None}):
        return
    if store.query("alias_move", {"model": name, "alias": alias}, limit=1):
        done.here_already += 1
        return
    set_alias(store, name, alias, number, reason=f"imported from {done.uri}")
    done.aliases += 1


def pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """Everything that a search of the client gives, page after page."""
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return
