"""Who reads the rows of feature views and brings them to the label rows; which row counts is decided in matching.py."""

__all__: list[str] = []
