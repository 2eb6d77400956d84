import io

import pytest
from rich.console import Console

from assay.cli.online_tests import reading_of_test
from assay.operate.online_tests.readings import ArmReading, Seen, Shift, TestReading


def _shown(shift: Shift) -> str:
    arm = ArmReading("v2", 2, "inconclusive", "v2: too early", [], shift)
    reading = TestReading(
        test="beside",
        test_id="t",
        endpoint="delays",
        kind="shadow",
        status="running",
        as_of="2026-01-01T00:00:00.000000Z",
        design="anytime",
        phase=1,
        outcome="inconclusive",
        words=[],
        held=[],
        arms=[arm],
        counts={},
        srm_p=1.0,
        needed_units=None,
        needed_days=None,
        seen=Seen(),
    )
    out = io.StringIO()
    Console(file=out, width=200).print(reading_of_test(reading))
    return out.getvalue()


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        (Shift(0, 0, 0, None, None, None, None), "no rows since the test began, so there is nothing to compare yet"),
        (Shift(5, 5, 0, None, None, None, None), "v2 answered 0 of 5 rows; no row has an output of both yet"),
        (Shift(5, 1, 4, None, None, None, None), "v2 answered 4 of 5 rows, 4 of them with an error; no row"),
        (Shift(5, 0, 0, 0.2, 0.5, None, None), "on 20.0%; outputs differ by 0.5, in too few units for an interval"),
        (Shift(500, 0, 0, 0.2, -0.5, -0.75, -0.25), "on 20.0%; outputs differ by -0.5 [-0.75, -0.25]"),
    ],
)
def test_a_shadow_says_in_words_what_is_not_known_yet(shift: Shift, said: str) -> None:
    shown = _shown(shift)
    assert said in shown
    assert "[, ]" not in shown
