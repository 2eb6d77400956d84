"""What happened to a run: experiments, runs, params, metrics, tags; whose work it was and how long it took."""

__all__: list[str] = []
