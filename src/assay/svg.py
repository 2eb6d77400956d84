"""Pictures as SVG files that need nothing but themselves: their parts, their ticks, and how they look.

They carry their own colours, for light and dark, and their own ground, so that they are readable on any page.
"""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

__all__ = ["LETTER", "PAD", "ROW", "TITLE", "Drawing", "drawing", "line", "nice_ticks", "text"]

ROW = 24  # height of a row
LETTER = 7.4  # width of a letter at 13 px, on the wide side
PAD = 16
TITLE = 30
_WRAP = 110  # letters of a line below the picture, at most
_STEPS = ((1, 2**0.5), (2, 10**0.5), (5, 50**0.5), (10, math.inf))  # the nearest by ratio

_STYLE = """
.ground { fill: #ffffff; } .line { stroke: #dcdfe3; } .zero { stroke: #5d656f; } .limit { stroke: #5d656f; }
text { fill: #1b1f24; font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif;
  font-variant-numeric: tabular-nums; }
.title { font-size: 16px; font-weight: 650; } .muted { fill: #545c66; } .overall { font-weight: 650; }
.limit { stroke-dasharray: 4 3; } .range { stroke-width: 2.5; }
.better { stroke: #0b5394; fill: #0b5394; } .worse { stroke: #a8320b; fill: #a8320b; }
.open { stroke: #5d656f; fill: #5d656f; }
.up { fill: #0b5394; } .down { fill: #a8320b; } .none { fill: url(#hatch); } .hatch { stroke: #dcdfe3; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #1b1f24; } .line { stroke: #353b43; } .zero { stroke: #a0a8b2; } .limit { stroke: #a0a8b2; }
  text { fill: #e6e9ec; } .muted { fill: #a8b0ba; } .hatch { stroke: #353b43; }
  .better { stroke: #8ab9f5; fill: #8ab9f5; } .worse { stroke: #ff9b73; fill: #ff9b73; }
  .open { stroke: #a0a8b2; fill: #a0a8b2; } .up { fill: #8ab9f5; } .down { fill: #ff9b73; }
}
"""


class Drawing:
    """A picture as SVG: a notebook shows it, `save` writes it."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write the picture as an SVG file."""
        Path(path).write_text(self.svg, encoding="utf-8")


def nice_ticks(low: float, high: float, count: int) -> tuple[list[float], int]:
    """Multiples of 1, 2 or 5 times a power of ten inside [low, high], about `count` of them.

    Also returns the decimals they need.
    """
    rough = (high - low) / max(count, 1)
    power = math.floor(math.log10(rough))
    factor = next(factor for factor, until in _STEPS if rough < until * 10.0**power)
    decimals = max(0, -power - (factor == 10))
    step = factor * 10.0**power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, decimals) + 0.0 for number in range(first, last + 1)], decimals


def text(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    """A line of text from (x, y) on, in the classes of `kind`."""
    kinds = f' class="{kind}"' if kind else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kinds}{place}>{escape(said)}</text>'


def line(x_1: float, y_1: float, x_2: float, y_2: float, kind: str) -> str:
    """A straight line."""
    return f'<line class="{kind}" x1="{x_1}" y1="{y_1}" x2="{x_2}" y2="{y_2}"/>'


def drawing(parts: Sequence[str], title: str, caption: str, width: float, bottom: float) -> Drawing:
    """The whole picture: what was drawn down to `bottom`, and the caption below."""
    wrapped = _wrapped(caption, min(_WRAP, int((width - 2 * PAD) / LETTER)))
    said = [text(PAD, bottom + ROW * 0.9 + 18 * number, words, "muted") for number, words in enumerate(wrapped)]
    height = bottom + ROW * 0.9 + 18 * len(wrapped)
    hatch = (
        '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line class="hatch" x1="0" y1="0" x2="0" y2="7" stroke-width="3"/></pattern></defs>'
    )
    body = "\n".join([*parts, *said])
    return Drawing(
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}"><title>{escape(title)}</title><style>{_STYLE}</style>{hatch}\n'
        f'<rect class="ground" width="100%" height="100%" rx="6"/>\n{body}\n</svg>\n'
    )


def _wrapped(said: str, letters: int) -> list[str]:
    from textwrap import wrap

    return wrap(said, letters) or [""]
