"""Registered models and their aliases over the wire."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from assay.prove.alias_commands import point_alias
from assay.record.clock import to_ms
from assay.record.models import aliases, registered_models
from assay.record.models.versions import versions_of
from assay.record.store import Row
from assay.server.wire import messages
from assay.server.wire.call import Call
from assay.server.wire.experiments import GivenTag
from assay.server.wire.limits import check_registry_tag
from assay.server.wire.reading import Name
from assay.server.wire.versions import VersionFound, version_answer, version_number

__all__ = [
    "create_registered_model",
    "delete_registered_model",
    "delete_registered_model_alias",
    "delete_registered_model_tag",
    "get_model_version_by_alias",
    "get_registered_model",
    "model_answers",
    "rename_registered_model",
    "set_registered_model_alias",
    "set_registered_model_tag",
    "update_registered_model",
]


class CreateModel(msgspec.Struct):
    """A name under which versions will be kept."""

    name: Name
    tags: list[GivenTag] = []
    description: str | None = None


class OfModelName(msgspec.Struct):
    """A registered model by its name."""

    name: Name


class RenameModel(OfModelName):
    """Another name."""

    new_name: Name


class UpdateModel(OfModelName):
    """Another description."""

    description: str | None = None


class ModelTag(OfModelName):
    """A tag to set."""

    key: Name
    value: str = ""


class ModelTagKey(OfModelName):
    """A tag to take away."""

    key: Name


class OfAlias(OfModelName):
    """An alias of a model."""

    alias: Name


class SetAlias(OfAlias):
    """Where an alias is to point, and where the caller thinks it points now."""

    version: Name
    expected_version: str | None = None


class DeleteAlias(OfAlias):
    """An alias to take away."""

    expected_version: str | None = None


class ModelFound(msgspec.Struct):
    """One registered model."""

    registered_model: messages.RegisteredModel


def create_registered_model(call: Call, request: CreateModel) -> ModelFound:
    """Make a registered model."""
    for tag in request.tags:
        check_registry_tag(tag.key, tag.value)
    tags = {tag.key: tag.value for tag in request.tags}
    made = registered_models.create_registered_model(
        call.store, request.name, tags=tags, description=request.description
    )
    return _found(call, made)


def get_registered_model(call: Call, request: OfModelName) -> ModelFound:
    """The registered model of that name."""
    return _found(call, registered_models.registered_model(call.store, request.name))


def rename_registered_model(call: Call, request: RenameModel) -> ModelFound:
    """Give a model another name; aliases stay."""
    return _found(call, registered_models.rename_registered_model(call.store, request.name, request.new_name))


def update_registered_model(call: Call, request: UpdateModel) -> ModelFound:
    """Set the description."""
    described = registered_models.describe_registered_model(call.store, request.name, request.description or "")
    return _found(call, described)


def delete_registered_model(call: Call, request: OfModelName) -> None:
    """Hide a model that nothing relies on."""
    registered_models.delete_registered_model(call.store, request.name, held=not call.settings.parity)


def set_registered_model_tag(call: Call, request: ModelTag) -> None:
    """Set a tag."""
    check_registry_tag(request.key, request.value)
    registered_models.set_registered_model_tags(call.store, request.name, {request.key: request.value})


def delete_registered_model_tag(call: Call, request: ModelTagKey) -> None:
    """Take a tag away; harmless where it is not set."""
    registered_models.delete_registered_model_tag(call.store, request.name, request.key)


def set_registered_model_alias(call: Call, request: SetAlias) -> None:
    """Point an alias to a version, if it points where the caller expects."""
    number = version_number(request.version)
    expected = _expected(call, request.expected_version)
    point_alias(call.store, request.name, request.alias, number, expected=expected)


def delete_registered_model_alias(call: Call, request: DeleteAlias) -> None:
    """Take an alias away; harmless where it is not set."""
    expected = _expected(call, request.expected_version)
    aliases.clear_alias(call.store, request.name, request.alias, expected=expected)


def get_model_version_by_alias(call: Call, request: OfAlias) -> VersionFound:
    """The version that an alias points to."""
    return VersionFound(version_answer(aliases.alias_version(call.store, request.name, request.alias)))


def model_answers(call: Call, found: Sequence[registered_models.RegisteredModel]) -> list[messages.RegisteredModel]:
    """Registered models in the wire's words, each with the newest version of each stage."""
    newest: dict[tuple[str, str], Row] = {}
    names = sorted({model.name for model in found})
    for row in call.store.query("model_version", {"model in": names, "deleted": None}, order_by=["version"]):
        newest[row["model"], row["stage"] or "None"] = row
    latest: dict[str, list[messages.ModelVersion]] = {}
    rows = sorted(newest.values(), key=lambda row: int(row["version"]))
    for version in versions_of(call.store, rows):
        latest.setdefault(version.model, []).append(version_answer(version, with_aliases=False))
    return [
        messages.RegisteredModel(
            name=model.name,
            creation_timestamp=to_ms(model.created),
            last_updated_timestamp=to_ms(model.updated),
            description=UNSET if model.description is None else model.description,
            latest_versions=latest.get(model.name, UNSET),
            tags=messages.tags_of(model.tags),
            aliases=_aliases(model.aliases),
        )
        for model in found
    ]


def _found(call: Call, model: registered_models.RegisteredModel) -> ModelFound:
    return ModelFound(model_answers(call, [model])[0])


def _aliases(pointing: dict[str, int]) -> list[messages.RegisteredModelAlias] | UnsetType:
    return [messages.RegisteredModelAlias(alias, str(number)) for alias, number in pointing.items()] or UNSET


def _expected(call: Call, named: str | None) -> int:
    """The version an alias must point to now, as the header or the field says."""
    text = call.if_match or named
    return version_number(text) if text else aliases.ANY
