"""Features: declared once for training and serving, suggested, and looked at."""

__all__: list[str] = []
