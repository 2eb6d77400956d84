"""A routing table as the server uses it, prepared once: how requests are read, who gets which row, who answers."""

from typing import Any

import msgspec

from assay.operate.routing.assignment import Assigned, assigner
from assay.operate.routing.table import RoutingTable
from assay.operate.serving.inputs import Inputs
from assay.operate.serving.policies import Count
from assay.operate.serving.predicting import Predicting, Rows

__all__ = ["Plan"]


class Plan:
    """A table with its `inputs`, and `live` and `shadows` as they are asked; for one thread."""

    def __init__(self, table: RoutingTable, count: Count | None = None) -> None:
        """Measure what each variant takes by its stored example. `count` is told of values that break the signature."""
        self.table = table
        champion, others = table.champion, (*table.variants[1:], *table.shadows)
        models = [one.model for one in others]
        self.inputs = Inputs(champion.model, champion.lookup, policies=table.policies, others=models, count=count)
        names = self.inputs.names
        self.live = [Predicting(one, names) for one in table.variants]
        self.shadows = [Predicting(one, names) for one in table.shadows]
        self.assigner = assigner(table)
        self.only = None if table.split else self.assigner.assign("")
        self._segment = [(name, names.index(name)) for name in self.assigner.columns if name in names]

    def assign(self, rows: Rows, keys: list[str], forced: str | None) -> list[Assigned]:
        """The variant of each row by its key. A variant that does not get all it takes falls back to the champion.

        InvalidInput for a forced variant that there is none of.
        """
        assign = self.assigner.assign
        if self._segment:
            found = [assign(key, self._seen(row), forced) for key, row in zip(keys, rows, strict=True)]
        else:
            found = [assign(key, None, forced) for key in keys]
        for place, one in enumerate(found):
            if one.variant and self._lacks(self.live[one.variant], rows[place]):
                found[place] = self.assigner.fallback(one)
        return found

    def forced(self, name: str | None, version: int | None) -> str | None:
        """The name of the variant that has to answer by its name or the number of its version.

        KeyError for a version that is not loaded, or is not that of the named variant.
        """
        if version is None:
            return name
        for one in self.table.variants:
            if one.model.version.version == version and name in (None, one.variant.name):
                return one.variant.name
        raise KeyError(version)

    @staticmethod
    def _lacks(predicting: Predicting, row: tuple[Any, ...]) -> bool:
        return predicting.lacks(predicting.rows_of([row])[0])

    def _seen(self, row: tuple[Any, ...]) -> dict[str, object]:
        return {name: row[place] for name, place in self._segment if row[place] is not msgspec.UNSET}
