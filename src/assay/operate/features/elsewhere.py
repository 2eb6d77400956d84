"""Where a reading is done: here, or in a thread where it waits for a network."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["elsewhere"]

Result = TypeVar("Result")


async def elsewhere(is_remote: bool, call: Callable[..., Result], *arguments: object) -> Result:
    """What the call gives, at once, or from a thread while others are answered where it waits for a network."""
    return await asyncio.to_thread(call, *arguments) if is_remote else call(*arguments)
