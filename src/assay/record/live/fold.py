"""What journals say, put into a store: a few statements for many runs, in one transaction, any number of times.

Each batch has a number of its writer; what is in the store already is passed over. So a journal that is sent again, by
whomever, changes nothing.
"""

from collections.abc import Iterable

import numpy as np

from assay.errors import InvalidInput
from assay.record.artifacts import point_to, run_root
from assay.record.changes import note_change
from assay.record.clock import iso
from assay.record.live.journal import whole_frames
from assay.record.live.logged import (
    Batch,
    Begin,
    End,
    Entry,
    File,
    Params,
    Seen,
    Tags,
    Used,
    Values,
    decode,
)
from assay.record.store import Row, Store
from assay.record.tracking.experiments import create_experiment, experiment_named
from assay.record.tracking.metrics import Group, Series, add_series
from assay.record.tracking.points import Points
from assay.record.tracking.run_changes import ENDS, NAME_TAG, DatasetUse, put_datasets

__all__ = ["apply_frames"]


def apply_frames(store: Store, data: bytes) -> int:
    """Put whole frames of journals into the store; returns how many batches were new.

    InvalidInput where the bytes are no whole frames; then nothing of them is kept.
    """
    batches: list[Batch] = []
    end = 0
    for content, end in whole_frames(data):  # noqa: B007 - the last end counts
        batches.append(decode(content))
    if end != len(data):
        raise InvalidInput("the batch is torn or damaged", expected="whole frames of a journal")
    if not batches:
        return 0
    with store.transaction():
        fresh = _fresh(store, batches)
        _Fold(store).all(entry for batch in fresh for entry in batch.entries)
    return len(fresh)


def _fresh(store: Store, batches: list[Batch]) -> list[Batch]:
    """Those not in the store yet, which from now on they are."""
    known = {
        row["writer"]: row["seq"] for row in store.query("writer", {"writer in": list({b.writer for b in batches})})
    }
    fresh = []
    for batch in batches:
        if batch.seq > known.get(batch.writer, 0):
            known[batch.writer] = batch.seq
            fresh.append(batch)
    now = iso(store.clock.now())
    writers = {batch.writer for batch in fresh}
    store.put_many("writer", [{"writer": writer, "seq": known[writer], "ts": now} for writer in sorted(writers)])
    return fresh


