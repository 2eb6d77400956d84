"""Where artifacts are, as clients are told: below the proxy, or in a folder that clients write to themselves."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from assay.server.wire.call import Settings
from assay.server.wire.errors import invalid
from assay.server.wire.limits import check_length

__all__ = ["MANAGED", "check_location", "folder_of_artifacts", "model_artifacts", "run_artifacts", "told"]

MANAGED = "mlflow-artifacts:"
_MOST_LENGTH = 2_048
_REFUSED = ("ftp", "sftp", "hdfs", "viewfs", "http", "https", "r2", "b2", "abfss")


def told(location: str, settings: Settings) -> str:
    """An experiment's location as clients see it: with `--artifact-root` files of ours lie there."""
    if settings.artifact_root != MANAGED and location.startswith(f"{MANAGED}/"):
        return settings.artifact_root.rstrip("/") + location.removeprefix(MANAGED)
    return location


def folder_of_artifacts(settings: Settings) -> Path | None:
    """The folder of this machine into which clients write files of ours themselves, None where they send them here."""
    return None if settings.artifact_root == MANAGED else Path(unquote(urlsplit(settings.artifact_root).path))


def run_artifacts(location: str, run_id: str, settings: Settings) -> str:
    """Where the files of a run in an experiment at `location` are."""
    return f"{told(location, settings).rstrip('/')}/{run_id}/artifacts"


def model_artifacts(location: str, model_id: str, settings: Settings) -> str:
    """Where the files of a logged model in an experiment at `location` are."""
    return f"{told(location, settings).rstrip('/')}/models/{model_id}/artifacts"


def check_location(location: str) -> None:
    """A place for artifacts that a caller names: no host that the server would have to call, no way out of a folder."""
    check_length("artifact_location", location, _MOST_LENGTH)
    if location.startswith("runs:"):
        raise invalid(f"Artifact location cannot be a runs:/ URI. Given: '{location}'")
    try:
        parts = urlsplit(location)
    except ValueError:
        raise invalid(f"Invalid artifact_location: '{location}'") from None
    if parts.scheme in _REFUSED or (parts.scheme == "mlflow-artifacts" and parts.netloc):
        raise invalid(f"Invalid artifact_location: '{location}'. The scheme '{parts.scheme}' is not allowed.")
    if ".." in unquote(parts.path).replace("\\", "/").split("/") or parts.fragment or parts.query:
        raise invalid(f"Invalid artifact_location: '{location}'. It may not hold '..', '?' or '#'.")
