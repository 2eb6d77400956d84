"""A click command from an operation: its arguments, options and help come from the function alone."""

import inspect
import json
import types
import typing
from collections.abc import Callable

import click

from assay.operation import Operation

__all__ = ["common_options", "derive"]

Invoke = Callable[[Operation, dict[str, object]], None]


def derive(operation: Operation, invoke: Invoke) -> click.Command:
    """The command of an operation; `invoke` is called with the values a user gave."""
    hints = typing.get_type_hints(operation.function, include_extras=True)
    signature = inspect.signature(operation.function)
    parameters: list[click.Parameter] = []
    for parameter in list(signature.parameters.values())[1:]:  # the first one is the store
        hint, required = hints[parameter.name], parameter.default is inspect.Parameter.empty
        if hint in (list[str], list[str] | None) and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            parameters.append(click.Argument([parameter.name], nargs=-1, required=required, callback=_listed))
            continue
        if hint == list[dict[str, typing.Any]]:
            parameters.append(click.Argument([parameter.name], type=_Rows()))
            continue
        kind, text = _type_and_help(hints[parameter.name])
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            parameters.append(_option(parameter, kind, text))
        else:
            parameters.append(click.Argument([parameter.name], type=kind, required=required))

    def callback(**given: object) -> None:
        invoke(operation, given)

    return click.Command(
        operation.name.rpartition(" ")[2],
        callback=callback,
        params=[*parameters, *common_options()],
        help=_help(operation),
        short_help=operation.summary,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def common_options() -> list[click.Option]:
    """What every command accepts."""
    return [
        click.Option(["--store"], metavar="PLACE", help="Folder, postgresql://... or http://server of the store."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
        click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."),
    ]


class _Rows(click.ParamType[object]):
    """A JSON list of objects, or one object."""

    name = "JSON"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """The rows; a usage error where the text is something else."""
        try:
            rows = json.loads(str(value))
        except json.JSONDecodeError as error:
            self.fail(f"it is not JSON: {error}", param, ctx)
        rows = [rows] if isinstance(rows, dict) else rows
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.fail("it is not a list of JSON objects", param, ctx)
        return rows


def _listed(context: click.Context, argument: click.Parameter, values: tuple[str, ...]) -> list[str]:  # noqa: ARG001
    return list(values)


def _help(operation: Operation) -> str:
    """The docstring without what only callers from Python meet: the names of exceptions."""
    paragraphs = inspect.cleandoc(operation.function.__doc__ or "").split("\n\n")
    return "\n\n".join(paragraph for paragraph in paragraphs if not paragraph.startswith("Raises "))


def _option(parameter: inspect.Parameter, kind: type, text: str) -> click.Option:
    name = f"--{parameter.name.rstrip('_').replace('_', '-')}"  # `for_` is --for
    text = f"{text}." if text else ""
    if kind is list:
        return click.Option([name, parameter.name], multiple=True, default=(), callback=_listed, help=text)
    if kind is bool:
        return click.Option([name, parameter.name], is_flag=True, default=bool(parameter.default), help=text)
    has_default = parameter.default not in (None, "")
    names = [name, *(["-o"] if name == "--output" else []), parameter.name]
    return click.Option(names, type=kind, default=parameter.default, show_default=has_default, help=text)


def _type_and_help(hint: object) -> tuple[type, str]:
    text = ""
    if typing.get_origin(hint) is typing.Annotated:
        hint, text = typing.get_args(hint)
    if hint == list[str]:
        return list, text
    if isinstance(hint, types.UnionType):
        (hint,) = (argument for argument in typing.get_args(hint) if argument is not type(None))
    assert hint in (str, int, float, bool), f"an operation takes plain values, not {hint}"
    return typing.cast(type, hint), text
