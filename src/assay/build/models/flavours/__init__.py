"""One module for each library whose models are kept in a form of their own."""

__all__: list[str] = []
