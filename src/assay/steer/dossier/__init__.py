"""The file for Annex IV of the EU AI Act, point by point with how each is covered; regimes as dated data."""

__all__: list[str] = []
