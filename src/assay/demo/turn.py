"""One turn of the loop, shared by its chapters: the store, the names, the clock and the size of the demo."""

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.demo.pipeline import LABEL
from assay.demo.replay import start_of
from assay.prove.policy import Policy
from assay.record.datasets import DatasetVersion
from assay.record.store import Store

__all__ = ["FAST", "FULL", "Size", "Turn", "unused_model_name"]

MODEL = "flights-late"


@dataclass(frozen=True, slots=True)
class Size:
    """How much of the year is used: the share of rows to train on, and of flights to replay."""

    train_share: float
    replay_share: float
    configurations: tuple[str, ...]
    request_rows: int


FULL = Size(train_share=0.8, replay_share=1.0, configurations=("small", "medium", "large"), request_rows=100)
FAST = Size(train_share=0.4, replay_share=0.25, configurations=("small", "medium"), request_rows=100)


@dataclass(slots=True)
class Turn:
    """What the chapters of one demo hand on. `features` are all flights with their labels, as they will be known."""

    store: Store
    model: str
    seed: int
    size: Size
    policy: Policy
    features: pa.Table = field(default_factory=lambda: pa.table({}))
    datasets: list[DatasetVersion] = field(default_factory=list)

    @property
    def experiment(self) -> str:
        """The experiment of all runs of this turn."""
        return self.model

    def replayed(self) -> pa.Table:
        """The flights that are sent as requests: a random share of all, in order of departure."""
        chosen = np.random.default_rng(self.seed + 1).random(self.features.num_rows) < self.size.replay_share
        return self.features.filter(pa.array(chosen))

    def known_by(self, moment: date) -> pa.Table:
        """Flights that departed before that day, with only the labels that had arrived by then."""
        now = pa.scalar(start_of(moment), self.features["departure"].type)
        past = self.features.filter(pc.less(self.features["departure"], now))
        arrived = pc.fill_null(pc.less_equal(past["arrived"], now), False)
        labels = pc.if_else(arrived, past[LABEL], pa.scalar(None, past[LABEL].type))
        return past.set_column(past.column_names.index(LABEL), LABEL, labels)


def unused_model_name(store: Store) -> str:
    """`flights-late`, or with a number where an earlier demo left that name in the store."""
    taken = {row["name"] for row in store.query("experiment", {"name prefix": MODEL})}
    number = 1
    while (name := MODEL if number == 1 else f"{MODEL}-{number}") in taken:
        number += 1
    return name
