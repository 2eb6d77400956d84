"""Every page is executed: ```python blocks in order in one namespace, ```console blocks as commands with their output.

In a console block a line beginning with `$ ` is run; each line below it must occur in the output, words in that order.
A command that ends with ` &` goes on until the page ends; what is below it is its first output. A python block whose
first line is a comment with the name of a file is that file, run as a script of its own.
The lines of the ```text blocks of a case must have been printed by its code: the same words, and numbers nearly the
same, because a model trained on another machine differs in the last digits.
"""

import atexit
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
CASES = sorted(ROOT.glob("docs/cases/*.md"))
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?")
EXECUTED = [page for page in PAGES if BLOCK.search(page.read_text())]


@pytest.mark.slow
@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    execute(page, tmp_path)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("page", CASES, ids=lambda page: page.stem)
def test_a_case_says_what_its_data_say_and_draws_what_it_shows(page: Path, tmp_path: Path) -> None:
    printed = [line.split() for line in execute(page, tmp_path).splitlines()]
    for block in re.findall(r"^```text\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            assert any(_nearly_in_order(line.split(), words) for words in printed), f"never printed: {line}"
    drawn = {path.name for path in tmp_path.glob("*.svg")}
    shown = set(re.findall(r"\]\(plots/([^)]+)\)", page.read_text()))
    assert shown == drawn, "`make cases` draws them again"


def execute(page: Path, folder: Path) -> str:
    """Run all blocks of a page in a folder and give what they print; it is shown where one fails."""
    script = [f"import sys; sys.path.insert(0, {str(ROOT)!r})", "from tests.docs.test_pages import console, script"]
    for match in BLOCK.finditer(page.read_text()):
        kind, text = match.groups()
        line = page.read_text()[: match.start(2)].count("\n")
        # Blank lines keep the numbers of a traceback those of the page.
        named = re.match(r"# (\w+\.py)\n", text)
        code = f"console({text!r})" if kind == "console" else f"script({named[1]!r}, {text!r})" if named else text
        script.append(f"exec(compile({chr(10) * line + code!r}, {str(page)!r}, 'exec'), globals())")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(script)],
        cwd=folder,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, *CASES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_plots_of_cases_are_light_and_made_for_both_grounds() -> None:
    plots = list(ROOT.glob("docs/cases/plots/*"))
    assert plots
    for plot in plots:
        assert plot.suffix == ".svg"
        assert plot.stat().st_size < 100_000
        assert "prefers-color-scheme: dark" in plot.read_text()


def test_numbers_that_have_gone_stale_are_noticed() -> None:
    printed = ["carrier=B6:", "worse", "by", "0.0279", "(5,823", "rows)."]
    assert _nearly_in_order(["carrier=B6:", "worse", "by", "0.0281", "(5,823", "rows)."], printed)
    for stale in (["by", "0.0500"], ["better", "by"], ["(4,000", "rows)."], ["rows).", "by"]):
        assert not _nearly_in_order(stale, printed), stale


def test_a_page_that_is_wrong_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    console("$ assay --version\nassay 0.1.0\n")
    with pytest.raises(AssertionError, match="assay 9"):
        console("$ assay --version\nassay 9\n")
    with pytest.raises(AssertionError, match="exit code 2"):
        console("$ assay --store nowhere runs\n")


def console(text: str) -> None:
    """Run the commands of a console block and compare their output."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *expected = part.rstrip("\n").split("\n")
        program, *arguments = shlex.split(command)
        assert program == "assay", f"a page runs assay, not {program}"
        if arguments[-1] == "&":
            background(arguments[:-1], expected)
            continue
        done = subprocess.run(
            [sys.executable, "-m", "assay", *arguments],
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\nexit code {done.returncode}\n{done.stdout}{done.stderr}"
        lines = [line.split() for line in done.stdout.splitlines()]
        for line in expected:
            assert any(_in_order(line.split(), words) for words in lines), f"$ {command}\nno {line!r} in\n{done.stdout}"


def background(arguments: list[str], expected: list[str]) -> None:
    """Start a command that goes on, and wait for what it says first."""
    command = [sys.executable, "-m", "assay", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    atexit.register(_end, process)
    assert process.stdout is not None
    for line in expected:
        said = process.stdout.readline()
        assert _in_order(line.split(), said.split()), f"$ {' '.join(arguments)}\nno {line!r} but {said!r}"


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()


def script(name: str, text: str) -> None:
    """Write a file as the page shows it and run it."""
    Path(name).write_text(text)
    done = subprocess.run([sys.executable, name], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{name}\n{done.stdout}{done.stderr}"


def _in_order(wanted: list[str], words: list[str]) -> bool:
    rest = iter(words)
    return all(any(word == found or found.startswith(word) for found in rest) for word in wanted)


def _nearly_in_order(wanted: list[str], words: list[str]) -> bool:
    rest = iter(words)
    return all(any(_nearly(word, found) for found in rest) for word in wanted)


def _nearly(wanted: str, found: str) -> bool:
    """The same word, where numbers may be off by a quarter or by 0.004."""
    if NUMBER.sub("#", wanted) != NUMBER.sub("#", found):
        return False
    pairs = zip(NUMBER.findall(wanted), NUMBER.findall(found), strict=True)
    numbers = [(float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs]
    return all(abs(a - b) <= 0.004 + 0.25 * abs(a) for a, b in numbers)
