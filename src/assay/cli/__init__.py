"""Floor 7: the `assay` command. It calls operations of the rooms below and prints what they return."""

__all__: list[str] = []
