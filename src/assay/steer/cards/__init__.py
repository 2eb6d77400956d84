"""Cards of models and datasets: written from the records, with what only people can say asked for."""

__all__: list[str] = []
