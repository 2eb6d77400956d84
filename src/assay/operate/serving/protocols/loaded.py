"""Versions that were loaded by hand: they answer for who names them, and have no share of the traffic.

Which these are stands in a folder beside the log, a file for each, so that every worker of the endpoint knows: a worker
loads one when it is first asked for there, and lets go of those that are no longer named. They stay until unloaded.
"""

import asyncio

from assay.errors import InvalidInput, NotFound
from assay.operate.predictions.folder import log_folder
from assay.operate.routing.table import LoadedVariant
from assay.operate.routing.watching import Watcher
from assay.record.models.registry import find_version
from assay.record.models.routes import Variant

__all__ = ["LoadedByHand"]

_MOST = 8  # versions, so that asking for ever more of them does not take all memory


class LoadedByHand:
    """The versions of an endpoint's models that were loaded by hand."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._folder = log_folder(watcher.store, watcher.endpoint) / "loaded"
        self._there: dict[str, LoadedVariant] = {}
        self._loading = asyncio.Lock()

    def named(self) -> set[str]:
        """The ids of the versions that any worker was told to load."""
        try:
            named = {one.name for one in self._folder.iterdir()}
        except FileNotFoundError:
            named = set()
        for mv_id in self._there.keys() - named:
            del self._there[mv_id]
        return named

    def there(self, model: str) -> dict[int, LoadedVariant]:
        """Versions of the model that are in the memory of this worker, by their number."""
        named = self.named()
        versions = [one.model.version for mv_id, one in self._there.items() if mv_id in named]
        return {one.version: self._there[one.mv_id] for one in versions if one.model == model}

    async def find(self, model: str, number: int) -> LoadedVariant | None:
        """The version if it was loaded by hand, in whichever worker. What loading raises where it can be no more."""
        if not self.named():
            return None
        there = self.there(model).get(number)
        return there or await self._loaded(model, number, told=False)

    async def load(self, model: str, number: int) -> LoadedVariant:
        """Load it here, and let the other workers do so. NotFound where there is no such version, InvalidInput where
        enough are loaded, and what loading raises.
        """
        loaded = await self._loaded(model, number, told=True)
        assert loaded is not None, "told to load it"
        return loaded

    async def _loaded(self, model: str, number: int, *, told: bool) -> LoadedVariant | None:
        async with self._loading:
            try:
                version = await asyncio.to_thread(find_version, self._watcher.store, model, number)
            except NotFound:
                if told:
                    raise
                return None
            named = self.named()
            if version.mv_id not in named and not told:
                return None
            if version.mv_id not in named and len(named) >= _MOST:
                raise InvalidInput(f"{len(named)} versions are loaded by hand, and more are not", hint="unload one")
            if version.mv_id not in self._there:
                ready = await asyncio.to_thread(self._watcher.fresh_model, version)
                variant = Variant(version.mv_id, version.hash, name=f"version {number}")
                self._there[version.mv_id] = LoadedVariant(variant, *ready)
            if told:
                self._folder.mkdir(parents=True, exist_ok=True)
                (self._folder / version.mv_id).touch()
            return self._there[version.mv_id]

    async def unload(self, model: str, number: int | None) -> int:
        """Let go of a version, or of all that were loaded by hand; how many. NotFound for no such version."""
        gone = self.named()
        if number is not None:
            version = await asyncio.to_thread(find_version, self._watcher.store, model, number)
            gone &= {version.mv_id}
        for mv_id in gone:
            (self._folder / mv_id).unlink(missing_ok=True)
        self.named()
        return len(gone)
