"""The default rule keeps its error rates where segments overlap, areas are guarded, and rows hang together."""

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest
from benchmarks.simulations.gate import ALPHA, MARGIN, default_rule
from benchmarks.simulations.verdicts import WORLDS, World, batches, p_values, small_areas, verdict_errors
from benchmarks.simulations.worlds import profile_of

import assay
from assay.prove.gate import judge
from assay.prove.policy import Guard, Policy

pytestmark = pytest.mark.slow

SMALLER = tuple(replace(world, sizes=tuple(max(60, rows // 4) for rows in world.sizes)) for world in WORLDS)


@pytest.mark.parametrize("world", SMALLER, ids=lambda world: world.name)
def test_the_fast_path_is_the_gate(world: World) -> None:
    (rows,) = batches(1, 3, world, 0.0, harm=-0.06)
    worse, overall = p_values(profile_of(rows, influence="auc" in world.metrics), world)
    promoted, failed = default_rule(worse, overall)
    by = [column for column in rows.columns if column not in ("run", "a and b")]
    policy = Policy(name="any", metrics={metric: Guard(margin=MARGIN) for metric in world.metrics}, segments=by)
    owner = rows.columns["run"].indices.to_numpy()
    for run in range(3):
        evaluation = assay.evaluate(
            "new",
            rows.only(owner == run).table(),
            baseline="old",
            label="late",
            unit="unit" if world.clustered else (),
            segments=assay.Segments(by=by, cross=2),
        )
        verdict, _, checks = judge(evaluation, policy)
        assert sorted(check.p_worse for check in checks) == sorted(worse[run].tolist())
        assert [check.p_not_worse for check in checks if check.segment == "overall"] == overall[run].tolist()
        assert (verdict == "pass", verdict == "fail") == (promoted[run], failed[run])


def test_a_unit_lies_within_its_segment_unless_it_is_scattered() -> None:
    for world in (one for one in WORLDS if one.clustered):
        (rows,) = batches(1, 1, replace(world, sizes=(53, 31)), 0.0)
        assert rows.units is not None
        pairs = {
            (unit, name)
            for unit, name in zip(
                rows.units.to_pylist(), pc.cast(list(rows.columns.values())[-1], "string").to_pylist(), strict=True
            )
        }
        assert (len(pairs) > len({unit for unit, _ in pairs})) == world.scattered


@pytest.mark.parametrize("world", SMALLER, ids=lambda world: world.name)
def test_verdicts_err_no_oftener_than_alpha(world: World) -> None:
    runs = 120 if "auc" in world.metrics else 300  # areas take longer
    (row,) = verdict_errors(1, runs, (world,), others=runs // 2)
    assert row.share("equal: P(fail anywhere)").at_most(ALPHA), row
    if row.shares["at the margin: P(pass overall)"] is not None:
        assert row.share("at the margin: P(pass overall)").at_most(ALPHA), row
    assert np.isfinite(row.share("equal: P(promote)").value)


def test_many_small_segments_are_accused_by_their_areas_no_oftener_than_alpha() -> None:
    for row in small_areas(1, 150, [(100, 12)]):
        assert row.share("Assay").at_most(ALPHA), row
        assert row.share("Assay").value <= row.share("a normal").value, row
