"""Which rows of a view count for each label row: the one place where that is decided."""

__all__: list[str] = []
