"""How others ask an endpoint: protocols of other servers, each over the same engine."""

__all__: list[str] = []
