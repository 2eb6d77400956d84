"""What the best trial is worth: corrected for having been chosen among many on the rows that it is scored on."""

from collections.abc import Iterable

import msgspec
import numpy as np

from assay.build.searching.goals import Goals
from assay.build.searching.scores import unpack_scores
from assay.build.searching.trials import SCORES_FILE, TrialRecord
from assay.errors import InvalidInput
from assay.record.artifacts import run_root
from assay.record.store import Store
from assay.stats.best_of import best_of

__all__ = ["BestOfTrials", "best_of_trials"]


class BestOfTrials(msgspec.Struct, frozen=True):
    """The best of `trials` scored on the same `rows`, by the first objective.

    `search_score` is its mean, `corrected_score` what it is worth on rows that it was not chosen on, by the bootstrap.
    `expected_optimism` is what the formula gives for equally good trials that differ on a share `disagreement` of rows.
    """

    trials: int
    rows: int
    search_score: float
    corrected_score: float
    expected_optimism: float
    disagreement: float


def best_of_trials(store: Store, trials: list[TrialRecord], goals: Goals) -> BestOfTrials | None:
    """The correction, from the scores by row that finished trials kept; None where there are not two such trials.

    InvalidInput where two trials were scored on different rows, or on units in another order.
    """
    if len(goals.names) > 1:
        return None
    runs = {trial.same_as or trial.run_id: trial.number for trial in trials if trial.state == "finished"}
    files = _files(store, runs, goals.first)
    kept = [
        (number, *unpack_scores(rows, files.get((run_id, "units"))))
        for run_id, number in runs.items()
        if (rows := files.get((run_id, "npz"))) is not None
    ]
    if len(kept) < 2:
        return None
    listed = sorted(kept, key=lambda one: one[0])
    first, _, units = listed[0]
    for number, _, others in listed[1:]:
        if not np.array_equal(others, units):
            raise InvalidInput(
                f"trials {first} and {number} were scored on different rows",
                expected="Scores of the same rows, in the same order, in every trial",
            )
    scores = np.stack([rows for _, rows, _ in listed])
    found = best_of(scores, units, minimize=goals.is_minimized(goals.first))
    return BestOfTrials(
        trials=found.candidates,
        rows=found.rows,
        search_score=found.score,
        corrected_score=found.corrected,
        expected_optimism=found.expected,
        disagreement=found.disagreement,
    )


def _files(store: Store, run_ids: Iterable[str], objective: str) -> dict[tuple[str, str], bytes]:
    """What trials kept of their scores, by run and ending."""
    roots = {row["run_id"]: run_root(row) for row in store.query("run", {"run_id in": list(run_ids)})}
    paths = {
        f"{root}/{SCORES_FILE}/{objective}.{ending}": (run_id, ending)
        for run_id, root in roots.items()
        for ending in ("npz", "units")
    }
    found = store.query("artifact_file", {"path in": list(paths)})
    return {paths[file["path"]]: store.blobs.get(file["blob"]) for file in found}
