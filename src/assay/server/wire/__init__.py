"""MLflow's tracking and registry protocol: requests, answers, and one handler for each endpoint.

Handlers are plain functions of a call and a request; they ask the record and say what it answers in the wire's words.
"""

from assay.server.wire.call import Call, Settings
from assay.server.wire.endpoints import ENDPOINTS
from assay.server.wire.errors import WireError

__all__ = ["ENDPOINTS", "Call", "Settings", "WireError"]
