"""Functions that remember: their key, their record, and why they ran."""

__all__: list[str] = []
