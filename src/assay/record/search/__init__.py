"""Questions about records: a filter, an order, a page of answers."""

__all__: list[str] = []
