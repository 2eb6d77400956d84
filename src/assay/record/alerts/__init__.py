"""What somebody has to look at: alerts with an owner, and incidents, from the harm to what was learnt."""

__all__: list[str] = []
