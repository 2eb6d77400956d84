"""What really happened, learned later."""

__all__: list[str] = []
