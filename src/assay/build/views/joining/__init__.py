"""Training sets: label rows with features as they were at their time."""

__all__: list[str] = []
