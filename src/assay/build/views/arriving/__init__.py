"""How rows come into the log and the online store."""

__all__: list[str] = []
