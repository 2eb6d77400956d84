"""Chromium, and a server of pages in a thread, for all tests that look at pages as people do."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from tests.server.page_clients import pages_of

from assay.record.store import Store

ANY_IMPACT = ("minor", "moderate", "serious", "critical")
_WAYS: tuple[tuple[int, Literal["dark", "light"]], ...] = ((0, "dark"), (1280, "light"))  # 0: the narrow one
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
def served(store: Store, *, may_write: bool = True) -> Iterator[str]:
    """The pages of a store at a port of their own."""
    config = uvicorn.Config(pages_of(store, may_write=may_write), port=0, log_level="error", ws="none")
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
def watched(page: Page, home: str, *, errors: int = 0) -> Iterator[Page]:
    """The page must ask only for what begins with `home` and complain of nothing; `errors` complaints are expected."""
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert [url for url in asked if not url.startswith((home, "data:"))] == []
    assert len(complaints) <= errors, complaints


@contextmanager
def opened(
    browser: Browser, address: str, *, width: int = 1280, theme: Any = "light", errors: int = 0, offline: bool = False
) -> Iterator[Page]:
    """A page in a context of its own that asks only its own server, or itself where it is a file."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    context.set_offline(offline)
    home = address if address.startswith("file:") else "/".join(address.split("/")[:3])
    with watched(context.new_page(), home, errors=errors) as page:
        page.goto(address)
        yield page
    context.close()


def fits(page: Page) -> bool:
    """Whether nothing has to be scrolled sideways but boxes of their own."""
    page.evaluate(_DRAWN)
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


_DRAWN = (
    "() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"  # charts follow a width
)


_AXE = """async most => {
    const cut = [...document.querySelectorAll("tbody")].map(body => [body, [...body.rows].slice(most)]);
    for (const [, rows] of cut) rows.forEach(row => row.remove());
    const found = await axe.run({resultTypes: ["violations"]});
    for (const [body, rows] of cut) body.append(...rows);
    return found.violations;
}"""
_ROWS = 12  # of each table: the others are alike, and with a hundred of them axe takes ten times as long


def grave(page: Page, impacts: tuple[str, ...] = ("serious", "critical")) -> list[str]:
    """What axe finds serious, or of other `impacts`, in the page with the first rows of its tables."""
    from axe_playwright_python.base import AXE_SCRIPT

    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary']}"
        for each in page.evaluate(_AXE, _ROWS)
        if each["impact"] in impacts
        for node in each["nodes"][:3]
    ]


def faults(
    page: Page, address: str, *, narrow: int = 360, impacts: tuple[str, ...] = ANY_IMPACT, unfolded: bool = False
) -> list[str]:
    """What is wrong with the page at an address: whether it fits, and what axe finds, on a dark phone and a light
    desktop; with `unfolded`, also in what is folded away.
    """
    page.goto(address)
    if unfolded:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found = []
    for width, theme in _WAYS:
        page.set_viewport_size({"width": width or narrow, "height": 800})
        page.emulate_media(color_scheme=theme)
        found += [] if fits(page) else [f"scrolls sideways at {width or narrow} px"]
        found += [f"{one} at {width or narrow} px, {theme}" for one in grave(page, impacts)]
    return found
