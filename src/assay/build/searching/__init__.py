"""Search for good settings: what is tried next, what was tried, and when it is enough."""

__all__: list[str] = []
