"""What many triggers ask of the records, read for all of them at once: a look at hundreds takes a few questions."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

from assay.operate.triggers.definition import Trigger, leaves
from assay.operate.triggers.stories import PastStory, past_stories
from assay.record.models.registry import CHAMPION, ModelVersion, version_of
from assay.record.store import Row, Sql, Store

__all__ = ["Facts"]

_CHAMPIONS = """
SELECT v.* FROM alias_move a JOIN model_version v ON v.mv_id = a.mv_id
WHERE a.alias = :alias AND a.cleared = 0
AND a.seq = (SELECT max(b.seq) FROM alias_move b WHERE b.model = a.model AND b.alias = a.alias)
"""
_LAST_CHECKS = """
SELECT c.* FROM monitor m CROSS JOIN monitor_check c
WHERE m.enabled = 1 AND c.monitor_id = m.monitor_id AND c.status <> 'no_data' AND c.ended = (
    SELECT d.ended FROM monitor_check d WHERE d.monitor_id = m.monitor_id AND d.status <> 'no_data'
    AND d.ended IS NOT NULL ORDER BY d.ended DESC LIMIT 1
)
ORDER BY c.ts
"""
_NEWEST_DATA = """
SELECT a.* FROM artifact a WHERE a.type = 'dataset'
AND a.created = (SELECT max(b.created) FROM artifact b WHERE b.type = a.type AND b.name = a.name)
ORDER BY a.artifact_id
"""


class Facts:
    """The records as they were when each question was first asked; made anew for every look."""

    def __init__(self, store: Store, triggers: Sequence[Trigger]) -> None:
        self._store = store
        self._triggers = triggers
        self._stories: dict[str, list[PastStory]] = {}

    def champion(self, model: str) -> tuple[ModelVersion, Row] | None:
        """The champion and its row; None where there is none."""
        row = self._champions.get(model)
        return None if row is None else (version_of(row), row)

    def monitors(self, model: str, name: str) -> list[Row]:
        """The monitors of that name that are switched on."""
        return self._monitors[model, name]

    def last_check(self, monitor_id: str) -> Row | None:
        """The last check of a monitor that had something to look at."""
        return self._last_checks.get(monitor_id)

    def quality(self, model: str) -> list[tuple[str, Row]]:
        """The last check of each monitor of the quality of the model's data, by the monitor's name."""
        every = [row for rows in self._monitors.values() for row in rows if row["model"] == model]
        checks = [(row["name"], self.last_check(row["monitor_id"])) for row in every if row["kind"] == "quality"]
        return [(name, check) for name, check in checks if check is not None]

    def stories(self, model: str) -> list[PastStory]:
        """The last stories of a model, newest first."""
        if model not in self._stories:
            self._stories[model] = past_stories(self._store, model)
        return self._stories[model]

    def newest_data(self, dataset: str) -> Row | None:
        """The newest version of a dataset."""
        return self._newest_data.get(dataset)

    def taught(self, trigger: Trigger, dataset: str) -> list[Row]:
        """The versions of a dataset that the champion used, or that the trigger fired for."""
        champion = self._champions.get(trigger.model)
        used = self._used.get(champion["run_id"], []) if champion is not None else []
        return [one for one in [*used, *self._fired[trigger.trigger_id]] if one["name"] == dataset]

    @cached_property
    def _champions(self) -> dict[str, Row]:
        return {row["model"]: row for row in self._store.select(Sql(_CHAMPIONS, {"alias": CHAMPION}))}

    @cached_property
    def _monitors(self) -> dict[tuple[str, str], list[Row]]:
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self._store.query("monitor", {"enabled": 1}):
            found[row["model"], row["name"]].append(row)
        return found

    @cached_property
    def _last_checks(self) -> dict[str, Row]:
        return {row["monitor_id"]: row for row in self._store.select(Sql(_LAST_CHECKS, {}))}

    @cached_property
    def _newest_data(self) -> dict[str, Row]:
        return {row["name"]: row for row in self._store.select(Sql(_NEWEST_DATA, {}))}

    @cached_property
    def _used(self) -> dict[str, list[Row]]:
        """Datasets by the run of a champion that used them, itself or as a part of another run."""
        models = {trigger.model for trigger in self._triggers if _asks_for_data(trigger)}
        run_ids = [row["run_id"] for model, row in self._champions.items() if model in models and row["run_id"]]
        runs = {row["run_id"]: row["parent_run_id"] for row in self._store.query("run", {"run_id in": run_ids})}
        every = {one for pair in runs.items() for one in pair if one}
        inputs = self._store.query("run_io", {"run_id in": sorted(every), "role": "input"})
        wanted = {"artifact_id in": sorted({one["artifact_id"] for one in inputs}), "type": "dataset"}
        artifacts = {row["artifact_id"]: row for row in self._store.query("artifact", wanted)}
        of_run: dict[str, list[Row]] = defaultdict(list)
        for one in inputs:
            if one["artifact_id"] in artifacts:
                of_run[one["run_id"]].append(artifacts[one["artifact_id"]])
        return {run: of_run[run] + (of_run[parent] if parent else []) for run, parent in runs.items()}

    @cached_property
    def _fired(self) -> dict[str, list[Row]]:
        """Datasets by the trigger that fired for them."""
        ids = [trigger.trigger_id for trigger in self._triggers if _asks_for_data(trigger)]
        where = {"trigger_id in": ids, "outcome": "fired", "identity prefix": "data "}
        found: dict[str, list[Row]] = defaultdict(list)
        rows = self._store.query("trigger_fire", where)
        hashes = sorted({row["identity"].rpartition(" ")[2] for row in rows})
        artifacts: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for one in self._store.query("artifact", {"type": "dataset", "hash in": hashes}):
            artifacts[one["name"], one["hash"]].append(one)
        for row in rows:
            name, _, content = row["identity"].removeprefix("data ").rpartition(" ")
            found[row["trigger_id"]] += artifacts[name, content]
        return found


def _asks_for_data(trigger: Trigger) -> bool:
    return any(leaf.new_data is not None for leaf in leaves(trigger.definition))
