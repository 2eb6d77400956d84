"""What a handler is given besides its request: the store, who calls, and how the server is set up."""

from dataclasses import dataclass

from assay.record.store import Store
from assay.record.tracking.run_changes import Late

__all__ = ["Call", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server answers. `parity` turns off every answer that differs from MLflow's on purpose."""

    late: Late = "mark"
    parity: bool = False
    artifact_root: str = "mlflow-artifacts:"
    token: str | None = None
    root_path: str = ""

    @property
    def late_results(self) -> Late:
        """What happens to results that come after a run has ended."""
        return "mark" if self.parity else self.late


@dataclass(slots=True)
class Call:
    """One request: `if_match` is the version that a caller expects an alias to point to."""

    store: Store
    settings: Settings
    if_match: str | None = None

    @property
    def late(self) -> Late:
        """What happens to results that come after a run has ended."""
        return self.settings.late_results
