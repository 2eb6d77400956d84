"""Telling others: events kept with the change they tell of, and delivered to webhooks at least once."""

__all__: list[str] = []
