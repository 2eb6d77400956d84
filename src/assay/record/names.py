"""What may be a name: keys of params, metrics and tags as every tracking client knows them, with its words."""

import posixpath
import re
from collections.abc import Mapping

from assay.errors import InvalidInput

__all__ = ["MAX_KEY", "check_experiment_name", "check_key", "check_tags"]

MAX_KEY = 250
_MAX_EXPERIMENT = 500
_ALLOWED = re.compile(r"[/\w.\- :]*")


def check_key(what: str, key: str) -> None:
    """InvalidInput unless `key` may name a `what`: param, metric or tag."""
    if not key:
        raise InvalidInput(f"a {what} has an empty name", expected=f"1 to {MAX_KEY} characters")
    if len(key) > MAX_KEY:
        raise InvalidInput(f"{what} name '{key}' has {len(key)} characters", expected=f"at most {MAX_KEY}")
    if not _ALLOWED.fullmatch(key):
        raise InvalidInput(
            f"Invalid {what} name: '{key}'",
            expected="alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colons (:) and slashes (/)",
        )
    if key != posixpath.normpath(key) or key.startswith(("/", "..")) or key == ".":
        normal = posixpath.normpath(key).strip("/.")
        raise InvalidInput(f"Invalid {what} name: '{key}'", expected=f"names are paths, such as '{normal}'")


def check_experiment_name(name: str) -> None:
    """InvalidInput unless `name` may name an experiment."""
    if not name.strip() or "\x00" in name:
        raise InvalidInput(f"Invalid experiment name: {name!r}", expected="at least one character that can be seen")
    if len(name) > _MAX_EXPERIMENT:
        raise InvalidInput(f"the experiment's name has {len(name)} characters", expected=f"at most {_MAX_EXPERIMENT}")


def check_tags(said: str, tags: Mapping[str, str], longest_key: int, longest_value: int | None = None) -> None:
    """InvalidInput for a tag whose name or value is too long, or that has no name; `{}` in `said` is its name."""
    for key, value in tags.items():
        what = said.replace("{}", repr(key))
        if not key or len(key) > longest_key:
            raise InvalidInput(what, expected=f"a name of 1 to {longest_key} characters")
        if longest_value is not None and len(value) > longest_value:
            raise InvalidInput(f"{what} is too long", expected=f"at most {longest_value} characters")
