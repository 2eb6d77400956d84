"""FastAPI by hand: a model of the request, a function, and uvicorn.

uvicorn benchmarks.peers.fastapi_app:app
"""

from typing import Any

from benchmarks.peers.model import NAMES, TEXTS, Model
from fastapi import FastAPI
from pydantic import BaseModel, create_model

fields: dict[str, Any] = {name: (str if name in TEXTS else float, ...) for name in NAMES}
Row = create_model("Row", **fields)
model = Model()
app = FastAPI()


class Request(BaseModel):
    """Rows to predict."""

    rows: list[Row]  # type: ignore[valid-type] # it is made from the names of the columns


@app.post("/predict")
def predict(request: Request) -> dict[str, list[float]]:
    """Probabilities."""
    return {"predictions": model.probabilities([dict(row) for row in request.rows])}
