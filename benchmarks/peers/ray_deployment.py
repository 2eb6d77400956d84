"""A deployment of Ray Serve: one replica behind its proxy.

python -m benchmarks.peers.ray_deployment PORT
"""

import os
import sys
from typing import Any

import ray
from benchmarks.peers.model import Model
from ray import serve


@serve.deployment(num_replicas=1, max_ongoing_requests=64)
class Flights:
    """One replica with the model."""

    def __init__(self) -> None:
        self.model = Model()

    async def __call__(self, request: Any) -> dict[str, list[float]]:
        """Probabilities."""
        return {"predictions": self.model.probabilities((await request.json())["rows"])}


if __name__ == "__main__":
    passed = {name: os.environ[name] for name in ("MODEL", "COLUMNS", "TEXT_COLUMNS", "PYTHONPATH")}
    ray.init(include_dashboard=False, runtime_env={"env_vars": passed})
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    application = Flights.bind()  # type: ignore[attr-defined] # the decorator makes it
    serve.run(application, route_prefix="/predict", blocking=True)
