"""The statistics extension: counts and cumulative durations of each version, in the words of Triton.

A row is an inference, and a request to a version is an execution. Time that is not in the model (reading, assigning,
waiting, logging) is counted as `compute_input`. With several workers it is the sum over them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from assay.operate.serving.counting import Counted, Series
from assay.operate.serving.protocols.asking import JSON, Asking, Reply

__all__ = ["Statistics"]


class Statistics:
    """Answers `/v2/models[/{name}[/versions/{version}]]/stats`."""

    def __init__(self, asking: Asking, counted: Callable[[], Counted]) -> None:
        self._asking = asking
        self._counted = counted

    async def of(self, name: str | None, version: str | None) -> Reply:
        """All versions that answered live traffic or can; one of them where it is named. RequestError 404."""
        asking = self._asking
        if name is not None:
            await asking.find(name, version)
        live = [one for one in self._counted().series if one.role == "live"]
        keys = {(one.model, one.version) for one in live}
        keys |= {(one.model.version.model, number) for number, one in asking.versions().items()}
        if version:
            keys = {key for key in keys if key == (asking.model, int(version))}
        said = [
            _of_version(name or model, number, [one for one in live if (one.model, one.version) == (model, number)])
            for model, number in sorted(keys)
        ]
        return 200, JSON, msgspec.json.encode({"model_stats": said})


def _of_version(name: str, number: int, series: Sequence[Series]) -> dict[str, Any]:
    good, bad = ([one for one in series if one.status == status] for status in ("ok", "error"))
    requests = sum(one.requests for one in good)
    total, inside = sum(one.total_ns for one in good), sum(one.model_ns for one in good)
    nothing = {"count": 0, "ns": 0}
    return {
        "name": name,
        "version": str(number),
        "last_inference": max((one.last_ms for one in series), default=0),
        "inference_count": sum(one.rows for one in good),
        "execution_count": requests,
        "inference_stats": {
            "success": {"count": requests, "ns": total},
            "fail": {"count": sum(one.requests for one in bad), "ns": sum(one.total_ns for one in bad)},
            "queue": nothing,
            "compute_input": {"count": requests, "ns": max(0, total - inside)},
            "compute_infer": {"count": requests, "ns": inside},
            "compute_output": nothing,
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "response_stats": {},
        "batch_stats": [],
        "memory_usage": [],
    }
