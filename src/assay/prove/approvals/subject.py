"""What an approval binds to: the parts of what is agreed on, each with its hash, and the hash of them all."""

import msgspec

from assay.prove.approvals.plan import Plan
from assay.record.canonical import canonical_json, digest
from assay.record.models.registry import CHAMPION, ModelVersion, alias, version_by_id
from assay.record.store import Row, Store

__all__ = [
    "PARTS",
    "Change",
    "Part",
    "Subject",
    "changed_parts",
    "parts_text",
    "read_parts",
    "subject_of",
    "verdict_on",
]

PARTS = {  # the name of a part: what changes it
    "model": "the files of the version",
    "evaluation": "its evaluation, and the verdict of the gate with all checks",
    "policy": "the policy that the gate judged by",
    "card": "the model card",
    "objective": "the objective with its value matrix",
    "rollout plan": "the steps by which it goes live, and their rules",
}


class Part(msgspec.Struct, frozen=True):
    """A part of the subject. `hash` is empty where there is none; `page` is where its evidence is shown."""

    name: str
    hash: str
    words: str
    page: str = ""


class Subject(msgspec.Struct, frozen=True):
    """All that an approval of a version binds to; `hash` is of the hashes of its parts."""

    mv_id: str
    model: str
    version: int
    hash: str
    parts: tuple[Part, ...]
    plan: Plan


class Change(msgspec.Struct, frozen=True):
    """A part that is not what it was: from what to what, in words."""

    part: str
    before: str
    after: str
    hash_before: str
    hash_after: str

    @property
    def words(self) -> str:
        """As people read it."""
        same = self.before == self.after  # the words may say less than the content
        before, after = (f" ({one[:8] or 'none'})" if same else "" for one in (self.hash_before, self.hash_after))
        return f"{self.part} changed from {self.before}{before} to {self.after}{after}"


def subject_of(store: Store, mv_id: str, *, plan: Plan) -> Subject:
    """What an approval of the version would bind to now. NotFound for an unknown version."""
    version = version_by_id(store, mv_id)
    champion = alias(store, version.model, CHAMPION)
    verdict = verdict_on(store, version, champion)
    parts = (
        Part("model", version.hash, f"files {version.hash[:12] or 'not sealed'}", _page(version)),
        _evaluation(store, verdict),
        _policy(verdict),
        _card(store, version),
        _objective(store, version.model),
        Part("rollout plan", plan.hash, plan.words),
    )
    whole = digest({"mv_id": mv_id, **{part.name: part.hash for part in parts}})
    return Subject(mv_id, version.model, version.version, whole, parts, plan)


def verdict_on(store: Store, version: ModelVersion, champion: ModelVersion | None) -> Row | None:
    """The last verdict on the version's files; against the champion where there is another one."""
    where: dict[str, object] = {"mv_id": version.mv_id, "subject_hash": version.hash, "mode": "auto"}
    if champion and champion.mv_id != version.mv_id:
        where["baseline_mv_id"] = champion.mv_id
    found = store.query("gate", where, order_by=["-decision"], limit=1)
    return found[0] if found else None


def changed_parts(before: tuple[Part, ...], now: Subject) -> list[Change]:
    """The parts of the subject that are not what they were."""
    known = {part.name: part for part in before}
    return [
        Change(part.name, known[part.name].words, part.words, known[part.name].hash, part.hash)
        for part in now.parts
        if part.name in known and known[part.name].hash != part.hash
    ]


def parts_text(subject: Subject) -> str:
    """The parts as a request keeps them."""
    return canonical_json({"plan": msgspec.to_builtins(subject.plan), "parts": msgspec.to_builtins(subject.parts)})


class _Kept(msgspec.Struct):
    plan: Plan
    parts: tuple[Part, ...]


def read_parts(text: str) -> tuple[Plan, tuple[Part, ...]]:
    """The plan and the parts that a request keeps."""
    kept = msgspec.json.decode(text, type=_Kept)
    return kept.plan, kept.parts


def _page(version: ModelVersion) -> str:
    return f"/models/{version.model}/{version.version}"


def _evaluation(store: Store, verdict: Row | None) -> Part:
    """The content of the evaluation, and what the gate found in it: verdict, checks and against which version."""
    if verdict is None:
        return Part("evaluation", "", "no verdict")
    found = {name: verdict[name] for name in ("outcome", "checks", "detail", "baseline_mv_id", "evaluation_id")}
    rows = store.query("evaluation", {"evaluation_id": verdict["evaluation_id"]})
    content = [[row["dataset_hash"], row["profile_blob"], row["detail"]] for row in rows]
    whole = digest({**found, "content": content})
    words = f"verdict {verdict['outcome']}, gate {verdict['id'][:8]}"
    return Part("evaluation", whole, words, f"/evaluations/{verdict['evaluation_id']}")


def _policy(verdict: Row | None) -> Part:
    found = verdict["policy_version"] if verdict else ""
    return Part("policy", found, f"policy {found[:12]}" if found else "no policy")


def _card(store: Store, version: ModelVersion) -> Part:
    rows = store.query("card", {"kind": "model", "subject": version.mv_id}, order_by=["-ts", "-card_id"], limit=1)
    if not rows:
        return Part("card", "", "no card")
    return Part("card", rows[0]["hash"], f"card {rows[0]['hash'][:12]}")


def _objective(store: Store, model: str) -> Part:
    """The newest version of the model's objective. Its hash holds statement, KPI, target, floor and value matrix."""
    rows = store.query("objective", {"model": model}, order_by=["-decision"], limit=1)
    if not rows or rows[0]["ended"]:
        return Part("objective", "", "no objective")
    one = rows[0]
    matrix = one["value_matrix_version"] or ""
    words = f"objective of {one['kpi']}, version {one['version']}" + (f", value matrix {matrix[:12]}" if matrix else "")
    return Part("objective", digest([one["hash"], matrix]), words)
