"""A store with a judged model whose names try to be code, and what people said of it."""

from dataclasses import dataclass

import pyarrow as pa
from tests.prove.worlds import ACCURACY, Part, Reader, add_version, keep, world

from assay.build.data.checks import check_table, in_range, unique
from assay.build.models.packaging import load_model, package_model
from assay.prove.evaluation import evaluate
from assay.prove.gate import gate
from assay.record.identity import Actor
from assay.record.models.registry import ModelVersion
from assay.record.people import grant_role, roles_of
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run
from assay.steer.cards.texts import MODEL_PARTS, write_text

HOSTILE = "</td></script><script>alert(1)</script>|`*_[x](javascript:alert(1))"
FORMULA = '=HYPERLINK("http://evil.example")'


@dataclass(frozen=True, slots=True)
class CardWorld:
    """The versions of the model `late`, the second of which was judged beside the first."""

    old: ModelVersion
    new: ModelVersion
    evaluation_id: str


def fill_cards(store: SqlStore, *, difference: float = 0.0) -> CardWorld:
    """Two versions, an evaluation by segment with a hostile value, a verdict, checked training data."""
    store.actor = Actor("ana")
    table = world({"a": Part(1500, difference), "b": Part(500), HOSTILE: Part(200), FORMULA: Part(60)})
    old = add_version(store, "old")
    kept = keep(store, table)
    check_table(store, kept.hash, table, [in_range("late", 0, 1), unique(["unit"])])
    with start_run(store, "cards", HOSTILE, kind="train") as run:
        run.params({"depth": 3, "note": FORMULA})
        run.uses(kept.artifact_id, kept.name)
        new = package_model(
            store, "late", Reader(), pa.table({"new": [0.1, 0.9]}), ["new"], run=run, description=HOSTILE
        )
    found = evaluate(
        load_model(store, new),
        table,
        baseline=load_model(store, old),
        store=store,
        dataset=kept,
        label="late",
        unit=["unit"],
        segments=["segment"],
        datasets={"july": world({"a": Part(400)}, seed=7)},
    )
    gate(found, ACCURACY, store=store)
    if not roles_of(store, "bo"):
        grant_role(store, "bo", "owner", model="late")
    return CardWorld(old, new, found.evaluation_id)


def say_all(store: SqlStore, model: str = "late") -> None:
    """Answer everything that is asked of a model."""
    for part in MODEL_PARTS:
        write_text(store, model, part, f"What ana knows of {part}.")
