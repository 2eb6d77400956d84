"""The newest rows of feature views by entity, for requests: stores and the one rule by which rows come into them."""

__all__: list[str] = []
