"""The model repository extension: which versions there are, and versions loaded and unloaded by hand.

A version that was loaded answers under `/versions/{number}` and nowhere else: the route is not changed. Which version
is meant stands in the parameter `version`, or in a `config` with a version policy, as clients of other servers send it;
without one the newest is loaded, and all that were loaded are unloaded.
"""

import asyncio
from typing import Any

import msgspec

from assay.errors import InvalidInput
from assay.operate.serving.engine import RequestError
from assay.operate.serving.protocols.asking import JSON, Asking, Reply

__all__ = ["Repository"]

_SHOWN = 100  # characters of somebody else's text in a message


class _Call(msgspec.Struct):
    parameters: dict[str, Any] | None = None
    ready: bool | None = None


class _Chosen(msgspec.Struct):
    versions: list[int] = []


class _Policy(msgspec.Struct):
    specific: _Chosen | None = None


class _Config(msgspec.Struct):
    version_policy: _Policy | None = None


class Repository:
    """Answers `/v2/repository/...`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def index(self, body: bytes) -> Reply:
        """All versions of the champion's model; those in memory are READY. `{"ready": true}` asks for these alone."""
        only_ready = _call(body).ready
        asking = self._asking
        there = asking.versions()
        rows = await asyncio.to_thread(_numbers, asking)
        named = asking.by_hand.named()
        listed = []
        for number, mv_id in rows:
            ready = number in there or mv_id in named
            if ready or not only_ready:
                state = {"state": "READY", "reason": ""} if ready else {"state": "UNAVAILABLE", "reason": "not loaded"}
                listed += [{"name": name, "version": str(number), **state} for name in asking.names]
        return 200, JSON, msgspec.json.encode(listed)

    async def load(self, name: str, body: bytes) -> Reply:
        """Load a version; one that has a share of the traffic is in memory already."""
        asking = self._asking
        asking.check_name(name)
        number = _version(_call(body))
        if number is None:
            number = max(one for one, _ in await asyncio.to_thread(_numbers, asking))
        if number not in asking.versions():
            await asking.by_hand.load(asking.model, number)
        return 200, JSON, b"{}"

    async def unload(self, name: str, body: bytes) -> Reply:
        """Let go of a version that was loaded by hand. RequestError 400 for one that the route names."""
        asking = self._asking
        asking.check_name(name)
        number = _version(_call(body))
        if not await asking.by_hand.unload(asking.model, number) and number in asking.routed():
            raise RequestError(400, f"version {number} answers by the route, which this does not change")
        return 200, JSON, b"{}"


def _numbers(asking: Asking) -> list[tuple[int, str]]:
    where = {"model": asking.model, "deleted": None}
    rows = asking.engine.watcher.store.query("model_version", where, order_by=["version"])
    return [(row["version"], row["mv_id"]) for row in rows]


def _call(body: bytes) -> _Call:
    if not body.strip():
        return _Call()
    try:
        return msgspec.json.decode(body, type=_Call)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the request cannot be read: {error}") from None


def _version(call: _Call) -> int | None:
    parameters = call.parameters or {}
    said = parameters.get("version")
    if said is None and parameters.get("config") is not None:
        try:
            policy = msgspec.json.decode(str(parameters["config"]), type=_Config).version_policy
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"the config cannot be read: {error}") from None
        versions = policy.specific.versions if policy and policy.specific else []
        if len(versions) > 1:
            raise InvalidInput(f"{len(versions)} versions are named", expected="one at a time")
        said = versions[0] if versions else None
    if said is None:
        return None
    text = str(said)
    if not text.isdecimal() or len(text) > 9:
        raise InvalidInput(f"version {text[:_SHOWN]!r} is no version", expected="a number, such as 3")
    return int(text)
