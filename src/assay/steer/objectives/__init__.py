"""Objectives: what a model is for, what it is worth by month, when that has to be looked at again, and who decides."""

__all__: list[str] = []
