import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.build.executors.log_ends import KEPT_BYTES, LogEnds


@pytest.mark.parametrize("size", [0, 1, KEPT_BYTES, 2 * KEPT_BYTES])
def test_up_to_both_ends_everything_is_kept(size: int) -> None:
    log = LogEnds()
    log.add(b"a" * size)
    assert log.text() == "a" * size


@given(st.lists(st.integers(0, 3 * KEPT_BYTES), max_size=6))
def test_pieces_of_any_size_give_what_the_whole_gives(sizes: list[int]) -> None:
    whole = bytes(ord("a") + n % 26 for n in range(sum(sizes)))
    log, at = LogEnds(), 0
    for size in sizes:
        log.add(whole[at : at + size])
        at += size
    left_out = len(whole) - 2 * KEPT_BYTES
    if left_out <= 0:
        assert log.text() == whole.decode()
    else:
        between = f"\n[{left_out:,} bytes left out here]\n".encode()
        assert log.text().encode() == whole[:KEPT_BYTES] + between + whole[-KEPT_BYTES:]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    log = LogEnds()
    log.add(b"caf\xe9\n")
    assert log.text() == "caf\N{REPLACEMENT CHARACTER}\n"
