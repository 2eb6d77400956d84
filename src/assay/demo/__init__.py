"""A guest above the rooms: the project of a user who predicts late flights, from raw tables to a second champion.

Its operation is loaded when it is first used: the steps of `pipeline` depend on the code they import, not on all rooms.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.demo.operation import DemoResult, demo

__all__ = ["DemoResult", "demo"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.operation"), name)
