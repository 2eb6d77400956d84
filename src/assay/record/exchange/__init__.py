"""Runs and models brought in from elsewhere, and given away as files."""

__all__: list[str] = []
