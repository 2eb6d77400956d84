import importlib
import re
import sys
from types import UnionType
from typing import get_args, get_origin, get_type_hints

import msgspec
import pytest

from assay.cli.commands import COMMANDS
from assay.cli.render import LIST_RENDERERS, RENDERERS, show
from assay.cli.tables import number, when
from assay.operate.doctor import Examination
from assay.operation import OPERATIONS


@pytest.fixture
def _every_operation() -> None:
    for command in COMMANDS.values():
        importlib.import_module(command.module)


class Plain(msgspec.Struct, frozen=True):
    long_name: str
    count: int


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (26755.0, 4, "26755"),
        (0.0, 4, "0"),
        (-3.0, 4, "-3"),
        (0.123456, 4, "0.1235"),
        (0.1234567, 6, "0.123457"),
        (1e300, 4, "1e+300"),
        (2.0**52, 4, "4503599627370496"),
        (float("nan"), 4, "nan"),
    ],
)
def test_whole_numbers_are_shown_in_full(value: float, digits: int, shown: str) -> None:
    assert number(value, digits) == shown


def test_a_time_is_shown_to_the_second() -> None:
    assert when("2013-08-01T09:30:00.123456Z") == "2013-08-01 09:30:00"


def test_a_result_without_a_form_of_its_own_is_shown_by_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    show(Plain("[b]x[/b]", 3), as_json=False)
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines() if line.strip()] == [["long", "name", "[b]x[/b]"], ["count", "3"]]


def test_problems_and_mended_things_are_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    show(Examination(False, ["a :bug:", "b [x]"], ["c"], ["d"], 1, 2, 3, 4000), as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "NOT SOUND: 1 runs, 2 blobs, 3 decisions, 4,000 predictions",
        "  problem: a :bug:",
        "  problem: b [x]",
        "  note: c",
        "  mended: d",
    ]


def test_a_terminal_is_not_taken_for_wider_than_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("TERM", raising=False)
    show(Plain("word " * 30, 3), as_json=False)
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, out.splitlines())) <= 60
    assert out.count("word") == 30, "folded, not cut"


@pytest.mark.usefixtures("_every_operation")
def test_every_form_is_of_a_result_that_some_operation_has() -> None:
    returned = [get_type_hints(operation.function)["return"] for operation in OPERATIONS.values()]
    results = [one for result in returned for one in (get_args(result) if isinstance(result, UnionType) else [result])]
    listed = {get_args(result)[0].__name__ for result in results if get_origin(result) is list}
    names = {result.__name__ for result in results if get_origin(result) is not list}  # NoneType: or nothing
    assert names >= RENDERERS.keys() - {"ServerReady", "Serving"}  # announced, not returned
    assert listed == LIST_RENDERERS.keys()
