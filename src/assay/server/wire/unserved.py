"""What MLflow's server has and this one does not, by the beginning of the path: 501 with a sentence, never repeated by
clients, never HTML.
"""

from assay.server.wire.errors import WireError

__all__ = ["not_served"]

# The beginning of a path without its prefix -> what it is about.
_UNSERVED = {
    "2.0/mlflow/traces": "traces",
    "3.0/mlflow/traces": "traces",
    "2.0/mlflow/unified-traces": "traces",
    "2.0/mlflow/get-online-trace-details": "traces",
    "2.0/mlflow/get-trace-artifact": "traces",
    "3.0/mlflow/get-trace-artifact": "traces",
    "3.0/mlflow/workspaces": "workspaces",
    "3.0/mlflow/issues": "issues",
    "3.0/mlflow/label-schemas": "label schemas",
    "3.0/mlflow/datasets": "evaluation datasets",
    "3.0/mlflow/scorers": "scorers",
    "3.0/mlflow/gateway": "the gateway",
    "2.0/mlflow/gateway-proxy": "the gateway",
    "3.0/mlflow/prompt-optimization": "prompt optimization",
    "3.0/mlflow/review-queues": "review queues",
    "2.0/mlflow/artifacts/presigned-upload-url": "presigned addresses",
    "2.0/mlflow/artifacts/presigned-download-url": "presigned addresses",
    "2.0/mlflow-artifacts/mpu": "uploads in parts",
    "2.0/mlflow-artifacts/presigned": "presigned addresses",
    "2.0/mlflow/upload-artifact": "uploads from MLflow's pages",
    "2.0/mlflow/runs/create-promptlab-run": "the prompt lab",
    "3.0/mlflow/ui-telemetry": "telemetry",
    "3.0/jobs": "jobs",
    "2.0/mlflow/users": "MLflow's users",
    "3.0/mlflow/users": "MLflow's users",
    "2.0/mlflow/roles": "MLflow's roles",
    "3.0/mlflow/roles": "MLflow's roles",
    "2.0/mlflow/experiments/permissions": "MLflow's permissions",
    "2.0/mlflow/registered-models/permissions": "MLflow's permissions",
}


def not_served(path: str) -> WireError | None:
    """The refusal of a path below `/api/` or `/ajax-api/`, None where MLflow has none such either."""
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        what = _UNSERVED.get("/".join(parts[:length]))
        if what is not None:
            return refusal(what)
    return None


def refusal(what: str) -> WireError:
    """The sentence about one thing."""
    return WireError(501, "NOT_IMPLEMENTED", f"assay does not serve {what}; see docs/mlflow.md for what it does serve")
