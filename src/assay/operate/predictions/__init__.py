"""What was answered: a log that loses nothing."""

__all__: list[str] = []
