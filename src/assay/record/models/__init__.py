"""Models by name: sealed versions, what points to them, and what relies on them."""

__all__: list[str] = []
