"""From a table to a fitted model, with baselines beside it."""

__all__: list[str] = []
