"""Feature views: one definition for training and serving, joined as of the right moment."""

__all__: list[str] = []
