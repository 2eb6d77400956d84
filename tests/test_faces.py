"""One operation, one definition: the command line offers what Python offers, under the same words."""

import importlib
import inspect
import pkgutil
import types
import typing

import click
import pytest

import assay
from assay.cli.commands import COMMANDS
from assay.cli.main import _GROUPS, run
from assay.operation import OPERATIONS

PLAIN = (str, int, float, bool)


@pytest.fixture(autouse=True, scope="module")
def _everything_is_imported() -> None:
    for found in pkgutil.walk_packages(assay.__path__, "assay."):
        if "migrations" not in found.name and found.name != "assay.__main__":
            importlib.import_module(found.name)
    for command in COMMANDS.values():
        importlib.import_module(command.module)


def _help(capsys: pytest.CaptureFixture[str], command: str) -> str:
    assert run([*command.split(), "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


def test_the_commands_are_the_operations() -> None:
    assert COMMANDS.keys() == OPERATIONS.keys()
    assert list(COMMANDS) == sorted(COMMANDS)
    words = [name.split() for name in COMMANDS]
    assert {" ".join(one[:count]) for one in words for count in range(1, len(one))} == _GROUPS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_lives_where_it_is_said_and_has_its_summary(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation.function.__module__ == COMMANDS[name].module
    assert operation.summary == COMMANDS[name].summary
    assert operation.name == name
    first = inspect.cleandoc(operation.function.__doc__ or "").splitlines()[0]
    assert first == f"{COMMANDS[name].summary}."


@pytest.mark.parametrize("name", COMMANDS)
def test_an_operation_is_reachable_in_python(name: str) -> None:
    function = OPERATIONS[name].function
    face = [getattr(assay, public) for public in assay.__all__]
    room = importlib.import_module(".".join(function.__module__.split(".")[:2]))
    assert function in face or function in [getattr(room, public) for public in room.__all__]
    assert function.__name__ in importlib.import_module(function.__module__).__all__


@pytest.mark.parametrize("name", COMMANDS)
def test_an_operation_takes_a_store_and_plain_values_and_returns_what_can_be_printed(name: str) -> None:
    function = OPERATIONS[name].function
    hints = typing.get_type_hints(function)
    first, *others = inspect.signature(function).parameters.values()
    assert (first.name, hints["store"].__name__) == ("store", "Store")
    for parameter in others:
        hint = hints[parameter.name]
        options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kinds = {*PLAIN, list[str], list[dict[str, typing.Any]]}
        assert set(options) - {types.NoneType} <= kinds, f"{name}: {parameter.name}"
        is_option = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        allowed = (
            parameter.default is not inspect.Parameter.empty
            if is_option
            else parameter.default
            in (
                inspect.Parameter.empty,
                None,
            )
        )
        assert allowed, "an option has a default, an argument is required or may be left out"
        assert (types.NoneType in options) == (parameter.default is None)
    result = hints["return"]
    result, *instead = typing.get_args(result) or (result,)
    assert all(one is types.NoneType or typing.get_args(one) == (result,) for one in instead), "or nothing, or many"
    assert hasattr(result, "__struct_fields__")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_names_all_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = _help(capsys, name)
    assert " ".join(text.split()).startswith(f"Usage: assay {name} [OPTIONS]")
    assert COMMANDS[name].summary.split(";")[0] in " ".join(text.split())
    for parameter in list(inspect.signature(OPERATIONS[name].function).parameters.values())[1:]:
        is_option = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert (f"--{parameter.name.rstrip('_').replace('_', '-')}" if is_option else parameter.name.upper()) in text
    for option in ("--json", "--store PLACE", "--debug"):
        assert option in text
    assert "Raises" not in text


def test_every_option_says_what_it_is_for() -> None:
    from assay.cli.derive import derive

    for name, operation in OPERATIONS.items():
        for parameter in derive(operation, lambda *_: None).params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name}: {parameter.name}"
                assert parameter.help.endswith("."), f"{name}: {parameter.name}"


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(_help(capsys, "").split())
    for name, command in COMMANDS.items():
        if " " not in name:
            assert f"{name} {command.summary}" in text
    for group, summary in _GROUPS.items():
        above, _, own = group.rpartition(" ")
        assert group in COMMANDS or f"{own} {summary}" in (" ".join(_help(capsys, above).split()) if above else text)
        inside = " ".join(_help(capsys, group).split())
        for name, command in COMMANDS.items():
            if name.startswith(f"{group} ") and " " not in name.removeprefix(f"{group} "):
                assert f"{name.removeprefix(group).strip()} {command.summary}" in inside


def test_parameters_of_other_kinds_are_a_mistake_of_the_programmer() -> None:
    from assay.cli.derive import derive
    from assay.operation import Operation

    def bad(store: object, values: list[int]) -> None:
        """Take what no command line can give."""

    with pytest.raises(AssertionError, match="an operation takes plain values"):
        derive(Operation("bad", bad, False), lambda *_: None)
