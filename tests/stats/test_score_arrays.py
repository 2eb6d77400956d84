import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.stats import normal, tango_interval, tango_z, wilson
from assay.stats.score_arrays import tango_ends, tango_zs, wilson_ends

TABLES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 400)), min_size=1, max_size=20)


@given(TABLES, st.sampled_from([0.8, 0.95, 0.99]))
def test_many_tables_at_once_are_the_same_as_one_by_one(tables: list[tuple[int, int, int]], confidence: float) -> None:
    b, c, n = (
        np.array(column, dtype=float) for column in zip(*((b, c, b + c + rest) for b, c, rest in tables), strict=True)
    )
    low, high = tango_ends(b, c, n, normal.critical_value(confidence))
    z = tango_zs(b, c, n, np.full(len(b), -0.02))
    ends = wilson_ends(b, n, normal.critical_value(confidence))
    for place, table in enumerate(zip(b.tolist(), c.tolist(), n.tolist(), strict=True)):
        single = tango_interval(*table, confidence)
        assert (low[place], high[place]) == (single.low, single.high)
        assert z[place] == (tango_z(*table, -0.02) if table[2] else 0.0)
        if table[2]:
            alone = wilson(table[0], table[2], confidence)
            assert (ends[0][place], ends[1][place]) == (alone.low, alone.high)


def test_no_rows_leave_everything_possible() -> None:
    nothing = np.zeros(1)
    assert [float(end[0]) for end in tango_ends(nothing, nothing, nothing, 1.96)] == [-1.0, 1.0]
    assert [float(end[0]) for end in wilson_ends(nothing, nothing, 1.96)] == [0.0, 1.0]
    assert tango_zs(nothing, nothing, nothing, nothing)[0] == pytest.approx(0.0)
