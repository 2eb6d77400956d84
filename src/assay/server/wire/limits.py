"""What MLflow's wire takes: lengths, names, numbers of things, in its words. The store itself keeps longer values."""

import posixpath
import re

from assay.server.wire.errors import WireError, invalid, shown, unfit

__all__ = [
    "MOST_BODY_BYTES",
    "MOST_PARAM_LENGTH",
    "MOST_TAG_LENGTH",
    "check_batch",
    "check_experiment_name",
    "check_experiment_tag",
    "check_key",
    "check_length",
    "check_registry_tag",
    "page_size",
    "too_large",
]

MOST_BODY_BYTES = 16 * 1024 * 1024
MOST_PARAM_LENGTH = 6_000
MOST_TAG_LENGTH = 8_000
_MOST_KEY = 250
_MOST_EXPERIMENT_NAME = 500
_MOST_EXPERIMENT_TAG = 20_000
_MOST_REGISTRY_TAG = 100_000
_MOST_METRICS = 1_000
_MOST_PARAMS = 100
_ALLOWED = re.compile(r"[/\w.\- :]*")


def too_large(most: int) -> WireError:
    """A body that is not read to its end."""
    return WireError(
        413, "INVALID_PARAMETER_VALUE", f"the request is larger than {most} bytes; send it in smaller parts"
    )


def check_key(name: str, parameter: str, entity: str) -> None:
    """The name of a metric, param or tag; `parameter` is what the message calls the field, `entity` the thing."""
    if not _ALLOWED.fullmatch(name):
        raise invalid(
            f"Invalid value {shown(name)} for parameter '{parameter}' supplied: Names may only contain alphanumerics, "
            "underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )
    normal = posixpath.normpath(name)
    if name != normal or normal == "." or normal.startswith(("..", "/")):
        raise invalid(
            f"Invalid value {shown(name)} for parameter '{parameter}' supplied: Names may be treated as files in "
            "certain cases, and must not resolve to other names when treated as such. "
            f"This name would resolve to {normal!r}"
        )
    check_length(entity, name, _MOST_KEY)


def check_length(entity: str, value: str | None, most: int) -> None:
    """Text that is longer is refused."""
    if value is not None and len(value) > most:
        raise invalid(f"'{entity}' exceeds the maximum length of {most} characters")


def check_experiment_name(name: str) -> None:
    """The name of an experiment."""
    check_length("name", name, _MOST_EXPERIMENT_NAME)


def check_experiment_tag(key: str, value: str) -> None:
    """A tag of an experiment."""
    check_key(key, "key", "key")
    check_length("value", value, _MOST_EXPERIMENT_TAG)


def check_registry_tag(key: str, value: str) -> None:
    """A tag of a registered model or of a version."""
    check_key(key, "key", "key")
    check_length("value", value, _MOST_REGISTRY_TAG)


def check_batch(metrics: int, params: int, tags: int) -> None:
    """How much one batch may hold."""
    counts = (
        ("metrics", _MOST_METRICS, metrics),
        ("params", _MOST_PARAMS, params),
        ("tags", _MOST_PARAMS, tags),
        ("metrics, params, and tags", _MOST_METRICS, metrics + params + tags),
    )
    for what, most, count in counts:
        if count > most:
            raise invalid(
                f"A batch logging request can contain at most {most} {what}. Got {count} {what}. "
                f"Please split up {what} across multiple requests and try again."
            )


def page_size(given: int | None, default: int, most: int) -> int:
    """How many rows a page may have: at least 1."""
    size = default if given is None else given
    if size < 1:
        raise invalid(f"Invalid value {size} for parameter 'max_results' supplied. It must be a positive integer")
    if size > most:
        raise unfit("max_results", size)
    return size
