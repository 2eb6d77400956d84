"""Who agreed to a version going live, and on what: approvals bound to all that they were given on.

A request shows its subject in parts, each with its hash. People who may say yes or no do so in rows that are never
changed. What stands at a moment is computed from these rows and from the subject as it is then, so that any change of
a part voids what was agreed. Below promotion, which asks whether a version may go.
"""

__all__: list[str] = []
