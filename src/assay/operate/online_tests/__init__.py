"""A/B and shadow tests at an endpoint: defined, planned, read at any time."""

__all__: list[str] = []
