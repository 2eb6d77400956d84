"""What goes for good: which rows, which blobs, and what forbids it."""

__all__: list[str] = []
