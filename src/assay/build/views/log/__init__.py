"""All rows of views that came, in the order in which they came."""

__all__: list[str] = []
