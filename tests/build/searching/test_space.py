import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.build import Choice, Float, Int
from assay.build.searching.space import Misfit, checked_space, parse_space
from assay.errors import InvalidInput

TREE = {"kind": Choice(["tree", "linear"]), "depth": Int(2, 4, when={"kind": "tree"}), "lr": Float(0.01, 1.0, log=True)}
TABLE = {
    "kind": {"choice": ["tree", "linear"]},
    "depth": {"int": [2, 4], "when": {"kind": "tree"}},
    "lr": {"float": [0.01, 1], "log": True},
}


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=3, max_size=3))
def test_every_point_of_the_cube_is_inside_the_space_and_comes_back_from_its_text(places: list[float]) -> None:
    space = checked_space(TREE)
    params = space.at(places)
    assert space.read({name: str(value) for name, value in params.items()}) == params
    assert ("depth" in params) == (params["kind"] == "tree")


def test_places_are_even_over_orders_of_magnitude_where_that_is_asked() -> None:
    parameter = Float(1e-4, 1.0, log=True)
    assert parameter.at(0.5) == pytest.approx(1e-2)
    assert parameter.place(1e-3) == pytest.approx(0.25)
    assert [Int(1, 1000, log=True).at(place) for place in (0.0, 0.9999999)] == [1, 1000]


def test_whole_numbers_and_steps_are_drawn_equally_often() -> None:
    draws = [Int(2, 10, step=4).at(k / 300) for k in range(300)]
    assert [draws.count(value) for value in (2, 6, 10)] == [100, 100, 100]
    steps = Float(0.0, 0.3, step=0.1)
    assert steps.points() == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert all(steps.holds(value) for value in steps.points() or ())
    assert not steps.holds(0.15)


def test_the_table_of_the_project_file_says_the_same_as_python() -> None:
    space = parse_space(TABLE, "assay.toml [search.space]")
    assert space.canonical() == checked_space(TREE).canonical()
    assert parse_space(space.canonical(), "itself").canonical() == space.canonical()


def test_a_parameter_stands_after_those_it_depends_on() -> None:
    space = checked_space({"depth": TREE["depth"], "kind": TREE["kind"], "a": Float(0, 1)})
    assert list(space.parameters) == ["kind", "depth", "a"]


def test_a_grid_has_the_points_that_count_once() -> None:
    space = checked_space({"kind": Choice(["tree", "linear"]), "depth": Int(2, 4, when={"kind": "tree"})})
    assert list(space.grid()) == [
        {"kind": "tree", "depth": 2},
        {"kind": "tree", "depth": 3},
        {"kind": "tree", "depth": 4},
        {"kind": "linear"},
    ]
    with pytest.raises(InvalidInput, match="a grid over lr has no end"):
        checked_space(TREE).grid()


def test_a_condition_on_what_does_not_count_itself_does_not_hold() -> None:
    space = checked_space(
        {
            "a": Choice([True, False]),
            "b": Choice(["x", "y"], when={"a": True}),
            "c": Int(1, 2, when={"b": ["x", "y"]}),
        }
    )
    assert [sorted(point) for point in space.grid()] == [["a", "b", "c"]] * 4 + [["a"]]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({"kind": "tree", "lr": "0.1"}, "depth is missing"),
        ({"kind": "linear", "lr": "0.1", "depth": "3"}, "depth does not count there"),
        ({"kind": "linear", "lr": "2"}, "lr is 2"),
        ({"kind": "forest", "lr": "0.1"}, "kind is forest"),
        ({"kind": "linear", "lr": "fast"}, "lr is fast"),
    ],
)
def test_params_of_another_run_are_taken_or_it_is_said_why_not(texts: dict[str, str], why: str) -> None:
    found = checked_space(TREE).read(texts)
    assert isinstance(found, Misfit)
    assert found.reason == why
    assert found.is_outside == (why in ("lr is 2", "kind is forest"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Float(1, 0), "is empty"),
        (lambda: Float(0, 1, log=True), "begins at 0"),
        (lambda: Float(0, math.inf), "two finite numbers"),
        (lambda: Float(0, 1, step=0), "has the step 0"),
        (lambda: Int(0, 1.5), "two whole numbers"),  # type: ignore[arg-type] # what it is about
        (lambda: Int(True, 2), "has the bound True"),
        (lambda: Int(1, 9, log=True, step=2), "one of the two"),
        (lambda: Choice("ab"), "a list"),
        (lambda: Choice([]), "at least one"),
        (lambda: Choice([1, "1"]), "the same option twice"),
        (lambda: Choice([(1, 2)]), "give names"),  # type: ignore[list-item] # what it is about
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(make: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make()


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({}, "no parameters"),
        ({"a": 3}, "Float, Int or Choice"),
        ({"a": Int(0, 1, when={"kid": "tree"}), "kind": Choice(["tree"])}, "did you mean 'kind'"),
        ({"a": Int(0, 1, when={"kind": "wood"}), "kind": Choice(["tree"])}, "which it never is"),
        ({"a": Int(0, 1, when={"b": 1}), "b": Int(0, 1, when={"a": 1})}, "in a circle"),
        ({"a": Int(0, 1, when={"b": 1}), "b": Float(0, 1)}, "a Choice or an Int"),
    ],
)
def test_a_space_that_leads_nowhere_is_refused(space: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        checked_space(space)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"lr": 0.1}, r"(?s)lr is 0.1.*where: assay.toml, search.space.lr"),
        ({"lr": {"flaot": [0, 1]}}, "did you mean 'float'"),
        ({"lr": {"float": [0, 1], "int": [0, 1]}}, "two things at once"),
        ({"lr": {"log": True}}, "not said what it is"),
        ({"lr": {"float": [0]}}, "two numbers"),
        ({"lr": {"float": [1, 0]}}, r"(?s)is empty.*search.space.lr"),
        ({"lr": {"choice": ["a"], "log": True}}, "no log"),
        ({"lr": {"float": [0, 1], "log": "yes"}}, "true or false"),
        ({"lr": {"float": [0, 1], "when": "tree"}}, "a table"),
        ([], "no parameters"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_with_its_place(table: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_space(table, "assay.toml, search.space")


def test_spaces_are_compared_by_names_kinds_and_conditions_and_not_by_bounds() -> None:
    space = checked_space(TREE)
    assert space.differs_from(checked_space({**TREE, "lr": Float(0.1, 10)})) is None
    assert space.differs_from(checked_space({**TREE, "lr": Int(1, 10)})) == "lr is float here and int there"
    assert space.differs_from(checked_space({"lr": TREE["lr"]})) in (
        "kind is not a parameter there",
        "depth is not a parameter there",
    )
    assert space.differs_from(checked_space({**TREE, "b": Int(1, 2)})) == "b is a parameter there"
    assert (
        space.differs_from(checked_space({**TREE, "depth": Int(2, 4)})) == "depth counts under other conditions there"
    )
