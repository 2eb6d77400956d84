"""What was proven."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, Table

from assay.record.schema.columns import METADATA, evidence, key, required, texts

__all__: list[str] = []

Table(
    "test_result",
    METADATA,
    key("id"),
    *required("subject_kind", "subject_id", "tag", "kind", "result", "mode"),
    *texts("report_id", "detail"),
    *evidence(),
    Index(None, "subject_id"),
)
Table(
    "evaluation",
    METADATA,
    key("evaluation_id"),
    *required("mv_id", "dataset_hash", "profile_blob", "detail"),
    Column("run_id", ForeignKey("run.run_id")),
    *texts("baseline_mv_id"),
    *evidence(),
    Index(None, "mv_id"),
)
Table(
    "gate",
    METADATA,
    key("id"),
    *required("mv_id", "subject_hash", "evaluation_id", "policy_version", "checks", "outcome", "mode"),
    *texts("baseline_mv_id", "override_by", "override_reason", "detail"),
    Column("decision", Integer, nullable=False),
    *evidence(),
    Index(None, "mv_id"),
)
Table(
    "idea",  # what might make a model better, before anybody knows
    METADATA,
    key("idea_id"),
    *required("model", "text"),
    *texts("technique", "origin", "metric"),
    Column("expected_gain", Float),  # an improvement of the metric: above 0 whatever its direction
    *evidence(),
    Index(None, "model"),
)
Table(
    "idea_try",  # append-only: what came of it, also where it did not help
    METADATA,
    key("try_id"),
    Column("idea_id", ForeignKey("idea.idea_id"), nullable=False),
    *required("mv_id", "baseline_mv_id", "evaluation_id", "metric", "outcome"),  # outcome: better | worse | unclear
    *texts("gate_id", "verdict"),
    *[Column(name, Float) for name in ("gain", "low", "high")],
    *evidence(),
    Index(None, "idea_id"),
)
