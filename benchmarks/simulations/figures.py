"""What a simulation gives: shares of runs with their Monte-Carlo error, in rows, as a table on a page."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BEGIN", "END", "Row", "Share", "Table", "markdown", "write_section"]

BEGIN = "<!-- made by `make simulate`: begin -->"
END = "<!-- made by `make simulate`: end -->"


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened in `runs` independent runs; `runs` None where all outcomes were counted through."""

    value: float
    runs: int | None = None

    @property
    def error(self) -> float:
        """The Monte-Carlo standard error, 0 for what is exact."""
        return math.sqrt(self.value * (1.0 - self.value) / self.runs) if self.runs else 0.0

    def at_most(self, bound: float) -> bool:
        """Whether it is compatible with `bound` or less: within 3 of the standard errors that the bound would have."""
        return self.value <= bound + self._slack(bound)

    def at_least(self, bound: float) -> bool:
        """Whether it is compatible with `bound` or more."""
        return self.value >= bound - self._slack(bound)

    def near(self, expected: "Share") -> bool:
        """Whether both can be the same number: within 3 standard errors of their difference, and half of a last digit.

        The error is that of the pooled share, so that 0 of few runs does not claim to be exactly 0.
        """
        if not self.runs:
            return abs(self.value - expected.value) <= 3.0 * expected.error + 0.0005
        others = expected.runs or math.inf
        weight = 1.0 / (1.0 + self.runs / others) if math.isinf(others) else others / (self.runs + others)
        pooled = weight * expected.value + (1.0 - weight) * self.value
        error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / self.runs + 1.0 / others))
        return abs(self.value - expected.value) <= 3.0 * error + 0.0005

    def _slack(self, bound: float) -> float:
        return 3.0 * math.sqrt(bound * (1.0 - bound) / self.runs) if self.runs else 1e-9

    def __str__(self) -> str:
        digits = f"{self.value:.3f}".removeprefix("0")
        return f"{digits} ± {self.error:.3f}".replace("± 0.", "± .") if self.runs else digits


@dataclass(frozen=True, slots=True)
class Row:
    """What was simulated, by heading, and what came of it, by heading; None where every answer was "too small"."""

    of: dict[str, str]
    shares: dict[str, Share | None]

    def share(self, name: str) -> Share:
        """The share under that heading; ValueError where there is none."""
        found = self.shares[name]
        if found is None:
            raise ValueError(f"{self.of}: {name} was too small in every run")
        return found


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of the same headings, with a title, what to know about them, and their repetitions in words."""

    title: str
    text: str
    repetitions: str
    rows: Sequence[Row]


def markdown(table: Table, seed: int) -> str:
    """The table as it stands on the page."""
    names, figures = list(table.rows[0].of), list(table.rows[0].shares)
    lines = [
        f"### {table.title}",
        "",
        textwrap.fill(table.text, 120),
        "",
        "| " + " | ".join([*names, *figures]) + " |",
        "|" + "---|" * len(names) + "---:|" * len(figures),
    ]
    for row in table.rows:
        cells = [*row.of.values(), *(str(row.shares[name] or "–") for name in figures)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Seed {seed}; {table.repetitions}.", ""])


def write_section(page: Path, tables: Sequence[Table], seed: int) -> None:
    """Replace what stands between the marks of the page; ValueError where they are missing."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} does not have the marks {BEGIN} and {END}")
    made = "\n".join(markdown(table, seed) for table in tables)
    page.write_text(f"{before}{begin}\n\n{made}\n{end}{after}", encoding="utf-8")
