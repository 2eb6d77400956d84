"""Features of entities for requests: read as of a moment, and what was served compared with what training would see."""

__all__: list[str] = []
