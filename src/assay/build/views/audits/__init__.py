"""Whether the values of a training set were known at their time."""

__all__: list[str] = []
