"""All simulations at full size; their figures replace the marked section of docs/statistics.md.

    python -m benchmarks.simulations [--seed 1] [--scale 1.0] [--page docs/statistics.md] [--only NAME ...]

`--scale` multiplies the repetitions. With `--only` the tables are printed and nothing is written. Two processes; prints
how long each simulation took.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from benchmarks.simulations import pages
from benchmarks.simulations.figures import Table, markdown, write_section

PAGE = Path(__file__).parents[2] / "docs/statistics.md"


def main() -> None:
    """Run what is asked for and write or print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--only", nargs="*", choices=list(pages.TABLES))
    options = parser.parse_args()
    names = options.only or list(pages.TABLES)
    made: dict[str, Table] = {}
    with ProcessPoolExecutor(max_workers=2) as pool:
        waiting = {pool.submit(_timed, name, options.seed, options.scale): name for name in names}
        for done in as_completed(waiting):
            made[waiting[done]], seconds = done.result()
            print(f"{waiting[done]}: {seconds:.0f} s", file=sys.stderr, flush=True)
    tables = [made[name] for name in names]
    if options.only:
        print("\n".join(markdown(table, options.seed) for table in tables))
    else:
        write_section(options.page, tables, options.seed)


def _timed(name: str, seed: int, scale: float) -> tuple[Table, float]:
    start = time.perf_counter()
    return pages.TABLES[name](seed, scale), time.perf_counter() - start


if __name__ == "__main__":
    main()
