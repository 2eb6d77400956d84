"""Monitors: what is watched of a model in service, window by window, and what each check found."""

__all__: list[str] = []
