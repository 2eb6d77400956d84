import pytest

from assay.errors import InvalidInput
from assay.record.search.filters import And, Comparison, Or, comparisons, parse_filter
from assay.record.search.subjects import EXPERIMENTS, RUNS


def _shape(text: str) -> object:
    def shape(node: object) -> object:
        if isinstance(node, Comparison):
            return (node.key.shown, node.operator, *node.values)
        assert isinstance(node, And | Or)
        return (type(node).__name__, *(shape(part) for part in node.parts))

    return shape(parse_filter(text, RUNS))


def test_and_binds_closer_than_or() -> None:
    a, b, c = (("params.a", "=", "1"), ("params.b", "=", "1"), ("params.c", "=", "1"))
    assert _shape("params.a = '1' or params.b = '1' and params.c = '1'") == ("Or", a, ("And", b, c))
    assert _shape("(params.a = '1' or params.b = '1') and params.c = '1'") == ("And", ("Or", a, b), c)


def test_not_turns_each_comparison_round() -> None:
    assert _shape("not (metrics.x > 1 and not params.p like 'a%')") == (
        "Or",
        ("metrics.x", "<=", 1),
        ("params.p", "LIKE", "a%"),
    )
    assert _shape("NOT NOT NOT tags.t IS NULL") == ("tags.t", "NOT NULL")
    assert _shape("not metrics.x not between 1 and 2") == ("metrics.x", "BETWEEN", 1, 2)
    assert _shape("not run_name in ('a')") == ("run_name", "NOT IN", "a")


def test_spellings_and_quotes_are_of_one_meaning() -> None:
    assert _shape("metric.x == -1e3") == _shape("metrics.`x` = -1000.0")
    assert _shape('parameters."a b" <> "v"') == ("params.a b", "!=", "v")
    assert _shape("run_name = 'o''ne'") == ("run_name", "=", "o''ne")
    assert _shape("metrics.val/f1-macro:0 > +.5") == ("metrics.val/f1-macro:0", ">", 0.5)
    assert _shape("attributes.`Run name` = 'a'") == _shape("name = 'a'") == ("run_name", "=", "a")
    assert _shape("metrics.x.max > 1") == ("metrics.x.max", ">", 1)
    assert _shape("metrics.`x.max` > 1") == ("metrics.x.max", ">", 1)
    quoted, part = (
        comparisons(parse_filter(f"{key} > 1", RUNS))[0].key for key in ("metrics.`x.max`", "metrics.x.max")
    )
    assert (quoted.name, part.name) == ("x.max", "x")


def test_an_empty_filter_is_none() -> None:
    assert parse_filter("", RUNS) is None
    assert parse_filter("  \n", RUNS) is None


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("metrics.a >", 12, "expected: a number"),
        ("metrics.a > 'x'", 13, "'x'"),
        ("params.p = 1", 12, "text in quotes"),
        ("params.p > '1'", 10, "it is text"),
        ("mtrics.a > 1", 1, "did you mean metrics.a"),
        ("stauts = 'x'", 1, "did you mean status"),
        ("dataset.nam = 'x'", 1, "did you mean dataset.name"),
        ("params.a = 'x' params.b = 'y'", 16, "AND, OR or the end"),
        ("params.a = 'x' and", 19, "where a key was expected"),
        ("(params.a = 'x'", 1, "not closed"),
        ("params.a = 'x", 12, "quote that is not closed"),
        ("params.a in ('x' 'y')", 18, "',' or ')'"),
        ("params.a in 'x'", 13, "list of values"),
        ("metrics.a between 1 or 2", 21, "upper bound"),
        ("metrics.a is 1", 14, "NULL or NOT NULL"),
        ("metrics.a like 'x'", 11, "cannot compare metrics.a"),
        ("params.a not = 'x'", 10, "cannot compare params.a"),
        ("end_time - run_name > 1", 1, "end_time - start_time"),
        ("params.a = '\x00'", 13, "null character"),
        ("params.a = '\ud800'", 13, "half of a character"),
        ("metrics. > 1", 8, "'.'"),
    ],
)
def test_a_mistake_is_named_with_its_position(text: str, position: int, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text, RUNS)
    assert words in str(caught.value)
    assert f"character {position} of" in str(caught.value)


def test_a_subject_knows_its_own_keys_only() -> None:
    with pytest.raises(InvalidInput, match="there is no 'metrics'"):
        parse_filter("metrics.a > 1", EXPERIMENTS)
    with pytest.raises(InvalidInput, match="experiments have no 'status'"):
        parse_filter("status = 'x'", EXPERIMENTS)
