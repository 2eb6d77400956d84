"""The gate's operating characteristics are those of the specification, and the fast path is the gate's rule."""

import numpy as np
import pytest
from benchmarks.simulations.figures import Share
from benchmarks.simulations.gate import (
    ALPHA,
    MARGIN,
    SCENARIOS,
    SIZES,
    SPECIFIED,
    SPECIFIED_RUNS,
    Counts,
    default_rule,
    draw,
    operating_table,
    p_values,
)
from benchmarks.simulations.worlds import Answers, Rows, codes

import assay
from assay.prove.gate import judge
from assay.prove.policy import Guard, Policy

pytestmark = pytest.mark.slow

POLICY = Policy(name="accuracy", metrics={"accuracy": Guard(margin=MARGIN)}, segments=["segment"])


def rows_of(counts: Counts, run: int) -> Rows:
    """Rows with the counts of one run: right are first both, then one of them."""
    parts = []
    for b, c, n in zip(counts.b[run], counts.c[run], counts.n, strict=True):
        kind = np.repeat([0, 1, 2], [int(n - b - c), int(b), int(c)])
        parts.append(kind)
    kind = np.concatenate(parts)
    place = np.repeat(np.arange(len(counts.n)), counts.n.astype(np.int64))
    label = np.arange(len(kind)) % 2
    new, old = (np.where((kind != wrong) == (label == 1), 0.9, 0.1) for wrong in (2, 1))
    return Rows(Answers(label, new, old), {"segment": codes([f"s{i:02d}" for i in range(len(counts.n))], place)})


def test_the_sizes_have_the_two_segments_of_the_specification() -> None:
    assert {294, 991} <= set(SIZES)
    assert (len(SIZES), min(SIZES), max(SIZES)) == (30, 100, 5000)


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_the_fast_path_is_the_gate(scenario: str) -> None:
    """A fifth of the rows: the gate's verdict and every P-value, run by run."""
    counts = draw(3, 4, SCENARIOS[scenario], [rows // 5 for rows in SIZES])
    worse, overall = p_values(counts)
    promoted, failed = default_rule(worse, overall)
    for run in range(len(counts.b)):
        evaluation = assay.evaluate(
            "new", rows_of(counts, run).table(), baseline="old", label="late", segments=["segment"]
        )
        verdict, _, checks = judge(evaluation, POLICY)
        assert [check.p_worse for check in checks] == worse[run].tolist()
        assert checks[0].p_not_worse == overall[run, 0]
        assert (verdict == "pass", verdict == "fail") == (promoted[run], failed[run])


def test_the_table_of_the_specification_is_reproduced() -> None:
    for row in operating_table(2, 1000):
        rule = row.of["P(promote)"]
        for name, expected in zip(row.shares, SPECIFIED[rule], strict=True):
            assert row.share(name).near(Share(expected, SPECIFIED_RUNS)), (rule, name, str(row.share(name)))


def test_equal_models_fail_anywhere_no_oftener_than_alpha() -> None:
    worse, overall = p_values(draw(4, 3000, SCENARIOS["equal"]))
    assert Share(float(default_rule(worse, overall)[1].mean()), 3000).at_most(ALPHA)


def test_a_candidate_at_the_margin_is_certified_no_oftener_than_alpha() -> None:
    for sizes in (SIZES, [rows // 10 for rows in SIZES]):
        _, overall = p_values(draw(5, 3000, (type(SCENARIOS["equal"][0])(-MARGIN),) * 30, sizes))
        assert Share(float((overall[:, 0] <= ALPHA).mean()), 3000).at_most(ALPHA)
