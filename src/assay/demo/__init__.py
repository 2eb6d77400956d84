"""A guest above the rooms: the project of a user who predicts late flights, from raw tables to a second champion."""

__all__: list[str] = []
