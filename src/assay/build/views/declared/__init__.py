"""Feature views as they are declared, and their rows in one form."""

__all__: list[str] = []
