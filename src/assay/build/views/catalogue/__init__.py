"""Which feature views there are, who uses them, and what is there twice."""

__all__: list[str] = []
