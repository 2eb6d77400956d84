import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InvalidInput
from assay.prove.binning import binned, check_edges, needs_bins, round_edges


def column(values: object) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


def test_edges_are_round_and_split_into_about_equal_parts() -> None:
    distances = column(np.random.default_rng(0).gamma(2, 300, 20_000))
    edges = round_edges(distances)
    assert edges == [float(f"{edge:.2g}") for edge in edges]
    shares = np.diff([0, *np.searchsorted(np.sort(distances.to_numpy()), edges), 20_000]) / 20_000
    assert len(shares) == 5
    assert shares.min() > 0.1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_every_bin_of_the_rows_it_was_made_from_has_a_name_and_order(values: list[float]) -> None:
    edges = round_edges(column(values))
    assert edges == sorted(set(edges))
    names = binned(column(values), edges, "x").to_pylist()
    assert all(names)
    for value, name in zip(values, names, strict=True):
        if name.startswith("below"):
            assert value < edges[0]
        elif name.endswith("or more"):
            assert value >= edges[-1]


def test_one_value_and_no_values_need_no_edges() -> None:
    assert round_edges(column([3.0] * 10)) == []
    assert round_edges(column(pa.array([], pa.float64()))) == []
    assert binned(column([3.0, None]), [], "x").to_pylist() == ["all", None]


def test_names_say_what_is_inside() -> None:
    found = binned(column([-1.0, 0.0, 9.99, 10.0, None, float("nan")]), [0, 10], "x").to_pylist()
    assert found == ["below 0", "0 to 10", "0 to 10", "10 or more", None, None]


def test_few_values_are_segments_of_their_own() -> None:
    assert not needs_bins(column(list(range(24)) * 9))
    assert needs_bins(column(list(range(60))))
    assert needs_bins(column(np.linspace(0, 1, 11)))
    assert not needs_bins(column(["a", "b"] * 40))


def test_wrong_bins_are_refused() -> None:
    for edges in ([], [2, 1], [1, 1], [float("nan")]):
        with pytest.raises(InvalidInput, match="bins of 'x'"):
            check_edges(edges, "x")
    with pytest.raises(InvalidInput, match="numbers"):
        binned(column(["a"]), [1], "x")
