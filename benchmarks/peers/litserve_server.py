"""A server of LitServe.

python -m benchmarks.peers.litserve_server PORT
"""

import sys
from typing import Any

import litserve
from benchmarks.peers.model import Model


class Flights(litserve.LitAPI):
    """One worker with the model."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - it is called with it
        """Load."""
        self.model = Model()

    def decode_request(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of a body."""
        rows: list[dict[str, Any]] = request["rows"]
        return rows

    def predict(self, rows: list[dict[str, Any]]) -> list[float]:
        """Probabilities."""
        return self.model.probabilities(rows)

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        """The body of an answer."""
        return {"predictions": output}


if __name__ == "__main__":
    server = litserve.LitServer(Flights(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
