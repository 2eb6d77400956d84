"""Nothing is confirmed where nothing is."""

import pytest
from benchmarks.simulations.slices import found_by_chance

pytestmark = pytest.mark.slow


def test_slices_are_confirmed_by_chance_no_oftener_than_alpha() -> None:
    for row in found_by_chance(1, 60):
        assert row.share("nothing there").at_most(0.05), row
        assert row.share("a third worse by .25").value > 0.6, row
