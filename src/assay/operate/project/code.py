"""The functions of a project's own file."""

import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from assay.build.steps.code_files import error_text, load_file
from assay.errors import AssayError, InvalidInput, nearest
from assay.operate.project.settings import ProjectFile

__all__ = ["GIVEN", "called_with", "calling", "check_param", "function_of", "load_code", "params_taken"]

GIVEN = ("table", "features", "label", "task", "seed")  # what a function may ask for by name; the rest are params


def load_code(project: ProjectFile) -> ModuleType | None:
    """The module of the file that `[model] code` names; None where an estimator is named instead.

    Its folder becomes importable, so that helpers beside it are found, here and in the processes of an executor.
    InvalidInput with the file and the line of what is wrong in it.
    """
    if project.model.code is None:
        return None
    return load_file(project.folder / project.model.code, project.model.code, project.where("model", "code"))


def function_of(project: ProjectFile, module: ModuleType, name: str, *, needed: bool) -> Callable[..., Any] | None:
    """A function of the module; InvalidInput where a needed one is missing, or the name is no function."""
    found = getattr(module, name, None)
    if found is None and not needed:
        return None
    if not callable(found):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        close = nearest(name, names)
        raise InvalidInput(
            f"{project.model.code} has no function {name!r}",
            where=project.where("model", "code"),
            expected=f"def {name}(table, features, label): ...",
            hint=f"did you mean {close!r}?" if close else None,
        )
    return found  # type: ignore[no-any-return] # callable, whatever it takes


def called_with(
    project: ProjectFile, function: Callable[..., Any], given: Mapping[str, object], params: Mapping[str, object]
) -> dict[str, object]:
    """The arguments of a call: what it asks for by name, and the params it takes.

    InvalidInput for a param that no argument stands for (it names the nearest), and an argument that nothing gives.
    """
    signature = inspect.signature(function)
    names = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_POSITIONAL]
    own = params_taken(function)
    for key in params:
        check_param(key, own, function.__name__, project.where("params", key))
    lacking = [
        one.name
        for one in names
        if one.default is inspect.Parameter.empty
        and one.kind is not inspect.Parameter.VAR_KEYWORD
        and one.name not in {**given, **params}
    ]
    if lacking:
        raise InvalidInput(
            f"{function.__name__} asks for {lacking[0]!r}, which nothing gives",
            where=project.where("params"),
            expected=f"{lacking[0]} = ... in [params], or one of {', '.join(given)}",
        )
    asked = {one.name for one in names}
    return {**{key: value for key, value in given.items() if key in asked}, **params}


def params_taken(function: Callable[..., Any]) -> list[str] | None:
    """The params of a function, which are what it is not given by name; None where it takes any."""
    takes = inspect.signature(function).parameters.values()
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes):
        return None
    return [one.name for one in takes if one.kind is not inspect.Parameter.VAR_POSITIONAL and one.name not in GIVEN]


def check_param(key: str, own: Sequence[str] | None, who: str, where: str) -> None:
    """InvalidInput, with the nearest, for a param that is not among those that are taken; None stands for any."""
    if own is not None and key not in own:
        close = nearest(key, list(own))
        raise InvalidInput(
            f"{who} takes no param {key!r}",
            where=where,
            expected=", ".join(own) or "none",
            hint=f"did you mean {close!r}?" if close else None,
        )


@contextmanager
def calling(project: ProjectFile, name: str) -> Iterator[None]:
    """Around a call of a project's own code, here or in another process: what it raises is told with file and line.

    InvalidInput for whatever it raises. Assay's own errors pass; one that says no place gets the line that called.
    """
    try:
        yield
    except AssayError as error:
        line = _line_below(error, project.folder)
        if type(error) is InvalidInput and error.where is None and line is not None:
            raise error.at(line) from error
        raise
    except Exception as error:  # whatever their code raises
        raise InvalidInput(
            f"{name} raised {error_text(error)}",
            where=_line_below(error, project.folder) or project.where("params"),
            hint=f"`assay why {name}` says what it was given, `assay run --debug` shows the whole traceback",
        ) from error


def _line_below(error: Exception, folder: Path) -> str | None:
    """The innermost line of a project's file that an error came through: a worker's traceback stands in a note."""
    found = None
    for file, line in re.findall(r'^ *File "([^"]+)", line (\d+)', "".join(traceback.format_exception(error)), re.M):
        path = Path(file)
        if path.is_relative_to(folder) and "site-packages" not in path.parts:
            found = f"{path.relative_to(folder)}, line {line}"
    return found
