"""
A browser, and servers whose pages it shows.

These tests run under pytest without pytest-twisted, whose reactor does not go with the
event loop of Playwright: C{make browser}.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ..integration.server import Server, running_server

CHROMIUM = "/usr/bin/chromium"
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
FORTUNES = Path("/usr/share/games/fortunes")

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
ASTRAL = "\U0001d4b3\U0001f600 a nightingale \U0001d11e sang \U0001f600 nightingale"

VERSE = """\
Shall I compare thee to a summer's day?
Thou art more lovely and more temperate.
-- William Shakespeare, Sonnet 18"""

DICTIONARIES = {
    "poems": f'{VERSE}\n\n"Hope" is the thing with feathers.\n-- Emily Dickinson\n',
    "proverbs": "".join(f"Proverb number {n} of all.\n\n" for n in range(1, 46)),
    "strange": f"{HOSTILE}\n-- <b>Mallory</b>, <i>Works</i>\n\n{ASTRAL}\n-- Astra\n\n"
    "Engineering:    How will it work?\nScience:        Why will it work?\n",
}


def skip_without(reason: str) -> NoReturn:
    """Skip a test for what is missing, or fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    if not Path(CHROMIUM).exists():
        skip_without(f"{CHROMIUM} is missing (Debian has it in chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small library."""
    folder = tmp_path_factory.mktemp("library")
    for name, text in DICTIONARIES.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="session")
def server(library: Path) -> Iterator[Server]:
    """Serve the library."""
    with running_server(f"--dictionaries={library}") as server:
        yield server


@pytest.fixture(scope="session")
def fortunes() -> Iterator[Server]:
    """Serve Debian's fortunes."""
    if not (FORTUNES / "literature").exists():
        skip_without("Debian's fortunes and fortunes-min are not installed")
    with running_server(f"--dictionaries={FORTUNES}") as server:
        yield server


NewContext = Callable[..., BrowserContext]


@pytest.fixture
def new_context(browser: Browser) -> Iterator[NewContext]:
    """Return a function that makes a context, which is closed after the test."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        contexts.append(browser.new_context(**options))
        return contexts[-1]

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_context: NewContext, server: Server) -> Iterator[Page]:
    """Open a page, in which no script may fail and nothing be blocked."""
    page = new_context(base_url=server.url).new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: (
            problems.append(message.text)
            if "Content Security Policy" in message.text
            else None
        ),
    )
    yield page
    assert problems == []


@pytest.fixture
def plain_page(new_context: NewContext, server: Server) -> Page:
    """Open a page without scripts."""
    context = new_context(base_url=server.url, java_script_enabled=False)
    return context.new_page()
