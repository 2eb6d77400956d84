"""The `assay` command: finds the operation, opens the store, prints the result, and turns errors into messages.

Exit codes: 0 good, 1 the verdict is fail, 2 usage or bad input, 3 inconclusive, 4 internal error, 130 interrupted.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from assay import __version__
from assay.cli.commands import COMMANDS
from assay.cli.derive import common_options, derive
from assay.errors import AssayError, nearest
from assay.operation import OPERATIONS, Operation
from assay.progress import announcing

__all__ = ["main"]

INTERNAL_ERROR = 4
INTERRUPTED = 130
_MOST_LINES = 5
_VERDICT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    debug = "--debug" in arguments
    # Threads of the numeric libraries that wait for each other sleep instead of spinning: on a busy machine a training
    # that takes seconds took minutes.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = _root().main(arguments, prog_name="assay", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        return _say_usage(error)
    except click.ClickException as error:
        return _say(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted: what was recorded stays, a run that was going on is marked as killed", INTERRUPTED)
    except AssayError as error:
        if debug:
            traceback.print_exc()
        return _say(_short(str(error)), error.exit_code)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw is a message too, not a traceback
        if debug:
            traceback.print_exc()
        text = f"internal error: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return _say(f"{text}\n  try: the same with --debug, and report what it shows", INTERNAL_ERROR)


class _Lazy(click.Group):
    """A group that knows its commands by name and help, and imports one only to run it."""

    def __init__(self, name: str, commands: dict[str, str], prefix: str = "") -> None:
        super().__init__(
            name,
            params=[*common_options()] if not prefix else [],
            help=f"{_GROUPS[name]}." if prefix else "MLOps on evidence: every claim recomputed from the records.",
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        self._summaries = commands
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._summaries:
            return None
        full = f"{self._prefix}{cmd_name}"
        if full in COMMANDS and full not in _GROUPS:
            importlib.import_module(COMMANDS[full].module)
            return derive(OPERATIONS[full], _invoke)
        return _group(full)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self._summaries and not name.startswith("-"):
            close = nearest(name, list(self._summaries))
            hint = f"did you mean {close!r}?" if close else f"there are {', '.join(self._summaries)}"
            raise click.UsageError(f"there is no command {name!r}; {hint}", ctx)
        inside = len(args) > 1 and " ".join(args[:2]) in COMMANDS
        if not self._prefix and name in COMMANDS and name in _GROUPS and not inside:
            importlib.import_module(COMMANDS[name].module)
            own = derive(OPERATIONS[name], _invoke)  # a command that others are grouped under
            own.epilog = f"{_GROUPS[name]}:\n\n" + "\n\n".join(f"{one}  {said}" for one, said in _inside(name).items())
            return name, own, args[1:]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._summaries.items()))


def _root() -> click.Group:
    top: dict[str, str] = {}
    for name, command in COMMANDS.items():
        first, _, rest = name.partition(" ")
        top.setdefault(first, command.summary if not rest else _GROUPS[first])
    root = _Lazy("assay", top)
    return click.version_option(__version__, message="assay %(version)s")(root)


_GROUPS = {
    "alias": "Names that point to versions: move them, see where they pointed",
    "approve": "Who agreed to a version, and on what: ask, approve, reject, take back, list, show, verify",
    "card": "What cards say: write parts of them, show, compare and list them",
    "data": "Datasets: keep, check and list them, what is in them, what changed, what came of them",
    "dossier": "Technical documentation by Annex IV: write it, and what people say of its points",
    "comment": "What was said of records: list, export, import",
    "decide": "Decision records: list, show, supersede, export",
    "endpoint": "Who answers: shares of versions, shadows, workers, and which variant a unit has",
    "features": "Columns that models read: views of them, what they say, and which would help",
    "idea": "What might make a model better: write it down, try it, see what came of it",
    "incident": "What went wrong: open, list, show, note, restore, close",
    "import": "Bring over what was recorded elsewhere",
    "labels": "What really happened, learned later: load it, see what of it is there",
    "ledger": "The chain of decisions: list, verify, sign, anchor and export it, erase a person",
    "ledger key": "Keys that sign: make, list, revoke",
    "model": "A version of a model: what it is, whether it is compiled, who signed it",
    "monitor": "What is watched of models in service, and alerts: look, list, show, handle",
    "notices": "What people have to know: read it, measure it, a digest of it",
    "notify": "Who is told of what, and where",
    "predictions": "The log itself, by further commands",
    "project": "What work belongs to: begin, list, close",
    "regimes": "What applies from when, as it was known on which day: list, show",
    "release": "See, stop, resume, end and check releases",
    "objective": "What models are for: KPI, values by month, reviews and who decides",
    "role": "Who has which role for which model: grant, list, end",
    "test": "Online tests: begin one, look at it, give it more traffic, end it",
    "triggers": "What starts a training by itself: list, fire, history, drills",
    "watch": "The loop: list, tell and stop retrainings",
    "time": "Where time goes: start and stop a clock, enter hours, report",
}


def _group(name: str) -> click.Group:
    return _Lazy(name, _inside(name), prefix=f"{name} ")


def _inside(name: str) -> dict[str, str]:
    """Commands and groups directly below a group."""
    found: dict[str, str] = {}
    for full, command in COMMANDS.items():
        if full.startswith(f"{name} "):
            first, _, rest = full.removeprefix(f"{name} ").partition(" ")
            found.setdefault(first, _GROUPS[f"{name} {first}"] if rest else command.summary)
    return found


def _invoke(operation: Operation, given: dict[str, object]) -> None:
    from assay.record.live.server_calls import is_server
    from assay.record.location import open_store, stated_location

    context = click.get_current_context()
    outer = context.find_root().params
    location = given.pop("store") or outer.get("store")
    as_json = bool(given.pop("as_json")) or bool(outer.get("as_json"))
    given.pop("debug")
    announced = []

    def show_begun(begun: object) -> None:
        announced.append(begun)
        _print(begun, as_json)

    location = location or stated_location()
    if is_server(location):
        result = _on_server(operation, str(location), given)
        _print(result, as_json)
        context.exit(_code_of(result))
    if operation.check is not None:
        operation.check(**given)
    with _progress(as_json):
        store = open_store(str(location) if location else None, create=operation.creates_store)
    try:
        with _progress(as_json), announcing(show_begun):
            result = operation.function(store, **given)
    finally:
        store.close()
    if not (announced and as_json):  # one document: what was announced is the one
        _print(result, as_json)
    context.exit(_code_of(result))


def _on_server(operation: Operation, url: str, given: dict[str, object]) -> object:
    """Do the operation where the records are, and read its result back as what it returns here."""
    import typing

    import msgspec

    from assay.record.live.server_calls import call_operation

    if operation.on_server is not None:
        return operation.on_server(url, **given)
    answer = call_operation(url, operation.name, given)
    return msgspec.json.decode(answer, type=typing.get_type_hints(operation.function)["return"])


def _print(result: object, as_json: bool) -> None:
    from assay.cli import render

    try:
        render.show(result, as_json=as_json)
    except BrokenPipeError:  # `assay runs | head`: nobody reads on, and that is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _code_of(result: object) -> int:
    if getattr(result, "sound", True) is False or getattr(result, "reproduced", None) is False:
        return 1
    return _VERDICT_CODES.get(getattr(result, "verdict", "pass"), 0)


@contextmanager
def _progress(as_json: bool) -> Iterator[None]:
    """Progress on a terminal; quiet in a pipe and beside JSON that a person reads there."""
    if not sys.stderr.isatty() or as_json:
        yield
        return
    from assay.cli.progress import shown

    with shown():
        yield


def _say_usage(error: click.UsageError) -> int:
    command = error.ctx.command_path if error.ctx is not None else "assay"
    return _say(f"{error.format_message()}\n  try: {command} --help", error.exit_code)


def _short(message: str) -> str:
    """The first line, which says what was wrong, and the last ones, as of a server that could not start."""
    first, *rest = message.splitlines() or [""]
    return "\n".join([first, *rest[-(_MOST_LINES - 1) :]])


def _say(text: str, code: int) -> int:
    click.echo(text if text.startswith("interrupted") else f"assay: {text}", err=True)
    return code
