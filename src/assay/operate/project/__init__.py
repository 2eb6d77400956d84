"""A user's project: `assay.toml`, their functions or SQL, and the way from data to a candidate that was judged."""

__all__: list[str] = []
