"""
Tests of a page whose server is stopped.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from ..integration.server import running_server
from .conftest import NewContext


def test_quotes_stay_while_the_server_is_gone(
    new_context: NewContext, library: Path
) -> None:
    """And the next key finds the server that is there again."""
    dictionaries = f"--dictionaries={library}"
    page = new_context().new_page()
    status = page.locator("#status")
    with running_server(dictionaries) as server:
        page.goto(f"{server.url}/?q=summer")
        server.stop()
    page.locator("#q").fill("hope")
    expect(status).to_contain_text("The service cannot be reached.")
    expect(page.locator("mark")).to_have_text("summer")
    port = server.address[1]
    with running_server(dictionaries, listen=f"tcp:{port}:interface=127.0.0.1"):
        page.locator("#q").press("End")
        page.keyboard.type(" ")
        expect(page.locator("mark")).to_have_text("Hope")
        expect(status).to_have_text("1 quote")
