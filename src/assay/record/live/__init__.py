"""Runs that log without waiting: a journal, a thread that empties it into a store, and what was left behind."""

__all__: list[str] = []
