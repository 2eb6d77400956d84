"""Replay the year of docs/continuous-training.md: some minutes; writes its table and its picture into docs/year.

    python scripts/replay_year.py [--last 2013-05-01] [--share 0.3] [--keep FOLDER]

Without `--keep` the project and its store are in a folder that is removed. With a part of the year nothing in docs is
changed: the table is only printed.
"""

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path

import msgspec

from assay.demo.year.picture import draw_year
from assay.demo.year.plan import Plan
from assay.demo.year.running import replay_year
from assay.demo.year.telling import apart_table, months_table, story_table

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "docs/year/result.json"
PICTURE = ROOT / "docs/year/year-of-flights.svg"


def main() -> None:
    """What the file says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--last", type=date.fromisoformat, default=Plan().last)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    plan = Plan(last=given.last, share=given.share)
    with tempfile.TemporaryDirectory() as folder:
        year = replay_year(given.keep or Path(folder), plan, lambda said: print(said, file=sys.stderr, flush=True))
    print(months_table(year))
    print()
    print(apart_table(year))
    print()
    print(story_table(year))
    if plan == Plan():
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(year), indent=1) + b"\n")
        draw_year(year).save(PICTURE)


if __name__ == "__main__":
    main()
