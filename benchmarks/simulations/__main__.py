"""All simulations at full size; their figures replace the marked sections of docs/*statistics.md.

    python -m benchmarks.simulations [--seed 1] [--scale 1.0] [--docs docs] [--only NAME ...]

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

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    """Run what is asked for and write or print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--docs", type=Path, default=DOCS)
    parser.add_argument("--only", nargs="*", choices=list(pages.TABLES))
    options = parser.parse_args()
    names = options.only or list(pages.TABLES)
    made: dict[str, Table] = {}
    with ProcessPoolExecutor(max_workers=2) as pool:
        waiting = {pool.submit(_timed, name, options.seed, options.scale): name for name in names}
        for done in as_completed(waiting):
            made[waiting[done]], seconds = done.result()
            print(f"{waiting[done]}: {seconds:.0f} s", file=sys.stderr, flush=True)
    if options.only:
        print("\n".join(markdown(made[name], options.seed) for name in names))
    else:
        for page, listed in pages.PAGES.items():
            write_section(options.docs / page, [made[name] for name in listed], options.seed)


def _timed(name: str, seed: int, scale: float) -> tuple[Table, float]:
    start = time.perf_counter()
    return pages.TABLES[name](seed, scale), time.perf_counter() - start


if __name__ == "__main__":
    main()
