"""Models in memory and as folders."""

__all__: list[str] = []
