"""Metrics as people write them: `[metrics.NAME]` in a file of their own, `[tests.metrics.NAME]` in `assay.toml`."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from assay.errors import InvalidInput, NotFound, nearest
from assay.operate.online_tests.metric import Metric, check_metrics
from assay.record.location import PROJECT_FILE, find_project
from assay.record.toml_text import parse_toml, place, read_text

__all__ = ["TestsPart", "chosen_metrics", "load_metrics"]


class TestsPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a project says about its online tests: the metrics by name."""

    __test__ = False  # pytest takes it for tests otherwise

    metrics: dict[str, Metric] = {}


class _Project(msgspec.Struct, frozen=True):
    tests: TestsPart = TestsPart()


def load_metrics(path: str | Path | None = None) -> list[Metric]:
    """The metrics of a file, or of the nearest `assay.toml`; InvalidInput with file, line and key for what is wrong."""
    file = Path(path) if path is not None else find_project()
    if file is None:
        raise NotFound(
            f"there is no {PROJECT_FILE} here or above that says what to measure",
            where=str(Path.cwd()),
            hint="--metrics FILE, with a table [metrics.NAME] for each",
        )
    text = read_text(file, "metrics file")
    if file.name == PROJECT_FILE:
        keys, metrics = ["tests", "metrics"], parse_toml(text, file.name, _Project, "project file").tests.metrics
    else:
        keys, metrics = ["metrics"], parse_toml(text, file.name, TestsPart, "metrics file").metrics
    found = []
    for name, metric in metrics.items():
        named = msgspec.structs.replace(metric, name=name)
        try:
            check_metrics([named])
        except InvalidInput as error:
            raise error.at(place(text, file.name, [*keys, name])) from None
        found.append(named)
    if not found:
        raise InvalidInput("no metric is defined", where=file.name, expected=f"[{'.'.join(keys)}.NAME]")
    return found


def chosen_metrics(known: Sequence[Metric], success: Sequence[str], guardrails: Sequence[str]) -> list[Metric]:
    """Those that are named, in the role under which they are; all of them, in their own, where none is named."""
    if not success and not guardrails:
        return list(known)
    by_name = {metric.name: metric for metric in known}
    chosen = []
    for role, names in (("success", success), ("guardrail", guardrails)):
        for name in names:
            if name not in by_name:
                close = nearest(name, list(by_name))
                raise NotFound(
                    f"there is no metric {name!r}",
                    expected=", ".join(by_name),
                    hint=f"did you mean {close!r}?" if close else None,
                )
            chosen.append(msgspec.structs.replace(by_name[name], role=role))
    check_metrics(chosen)
    return chosen
