"""Chromium, and a server of pages in a thread, for the tests that look at pages as people do."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.applications import Starlette

from assay.record.store import Store
from assay.server.pages import routes

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; its absence is a failure, because a page nobody opened is a page nobody checked."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing; install it with: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


@contextmanager
def served(store: Store) -> Iterator[str]:
    """The pages of a store at a port of their own."""
    config = uvicorn.Config(Starlette(routes=routes(store)), port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@contextmanager
def opened(
    browser: Browser, address: str, *, width: int = 1280, theme: Any = "light", errors: int = 0
) -> Iterator[Page]:
    """A page that asks only its own server and complains about nothing; `errors` answers may be refusals."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    yield page
    home = "/".join(address.split("/")[:3])
    assert [url for url in asked if not url.startswith((home, "data:"))] == []
    assert len(complaints) <= errors, complaints
    context.close()


def fits(page: Page) -> bool:
    """Whether nothing has to be scrolled sideways but boxes of their own."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def grave(page: Page) -> list[str]:
    """What axe finds serious."""
    from axe_playwright_python.base import AXE_SCRIPT

    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]
