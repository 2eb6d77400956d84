"""A training with PyTorch Lightning as its users write it, which MLflow logs by itself.

    python lightning_training.py MODEL

Runs in the environment of `make test-torch` and prints what the trained model says about four rows, and the seconds of
the training without and with logging, as JSON.
"""

import json
import logging
import sys
import time
import warnings

import lightning
import mlflow
import torch

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
EPOCHS = 3
ROWS = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]


class Line(lightning.LightningModule):  # type: ignore[misc]
    """y = 2a - b, to be found."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layer(rows)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _index: int) -> torch.Tensor:
        rows, wanted = batch
        loss = torch.nn.functional.mse_loss(self(rows), wanted)
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fitted() -> tuple[Line, lightning.Trainer, float]:
    """A trained model, its trainer, and the seconds it took."""
    torch.manual_seed(5)
    rows = torch.randn(128, 2)
    data = torch.utils.data.TensorDataset(rows, rows @ torch.tensor([[2.0], [-1.0]]))
    trainer = lightning.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    model = Line()
    begun = time.perf_counter()
    trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=16))
    return model, trainer, time.perf_counter() - begun


def main(name: str) -> None:
    _, _, without = fitted()
    mlflow.pytorch.autolog(registered_model_name=name, silent=True)
    model, trainer, logged = fitted()
    expected = model(torch.tensor(ROWS)).detach().tolist()
    loaded = mlflow.pytorch.load_model(f"models:/{name}/1")
    said = {
        "expected": expected,
        "loaded": loaded(torch.tensor(ROWS)).tolist(),
        "loss": trainer.callback_metrics["loss"].item(),
        "seconds": [without, logged],
    }
    print(json.dumps(said))


main(*sys.argv[1:])
