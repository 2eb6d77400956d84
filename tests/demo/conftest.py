"""The real tables, whole and as a small part, read once for each module."""

import numpy as np
import pyarrow as pa
import pytest

from assay.demo import data
from assay.demo.pipeline import clean_weather, derive_features


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    return data.read("flights")


@pytest.fixture(scope="module")
def weather() -> pa.Table:
    return data.read("weather")


@pytest.fixture(scope="module")
def some_flights(flights: pa.Table) -> pa.Table:
    """Every eighth flight of the year, in order."""
    return flights.take(np.arange(0, flights.num_rows, 8))


@pytest.fixture(scope="module")
def features(some_flights: pa.Table, weather: pa.Table) -> pa.Table:
    return derive_features(some_flights, clean_weather(weather))
