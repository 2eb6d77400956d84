"""The project of the year: its files are copied to where it is replayed, as a user would have them."""

__all__: list[str] = []
