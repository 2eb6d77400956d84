"""Groups at the bound are called neither beyond nor within it more often than alpha."""

import pytest
from benchmarks.simulations.groups import errors_at_the_bound

pytestmark = pytest.mark.slow


def test_groups_at_the_bound_are_judged_no_oftener_than_alpha() -> None:
    for row in errors_at_the_bound(2, 150):
        assert row.share("P(fail)").at_most(0.05), row
        assert row.share("P(pass)").at_most(0.05), row
