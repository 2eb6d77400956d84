"""How bad something is, in three steps."""

from typing import Literal, get_args

from assay.errors import InvalidInput

__all__ = ["SEVERITIES", "Severity", "checked_severity", "rank"]

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


def checked_severity(given: str) -> Severity:
    """What was given, if it is one; InvalidInput otherwise."""
    found = next((one for one in SEVERITIES if one == given), None)
    if found is None:
        raise InvalidInput(f"there is no severity {given!r}", expected=" | ".join(SEVERITIES))
    return found


def rank(severity: object) -> int:
    """0 for `info` and for whatever is none, 1 for `warning`, 2 for `critical`."""
    return next((number for number, one in enumerate(SEVERITIES) if one == severity), 0)
