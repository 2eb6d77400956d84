import inspect

import pytest

from assay import errors
from assay.errors import AssayError, MissingExtra, nearest

CHILDREN = [found for name in errors.__all__ if inspect.isclass(found := getattr(errors, name))]
PARTS = {"where": "store.db", "expected": "a number", "hint": "another one"}


def _made(kind: type[AssayError]) -> AssayError:
    return kind("postgres", "psycopg") if issubclass(kind, MissingExtra) else kind("x is wrong", **PARTS)


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_message_has_at_most_five_lines_and_says_what_was_wrong_first(kind: type[AssayError]) -> None:
    error = _made(kind)
    lines = str(error).splitlines()
    assert len(lines) <= 5
    assert lines[0] == error.what
    assert lines[-1].startswith("  try: ")


def test_a_message_has_only_the_parts_that_are_known() -> None:
    assert str(AssayError("x is wrong")) == "x is wrong"
    assert str(AssayError("x is wrong", expected="y")) == "x is wrong\n  expected: y"
    everything = "x is wrong\n  where: store.db\n  expected: a number\n  try: another one"
    assert str(AssayError("x is wrong", **PARTS)) == everything


@pytest.mark.parametrize("kind", CHILDREN)
def test_only_a_verdict_ends_with_1_and_only_what_is_open_with_3(kind: type[AssayError]) -> None:
    assert kind.exit_code == {errors.Refused: 1, errors.Waiting: 3}.get(kind, 2)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InvalidInput, ValueError),
        (errors.NotFound, KeyError),
        (errors.StoreUnavailable, OSError),
        (errors.PortInUse, OSError),
        (errors.MissingExtra, ImportError),
    ],
)
def test_errors_are_also_the_built_in_ones_that_fit(kind: type[AssayError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin) as caught:
        raise _made(kind)
    assert str(caught.value) == str(_made(kind)), "the message is not the built-in's repr of it"


def test_every_error_has_the_one_root_and_stands_in_the_tree_of_the_module() -> None:
    assert all(issubclass(kind, AssayError) for kind in CHILDREN)
    tree = (errors.__doc__ or "").partition("AssayError\n")[2].partition("\n\n")[0]
    named = {line.split()[1] for line in tree.splitlines()}
    assert named == {kind.__name__ for kind in CHILDREN} - {"AssayError"}


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    assert str(MissingExtra("postgres", "psycopg")).splitlines() == [
        "psycopg is not installed, and this needs it",
        "  try: pip install 'assay-mlops[postgres]'",
    ]


@pytest.mark.parametrize(
    ("word", "expected"), [("promot", "promote"), ("rnus", "runs"), ("PROMOTE", "promote"), ("xyz", None), ("", None)]
)
def test_nearest_finds_the_spelling_that_was_meant(word: str, expected: str | None) -> None:
    assert nearest(word, ["promote", "runs", "rollback"]) == expected
    assert nearest(word, []) is None
