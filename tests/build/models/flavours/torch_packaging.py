"""Modules of PyTorch as registered versions, in the environment of `make test-torch`.

    python torch_packaging.py FOLDER

Makes a store in the folder and prints, as JSON, what modules say before and after packaging, here and in MLflow.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

import assay
from assay.errors import InvalidInput
from assay.record.models.registry import model_folder

warnings.filterwarnings("ignore")
COLUMNS = ["a", "b", "c"]
ROWS = np.random.default_rng(4).normal(size=(20, 3)).astype(np.float32)
TABLE = pa.table({name: ROWS[:, place].astype(np.float64) for place, name in enumerate(COLUMNS)})


class Line(torch.nn.Module):  # type: ignore[misc]
    """A class that nobody has who loads the model; it says something else while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5))
        self.last = torch.nn.Linear(8, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.last(self.layers(rows)).squeeze(1)


class Wild(torch.nn.Module):  # type: ignore[misc]
    """What it does depends on its values, which cannot be exported."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.sum(dim=1) if rows.sum() > 0 else rows.mean(dim=1)


def main(folder: Path) -> None:
    import mlflow.pyfunc

    torch.manual_seed(3)
    store = assay.open_store(folder / "store")
    classes = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Softmax(dim=1))
    found: dict[str, Any] = {}
    for name, module in (("line", Line()), ("classes", classes)):
        module.train()
        with assay.start_run(store, "torch") as run:
            version = assay.package_model(store, name, module, TABLE, COLUMNS, run=run)
        assert module.training, "as it was before"
        module.eval()
        with torch.no_grad():
            expected = module(torch.from_numpy(ROWS)).numpy()
        loaded = assay.load_model(store, version)
        where = model_folder(store, version)
        theirs = mlflow.pyfunc.load_model(str(where)).predict(TABLE.to_pandas())
        found[name] = {
            "expected": expected.tolist(),
            "loaded": loaded.answer_table(TABLE).tolist(),
            "one": loaded.answer_table(TABLE.slice(0, 1)).tolist(),
            "mlflow": np.asarray(theirs).reshape(expected.shape).tolist(),
            "classes": list(loaded.classes),
            "required": (where / "requirements.txt").read_text().splitlines(),
        }
    with assay.start_run(store, "torch") as run:
        for name, module in (("logits", torch.nn.Linear(3, 2)), ("wild", Wild())):
            try:
                assay.package_model(store, name, module, TABLE, COLUMNS, run=run)
            except InvalidInput as error:
                found[name] = str(error)
    found["models"] = sorted({row["model"] for row in store.query("model_version")})
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
