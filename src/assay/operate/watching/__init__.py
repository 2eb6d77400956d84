"""The loop: monitors are looked at, triggers fire, and each firing becomes a story that ends in a verdict."""

__all__: list[str] = []
