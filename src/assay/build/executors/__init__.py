"""Where work runs. An executor only runs: retries, remembering, lineage and leases are the step's."""

__all__: list[str] = []
