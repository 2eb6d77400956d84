"""Triggers: what starts a training by itself, when it may, and the record of each time it did."""

__all__: list[str] = []
