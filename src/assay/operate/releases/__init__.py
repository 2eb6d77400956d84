"""Rollouts: from shadow to promotion on evidence, and back on proven harm."""

__all__: list[str] = []
