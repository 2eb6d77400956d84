"""What people say to each other about records: comments, questions, decisions; and who had to know what."""

__all__: list[str] = []
