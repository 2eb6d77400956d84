"""Which versions answer, and for whom."""

__all__: list[str] = []
