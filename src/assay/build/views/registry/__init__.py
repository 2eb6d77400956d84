"""Versions of feature views in a store, and what their sources hold."""

__all__: list[str] = []
