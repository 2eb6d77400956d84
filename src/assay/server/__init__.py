"""Floor 6: the control plane. What every tool that logs with MLflow talks to, and the pages that people look at."""

from assay.server.serve import ServerEnded, server

__all__ = ["ServerEnded", "server"]
