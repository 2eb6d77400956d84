"""PyTorch, kept as an exported program: it is loaded without the classes it was written in."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.build.models.flavours.answering import answering
from assay.build.models.flavours.flavour import Given, Kept, Saved, pinned
from assay.build.models.inputs import Classifier, Regressor, numbers_only
from assay.errors import InvalidInput, MissingExtra

__all__ = ["FILE", "LOADER", "load", "recognises", "save"]

FILE = "data/model.pt2"
LOADER = "mlflow.pytorch"
_TRIED = 8  # rows of noise that show what a module gives


def recognises(estimator: object) -> bool:
    """A module of PyTorch, or of whatever builds on its modules."""
    return any(
        one.__name__ == "Module" and one.__module__.partition(".")[0] == "torch" for one in type(estimator).__mro__
    )


def save(given: Given) -> Saved:
    """The program of its `forward` on floats [rows, columns], as it is in evaluation.

    It gives [rows] or [rows, 1] numbers, or [rows, classes] probabilities. InvalidInput where it gives something else,
    and where `torch.export` cannot follow it.
    """
    import torch

    numbers_only(given.columns, "PyTorch")
    module = given.estimator
    was_training = module.training
    module.eval()
    try:
        noise = torch.randn(_TRIED, len(given.columns), generator=torch.Generator().manual_seed(0))
        try:
            program = torch.export.export(module, (noise,), dynamic_shapes=({0: torch.export.Dim("rows")},))
            said = _answers(program.module(), noise.numpy())
        except Exception as error:  # torch.export has dozens of kinds, and each says what it cannot
            reason = str(error).strip().partition("\n")[0][:200]
            raise InvalidInput(
                f"the module cannot be exported: {reason}",
                expected=f"a forward that takes any number of rows of {len(given.columns)} floats",
            ) from error
    finally:
        module.train(was_training)
    if said.ndim == 2 and not np.allclose(said.sum(axis=1), 1, atol=1e-3):
        raise InvalidInput(
            f"the module gives {said.shape[1]} numbers for a row that are no probabilities",
            hint="end it with torch.nn.Softmax(dim=1), or give one number for a row",
        )
    into = io.BytesIO()
    torch.export.save(program, into)
    return Saved(
        name="pytorch",
        content=into.getvalue(),
        loader={"data": "data"},
        described={"model_data": "data", "pytorch_version": str(torch.__version__), "code": None},
        requirements=pinned(["torch", "numpy"]),
        classes=(given.classes or tuple(range(said.shape[1]))) if said.ndim == 2 else (),
    )


def load(kept: Kept) -> Classifier | Regressor:
    """A classifier where classes are known, a regressor otherwise; it computes on the CPU."""
    try:
        import torch
    except ImportError:
        raise MissingExtra("torch", "torch") from None
    module = torch.export.load(io.BytesIO(kept.content)).module()
    return answering(kept, load, lambda rows: _answers(module, rows.astype(np.float32)))


def _answers(module: Any, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """[rows], or [rows, numbers] where there are several."""
    import torch

    with torch.no_grad():
        said: NDArray[np.float64] = module(torch.from_numpy(rows)).numpy().astype(np.float64)
    return said[:, 0] if said.ndim == 2 and said.shape[1] == 1 else said
