"""A page as PDF, through the print of a browser that is there."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from assay.errors import AssayError, InvalidInput, StoreUnavailable

__all__ = ["as_pdf"]

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_SECONDS = 120


def as_pdf(page: str) -> bytes:
    """The HTML page as a PDF file. InvalidInput where there is no browser, StoreUnavailable where it prints nothing.

    ASSAY_BROWSER names the program, where it is another one than Chromium, Chrome or Edge on the PATH.
    """
    browser = _browser()
    with tempfile.TemporaryDirectory(prefix="assay-print-") as folder:
        source, target = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_text(page, encoding="utf-8")
        command = [browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        command += [f"--user-data-dir={folder}/profile", "--no-pdf-header-footer", f"--print-to-pdf={target}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # it does not start as root with one
        try:
            done = subprocess.run(  # noqa: S603 - the browser, on a page of ours without scripts
                [*command, source.as_uri()], capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(browser, str(error)) from error
        if done.returncode != 0 or not target.exists():
            raise _failed(browser, done.stderr.decode(errors="replace").strip()[-300:])
        return target.read_bytes()


def _browser() -> str:
    named = os.environ.get("ASSAY_BROWSER")
    for name in [named] if named else _BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    raise InvalidInput(
        f"there is no browser to print with: {named or ', '.join(_BROWSERS)} is not on the PATH",
        expected="Chromium or Chrome, or a path in ASSAY_BROWSER",
        hint="apt-get install chromium, or write --output card.html and print that",
    )


def _failed(browser: str, said: str) -> AssayError:
    return StoreUnavailable(
        "the browser has printed nothing", where=browser, expected=said or None, hint="--output card.html"
    )
