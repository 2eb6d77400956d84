"""A service of BentoML.

bentoml serve benchmarks.peers.bentoml_service:Flights
"""

import bentoml
from benchmarks.peers.model import Model


@bentoml.service(workers=1)
class Flights:
    """One worker with the model."""

    def __init__(self) -> None:
        self.model = Model()

    @bentoml.api
    def predict(self, rows: list[dict[str, float | str]]) -> list[float]:
        """Probabilities."""
        return self.model.probabilities(rows)
