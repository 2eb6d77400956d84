"""Draw the plots of docs/cases again: run each page's own code, and keep the SVG files it leaves.

    python scripts/make_case_plots.py [PAGE ...]      # such as flights; all pages without

Needs the archives of `scripts/real_data.py`, which are fetched by package name if they are not there yet.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CASES = ROOT / "docs/cases"
PLOTS = CASES / "plots"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def draw(page: Path) -> list[Path]:
    """Run the page in a folder of its own and move its drawings to `PLOTS`."""
    code = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
        subprocess.run([sys.executable, "-c", start + code], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
        made = sorted(Path(folder).glob("*.svg"))
        PLOTS.mkdir(exist_ok=True)
        for drawing in made:
            (PLOTS / drawing.name).write_bytes(drawing.read_bytes())
    return made


if __name__ == "__main__":
    names = sys.argv[1:] or sorted(path.stem for path in CASES.glob("*.md"))
    for name in names:
        for drawing in draw(CASES / f"{name}.md"):
            print(f"docs/cases/plots/{drawing.name}")
