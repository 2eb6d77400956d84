"""A guest above the rooms: the project of a user who predicts late flights, from raw tables to a second champion."""

from assay.demo.operation import DemoResult, demo

__all__ = ["DemoResult", "demo"]
