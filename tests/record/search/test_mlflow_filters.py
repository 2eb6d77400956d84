from typing import Any

import pytest

from assay.errors import InvalidInput
from assay.record.search.keys import Subject
from assay.record.search.mlflow_filters import mlflow_filter, mlflow_order
from assay.record.search.subjects import EXPERIMENTS, LOGGED_MODELS, MODELS, RUNS, VERSIONS


@pytest.mark.parametrize(
    ("subject", "text", "message"),
    [
        (RUNS, "metrics.m2 > 1 OR params.p='1'", "Invalid clause(s) in filter string: 'OR'"),
        (RUNS, "(metrics.m2 > 1)", "Invalid clause(s) in filter string: '(metrics.m2 > 1)'"),
        (RUNS, "metrics.m2 > '1'", "Expected numeric value type for metric. Found '1'"),
        (RUNS, "params.p = 1", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1"),
        (RUNS, "tag.x", "Invalid clause(s) in filter string: 'tag.x'"),
        (RUNS, "attributes.nope = 'a'", "Invalid attribute key 'nope' specified. Valid keys are '{'Created', "),
        (RUNS, "foo.x = 'a'", "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', "),
        (RUNS, "params.p > '1'", "Invalid comparator '>' not one of '{"),
        (RUNS, "status IN ('RUNNING')", "Only ['run_id'] attributes support comparison with a list of quoted string"),
        (
            RUNS,
            "metrics.m2 IS NULL",
            "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric'",
        ),
        (
            RUNS,
            "params.p = 'a' ; drop",
            "Search filter contained multiple expression \"params.p = 'a' ; drop\". Provide",
        ),
        (RUNS, "   ", "Invalid filter '   '. Could not be parsed."),
        (RUNS, "NOT run_name='one'", "Invalid clause(s) in filter string: 'NOT'"),
        (RUNS, "run_name NOT LIKE 'o%'", "Invalid comparator 'NOT LIKE' not one of '{"),
        (RUNS, "metrics.s BETWEEN 1 AND 2", "Invalid clause(s) in filter string: 'metrics.s', 'BETWEEN', '1', '2'"),
        (RUNS, "metrics.s == 1", "Invalid comparator '==' not one of '{"),
        (RUNS, "METRICS.s = 0", "Invalid entity type 'METRICS'. Valid values are"),
        (RUNS, "name = 'one'", "Invalid attribute key 'name' specified."),
        (RUNS, "run_id IN ()", "While parsing a list in the query, expected a non-empty list of string values, but"),
        (RUNS, "run_id IN (1)", "While parsing a list in the query, expected string value, punctuation, or"),
        (RUNS, "params.p = foo", "Parameter value is either not quoted or unidentified quote types used for string"),
        (RUNS, "dataset.colour = 'x'", "Invalid dataset key 'colour' specified."),
        (EXPERIMENTS, "name = 'a' OR name = 'b'", "Invalid clause(s) in filter string: OR"),
        (EXPERIMENTS, "experiment_id LIKE '0'", "Invalid comparator for experiment_id: LIKE"),
        (EXPERIMENTS, "lifecycle_stage = 'active'", "Invalid attribute key 'lifecycle_stage' specified."),
        (MODELS, "version_number = 1", "Invalid attribute key 'version_number' specified. Valid keys are '{'name'}'"),
        (VERSIONS, "version_number LIKE '1'", "Invalid comparator for attribute version_number: LIKE"),
        (VERSIONS, "source_path IN ('a')", "Only ['name', 'run_id'] attributes support comparison with a list of"),
        (
            LOGGED_MODELS,
            "name LIKE 'a%' OR name = 'b'",
            "Invalid filter string: \"name LIKE 'a%' OR name = 'b'\". ",
        ),
        (LOGGED_MODELS, "metric.a > 1", "Invalid entity type: 'metric'. Expected one of ['attributes', 'metrics', "),
    ],
)
def test_what_mlflow_does_not_take_is_refused_in_its_words(subject: Subject, text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        mlflow_filter(text, subject)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (RUNS, "run_name='one' AND AND metrics.s=1"),
        (RUNS, "run_name='one' metrics.s=1"),
        (RUNS, "metrics.`m 2` = -1e3 and tags.a.b.c is not null"),
        (RUNS, 'attributes."Run name" = \'one\' and run.user_id ILIKE "u%" and Created > .5'),
        (RUNS, "dataset.name IN ('a','b') and run_id not in ('c')"),
        (EXPERIMENTS, "experiment_id IN ('0','1') and tags.x IS NULL and creation_time > 1"),
        (VERSIONS, "version_number = '1' and version_number > 0 and source_path LIKE 's3%'"),
        (LOGGED_MODELS, "status = 'LOGGED_MODEL_READY' and metrics.acc > .1 and model_type IN ('x') and params.a = 1"),
    ],
)
def test_what_mlflow_takes_is_taken(subject: Subject, text: str) -> None:
    assert mlflow_filter(text, subject) is not None
    assert mlflow_filter("", subject) is None


@pytest.mark.parametrize(
    ("subject", "text", "message"),
    [
        (
            MODELS,
            "creation_timestamp",
            "Invalid order by key 'creation_timestamp' specified. Valid keys are '{'name', ",
        ),
        (VERSIONS, "foo", "Invalid attribute key 'foo' specified. Valid keys are '{'creation_timestamp', "),
        (RUNS, "", "Invalid order_by clause ''. Could not be parsed."),
        (RUNS, "metrics.a DESC x", "Invalid order_by clause 'metrics.a DESC x'. Could not be parsed."),
        (RUNS, "metrics.a down", "Invalid ordering key in order_by clause 'metrics.a down'."),
        (RUNS, "Run name", "Invalid ordering key"),
        (RUNS, "dataset.name", "Invalid order_by entity: dataset"),
        (EXPERIMENTS, "tags.a", "Invalid order_by entity: tag"),
    ],
)
def test_an_order_that_mlflow_does_not_take_is_refused_in_its_words(subject: Subject, text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        mlflow_order([text], subject, [])
    assert str(caught.value).startswith(message)


def test_an_order_says_key_and_direction() -> None:
    terms: Any = mlflow_order(["metrics.`m 2` DESC", "created", "params.a asc"], RUNS, [])
    assert [(term.key.shown, term.ascending) for term in terms] == [
        ("metrics.m 2", False),
        ("start_time", True),
        ("params.a", True),
    ]
