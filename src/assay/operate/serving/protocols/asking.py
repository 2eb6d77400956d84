"""What all protocols share: the endpoint as tensors, its versions by number, and refusals as statuses."""

from collections.abc import Mapping
from dataclasses import replace

from assay.errors import AssayError, InvalidInput, NotFound
from assay.operate.routing.table import LoadedVariant, RoutingTable
from assay.operate.serving.engine import Engine, RequestError
from assay.operate.serving.protocols.loaded import LoadedByHand
from assay.operate.serving.protocols.surface import Surface

__all__ = ["JSON", "Asking", "Reply", "refusal", "text_of"]

Reply = tuple[int, list[tuple[bytes, bytes]], bytes]
JSON = [(b"content-type", b"application/json")]
_SHOWN = 100  # characters of somebody else's text in a message
_LATER_S = 5  # a store or a disk that is away may be back then


class Asking:
    """An engine as protocols ask it. What is prepared for a routing table is prepared once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.by_hand = LoadedByHand(engine.watcher)
        self._table: RoutingTable | None = None
        self._surface: Surface | None = None

    @property
    def surface(self) -> Surface:
        """The tensors of the endpoint: what its variants take together, and what the champion gives."""
        table = self.engine.table
        if self._surface is None or self._table is not table:
            self._table, self._surface = table, Surface(table.variants)
        return self._surface

    @property
    def names(self) -> list[str]:
        """What the endpoint answers to: its own name, and that of the champion's model."""
        return list(dict.fromkeys([self.engine.endpoint, self.model]))

    @property
    def model(self) -> str:
        """The name of the champion's model: numbers of versions are its."""
        return self.engine.table.champion.model.version.model

    def check_name(self, name: str) -> None:
        """RequestError 404 for a name that is not one of the endpoint."""
        if name not in self.names:
            raise RequestError(404, f"there is no model {name[:_SHOWN]!r} here, only {' and '.join(self.names)}")

    def versions(self) -> dict[int, LoadedVariant]:
        """What can be asked for by its number: versions of the champion's model that have a share, or were loaded by
        hand.
        """
        return {**self.by_hand.there(self.model), **self.routed()}

    def routed(self) -> dict[int, LoadedVariant]:
        """Versions of the champion's model that have a share, by their number."""
        variants = self.engine.table.variants
        return {one.model.version.version: one for one in variants if one.model.version.model == self.model}

    async def table_of(self, version: str) -> tuple[int, RoutingTable]:
        """The number of a version, and the table in which it answers; RequestError 404 where it is not in memory."""
        number = int(version) if version.isdecimal() and version.isascii() and len(version) < 10 else -1
        table, model = self.engine.table, self.model
        if any((one.model.version.model, one.model.version.version) == (model, number) for one in table.variants):
            return number, table
        loaded = await self.by_hand.find(model, number)
        if loaded is None:
            there = ", ".join(map(str, sorted(self.versions())))
            raise RequestError(404, f"version {version[:_SHOWN]!r} of {model} is not in memory, only {there}")
        return number, replace(table, variants=(loaded,), shadows=(), split=None)

    async def find(self, name: str, version: str | None) -> LoadedVariant:
        """The champion, or the version of that number; RequestError 404."""
        self.check_name(name)
        if not version:
            return self.engine.table.champion
        number, table = await self.table_of(version)
        return next(one for one in table.variants if one.model.version.version == number)


def refusal(error: AssayError | RequestError) -> tuple[int, str, list[tuple[bytes, bytes]]]:
    """Status and words for an error that answering raised, and the header that says when to come again."""
    if isinstance(error, RequestError):
        later = [(b"retry-after", str(error.retry_after).encode())] if error.retry_after is not None else []
        return error.status, error.text, later
    if isinstance(error, InvalidInput | NotFound):
        return 400, str(error), []
    return 503, str(error), [(b"retry-after", str(_LATER_S).encode())]


def text_of(given: Mapping[str, object], name: str) -> str | None:
    """A parameter that has to be text; None where it is not given."""
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"the parameter {name} is {str(value)[:_SHOWN]}", expected="text")
    return value
