"""A year of flights in a project whose loop runs by itself: `assay watch` looks every night, as it would have in 2013.

The project is that of a user: the folder `project` beside this file. Two accidents happen in it. In comparison stand a
model that is never trained again, and one that is trained on the first of each month without being asked.
"""

__all__: list[str] = []
