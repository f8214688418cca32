"""
The pictures of the pages in the documents: C{make screenshots} takes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from ..integration.server import ROOT, Server, running_server
from .conftest import NewContext

MAX_SIZE = 150 * 1024
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "page-light": ("/", {}),
    "page-dark": ("/", {"color_scheme": "dark"}),
    "page-phone": (
        "/?q=heart",
        {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 2},
    ),
    "page-results": ("/?q=time", {}),
    "page-quote": ("/quotes/", {}),
}


@pytest.fixture(scope="module")
def shipped() -> Iterator[Server]:
    """Serve the dictionaries that ship with the service."""
    with running_server() as server:
        yield server


def open_page(page: Page, server: Server, path: str) -> None:
    """Open a page with its fonts, and without a cursor."""
    if path == "/quotes/":
        found = server.get("/api/v2/quotes?q=%22marriage+of+true+minds%22").json()
        path += found["quotes"][0]["id"]
    for _ in range(2):
        # The fonts are in the cache the second time.
        page.goto(server.url + path, wait_until="networkidle")
    page.evaluate("document.fonts.ready")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small(
    new_context: NewContext, shipped: Server, name: str, tmp_path: Any
) -> None:
    folder = ROOT / "docs" if os.environ.get("SCREENSHOTS") else tmp_path
    path, options = PICTURES[name]
    context = new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = context.new_page()
    open_page(page, shipped, path)
    picture = folder / f"{name}.png"
    page.screenshot(path=picture)
    assert picture.stat().st_size <= MAX_SIZE
