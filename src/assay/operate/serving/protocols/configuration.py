"""The model configuration extension: inputs and outputs in the words of Triton's configuration."""

from collections.abc import Sequence
from typing import Any

import msgspec

from assay.operate.serving.inputs import MAX_ROWS
from assay.operate.serving.protocols.asking import JSON, Asking, Reply
from assay.operate.serving.protocols.oip import platform_of
from assay.operate.serving.protocols.surface import Surface
from assay.operate.serving.protocols.tensors import TensorSpec

__all__ = ["configuration"]


async def configuration(asking: Asking, name: str, version: str | None) -> Reply:
    """The configuration of the endpoint or of one version; dimensions are those of a row. RequestError 404."""
    found = await asking.find(name, version)
    surface = Surface([found]) if version else asking.surface
    said = {
        "name": name,
        "platform": platform_of(found),
        "backend": platform_of(found).partition("_")[0],
        "version_policy": {"specific": {"versions": sorted(asking.versions())}},
        "max_batch_size": MAX_ROWS,
        "input": _tensors(surface.inputs),
        "output": _tensors(surface.outputs),
        "parameters": {} if surface.matrix is None else {"matrix_input": {"string_value": surface.matrix.name}},
    }
    return 200, JSON, msgspec.json.encode(said)


def _tensors(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    types = {"BYTES": "TYPE_STRING"}
    return [
        {
            "name": one.name,
            "data_type": types.get(one.datatype, f"TYPE_{one.datatype}"),
            "dims": list(one.shape[1:]) or [1],
        }
        for one in specs
    ]