class _Fold:
    """Collects entries and writes them together, in the order that matters: begun, told, ended."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.experiments: dict[str, str] = {}
        self.placed: set[str] = set()  # experiments whose project was looked at
        self._reset()

    def _reset(self) -> None:
        self.begins: list[Begin] = []
        self.params: dict[tuple[str, str], str] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.values: list[Values] = []
        self.files: list[File] = []
        self.used: list[Used] = []
        self.seen: dict[str, str] = {}
        self.ends: dict[str, End] = {}

    def all(self, entries: Iterable[Entry]) -> None:
        """Every entry, in order."""
        for entry in entries:
            if entry.run_id in self.ends:  # opened again
                self._write()
            self._take(entry)
        self._write()

    def _take(self, entry: Entry) -> None:
        match entry:
            case Begin():
                self.begins.append(entry)
            case Params():
                for key, value in entry.values.items():
                    self.params.setdefault((entry.run_id, key), value)
            case Tags():
                self.tags.update({(entry.run_id, key): value for key, value in entry.values.items()})
            case Values():
                self.values.append(entry)
            case File():
                self.files.append(entry)
            case Used():
                self.used.append(entry)
            case Seen():
                self.seen[entry.run_id] = entry.ts
            case End():
                self.ends[entry.run_id] = entry

    def _write(self) -> None:
        self._write_begins()
        self._leave_out_unknown()
        self._write_params()
        rows = [{"run_id": run_id, "key": key, "value": value} for (run_id, key), value in self.tags.items()]
        self.store.put_many("run_tag", rows)
        self._write_values()
        self._write_files()
        for run_id, ts in self.seen.items():
            self.store.amend("run", {"run_id": run_id}, {"seen": ts})
        for run_id, end in self.ends.items():
            changed = {"status": end.status, "ended": end.ended, "reason": end.reason, "cpu_s": end.cpu_s}
            self.store.amend("run", {"run_id": run_id}, {**changed, "seen": end.ended})
        self._reset()

    def _leave_out_unknown(self) -> None:
        """Nothing is kept of a run that was removed for good while its journal waited."""
        named = {value.run_id for value in self.values} | {file.run_id for file in self.files}
        named |= {used.run_id for used in self.used} | set(self.ends) | set(self.seen)
        named |= {run_id for run_id, _ in (*self.params, *self.tags)}
        named -= {begin.run_id for begin in self.begins}
        there = self.store.query("run", {"run_id in": sorted(named)}) if named else []
        gone = named - {row["run_id"] for row in there}
        if gone:
            self.params = {key: value for key, value in self.params.items() if key[0] not in gone}
            self.tags = {key: value for key, value in self.tags.items() if key[0] not in gone}
            self.values = [entry for entry in self.values if entry.run_id not in gone]
            self.files = [entry for entry in self.files if entry.run_id not in gone]
            self.used = [entry for entry in self.used if entry.run_id not in gone]
            self.seen = {run_id: ts for run_id, ts in self.seen.items() if run_id not in gone}
            self.ends = {run_id: end for run_id, end in self.ends.items() if run_id not in gone}

    def _write_begins(self) -> None:
        if not self.begins:
            return
        wanted = [begin.run_id for begin in self.begins]
        there = {row["run_id"]: row for row in self.store.query("run", {"run_id in": wanted})}
        environments = {
            begin.columns["env_hash"]: begin for begin in self.begins if begin.environment and begin.columns["env_hash"]
        }
        self.store.append_many(
            "environment",
            [{"env_hash": key, "detail": begin.environment, **_who(begin)} for key, begin in environments.items()],
            skip_existing=True,
        )
        fresh: dict[str, Row] = {}
        for begin in self.begins:
            if begin.run_id in there:
                self._reopen(begin, there[begin.run_id])
                continue
            self._put_into_project(begin)
            row = {"run_id": begin.run_id, "experiment_id": self._experiment(begin.experiment), "name": begin.name}
            more = {"started": begin.started, "seen": begin.started, "status": "running"}
            fresh[begin.run_id] = {**row, **more, **begin.columns, **_who(begin)}
            self.tags.setdefault((begin.run_id, NAME_TAG), begin.name)
        self.store.append_many("run", fresh.values())

    def _reopen(self, begin: Begin, row: Row) -> None:
        if row["status"] in ENDS:
            note_change(self.store, "run", begin.run_id, "reopened", before=row["status"], after="running")
            self.store.amend("run", {"run_id": begin.run_id}, {"status": "running", "ended": None})

    def _experiment(self, name: str) -> str:
        if name not in self.experiments:
            # a deleted one takes what its runs said before they knew
            found = experiment_named(self.store, name) or create_experiment(self.store, name)
            self.experiments[name] = found.experiment_id
        return self.experiments[name]

    def _put_into_project(self, begin: Begin) -> None:
        """The first project that an experiment is said to belong to; one that is not there yet begins."""
        if begin.project is None or begin.experiment in self.placed:
            return
        self.placed.add(begin.experiment)
        experiment_id = self._experiment(begin.experiment)
        if self.store.get("experiment", {"experiment_id": experiment_id})["project"] is None:
            owner = {"project": begin.project, "owner": begin.actor, **_who(begin)}
            self.store.append_many("project", [owner], skip_existing=True)
            self.store.amend("experiment", {"experiment_id": experiment_id}, {"project": begin.project})
            note_change(self.store, "experiment", experiment_id, "project", after=begin.project)

    def _write_params(self) -> None:
        begun = {begin.run_id for begin in self.begins}
        older = sorted({run_id for run_id, _ in self.params} - begun)
        known = {}
        if older:
            rows = self.store.query("run_param", {"run_id in": older})
            known = {(row["run_id"], row["key"]): row["value"] for row in rows}
        for identity, value in known.items():  # a param is set once, whoever comes later
            if self.params.get(identity, value) != value:
                what = f"param {identity[1]}: a later value was not kept"
                note_change(self.store, "run", identity[0], what, before=value, after=self.params[identity])
        fresh = [
            {"run_id": run_id, "key": key, "value": value, "layer": 0}
            for (run_id, key), value in self.params.items()
            if (run_id, key) not in known
        ]
        self.store.append_many("run_param", fresh)

    def _write_values(self) -> None:
        groups: dict[Group, int] = {}
        numbers, parts = [], []
        for entry in self.values:
            key, points = entry.points()
            places = [groups.setdefault((entry.run_id, name, 0), len(groups)) for name in entry.keys]
            numbers.append(np.array(places, np.int64)[key])
            parts.append(points)
        if parts:
            add_series(self.store, Series(list(groups), np.concatenate(numbers), Points.joined(parts)))

    def _write_files(self) -> None:
        ids = sorted({file.run_id for file in self.files} | {used.run_id for used in self.used})
        runs = {row["run_id"]: row for row in self.store.query("run", {"run_id in": ids})} if ids else {}
        for file in self.files:
            point_to(self.store, f"{run_root(runs[file.run_id])}/{file.path}", file.blob, file.size)
        for used in self.used:
            tags = {"mlflow.data.context": used.context} if used.context else {}
            use = DatasetUse(used.name, used.digest, used.source_type, used.source, used.schema, tags=tags)
            put_datasets(self.store, runs[used.run_id], [use], 0)
            if used.artifact is not None:
                self._link(used)

    def _link(self, used: Used) -> None:
        """The snapshot of a dataset as input of the run; the same content under the same name is there once."""
        assert used.artifact is not None
        where = {"type": "dataset", "name": used.name, "hash": used.artifact["hash"]}
        known = self.store.query("artifact", where, limit=1)
        if not known:
            self.store.append("artifact", {**used.artifact, "type": "dataset", "name": used.name})
        artifact_id = known[0]["artifact_id"] if known else used.artifact["artifact_id"]
        link = {"run_id": used.run_id, "role": "input", "artifact_id": artifact_id, "name": used.name}
        self.store.append_many("run_io", [link], skip_existing=True)


def _who(begin: Begin) -> Row:
    return {"actor": begin.actor, "actor_kind": begin.actor_kind, "source": "native", "ts": begin.started}
