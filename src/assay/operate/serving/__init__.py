"""Endpoints over HTTP."""

__all__: list[str] = []
