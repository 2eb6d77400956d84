"""The frozen benchmark of a model: the rows and the question its champion was judged by, asked of another version."""

import json
from typing import Any

import msgspec

from assay.build.models.packaging import load_model
from assay.errors import InvalidInput, NotFound
from assay.prove.evaluation import Evaluation, evaluate, load_evaluation
from assay.prove.policy import Policy
from assay.prove.segments import Segments
from assay.record.datasets import DatasetVersion, dataset, dataset_version
from assay.record.models.registry import CHAMPION, ModelVersion, alias
from assay.record.store import Row, Store
from assay.stats import RANKING, SCORES, Task

__all__ = ["Benchmark", "benchmark_of"]


class Benchmark(msgspec.Struct, frozen=True):
    """The rows of an evaluation (a dataset by its hash), what was asked of them, and the policy that judged it.

    `policy` is None where the champion was never judged by one.
    """

    champion: ModelVersion
    evaluation_id: str
    dataset: DatasetVersion
    detail: dict[str, Any]
    task: Task
    policy: Policy | None

    def measure(self, store: Store, candidate: ModelVersion) -> Evaluation:
        """Evaluate a version beside the champion as the champion was evaluated, recorded in the store.

        Metrics of the team's own, segments by a function and further datasets are not asked again: the store has their
        names only.
        """
        if candidate.mv_id == self.champion.mv_id:
            raise InvalidInput(f"{candidate.model}/{candidate.version} is the champion", expected="another version")
        asked = self.detail["asked"]
        return evaluate(
            load_model(store, candidate),
            dataset(store, self.dataset.hash),
            label=self.detail["label"] or None,
            task=self.task,
            unit=asked["unit"],
            query=asked["query"],
            weight=asked["weight"],
            top=asked["top"],
            segments=Segments(by=asked["by"], cross=asked["cross"], bins=asked["bins"], where=asked["where"]),
            baseline=load_model(store, self.champion),
            threshold=self.detail["threshold"],
            seed=self.detail["seed"],
            store=store,
            dataset=self.dataset,
            costs=self.policy is not None and self.policy.model is not None,
        )


def benchmark_of(store: Store, model: str) -> Benchmark:
    """What the champion of a model was judged by: its latest verdict, else its latest evaluation, alone or as baseline.

    NotFound for a model without a champion, and a champion that was never evaluated here.
    """
    champion = alias(store, model, CHAMPION)
    if champion is None:
        raise NotFound(
            f"model {model!r} has no champion, so there is nothing to be better than",
            where=store.location,
            hint="`assay models`; `assay promote` makes one",
        )
    verdicts = store.query("gate", {"mv_id": champion.mv_id, "mode": "auto"}, order_by=["-decision"], limit=1)
    row = store.get("evaluation", {"evaluation_id": verdicts[0]["evaluation_id"]}) if verdicts else None
    row = row or _latest(store, {"mv_id": champion.mv_id}) or _latest(store, {"baseline_mv_id": champion.mv_id})
    if row is None:
        raise NotFound(
            f"the champion {model}/{champion.version} was never evaluated, so there is no benchmark",
            where=store.location,
            hint=f"assay evaluate {model} {champion.version} --data rows.parquet --label LABEL",
        )
    detail = json.loads(row["detail"])
    if "asked" not in detail:
        raise NotFound(
            f"evaluation {row['evaluation_id'][:8]} of {model}/{champion.version} does not say all that was asked",
            expected="an evaluation by this version of Assay",
            hint=f"assay evaluate {model} {champion.version} --data rows.parquet --label {detail['label']}",
        )
    policy = json.loads(verdicts[0]["detail"])["policy"] if verdicts else None
    kept = load_evaluation(store, row["evaluation_id"])
    own = {"ranking": RANKING.quantities, "scores": SCORES.quantities}.get(kept.profile.task.name, ())
    return Benchmark(
        champion=champion,
        evaluation_id=kept.evaluation_id,
        dataset=dataset_version(store, kept.dataset_hash, kept.dataset_name),
        detail=detail,
        task=msgspec.structs.replace(kept.profile.task, quantities=own),
        policy=msgspec.convert(policy, Policy) if policy else None,
    )


def _latest(store: Store, where: dict[str, object]) -> Row | None:
    return next(iter(store.query("evaluation", where, order_by=["-ts"], limit=1)), None)
