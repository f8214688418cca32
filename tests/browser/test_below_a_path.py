"""
Tests of the pages below a path, with authentication, and behind a proxy.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, expect

from ..integration.cases import find_program
from ..integration.server import running_server, wait_until
from ..integration.test_proxies import NGINX_FRAME, accepts_connections, free_port
from .conftest import NewContext

PATH = "/quotes/here"
LOCATION = """\
server {{
    listen 127.0.0.1:{port};
    location {path}/ {{
        proxy_pass {upstream}{replaced};
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Prefix "{prefix}";
    }}
}}
"""


class Site(NamedTuple):
    """Where the pages are, and the options of a context that may see them."""

    url: str
    options: dict[str, Any]


@pytest.fixture(scope="module", params=["direct", "auth", "kept", "removed"])
def site(
    request: pytest.FixtureRequest,
    library: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Serve below a path, which a proxy keeps or removes."""
    folder, mode = tmp_path_factory.mktemp("site"), request.param
    options, context = [f"--dictionaries={library}"], {}
    if mode == "auth":
        (folder / "passwords").write_text("alice:secret\n")
        options.append(f"--auth=file:{folder / 'passwords'}")
        credentials = {"username": "alice", "password": "secret"}
        context = {"http_credentials": credentials}
    if mode in ("kept", "removed"):
        options.append("--trusted-proxies=127.0.0.1")
    if mode != "removed":
        options.append(f"--base-path={PATH}")
    with running_server(*options) as server:
        if mode in ("direct", "auth"):
            yield Site(server.url + PATH, context)
            return
        port, file = free_port(), folder / "proxy.conf"
        is_removed = mode == "removed"
        text = LOCATION.format(
            port=port,
            path=PATH,
            upstream=server.url,
            replaced="/" if is_removed else "",
            prefix=PATH if is_removed else "",
        )
        file.write_text(NGINX_FRAME.format(folder=folder, text=text))
        command = [
            find_program("nginx", "nginx-light"),
            "-e",
            "stderr",
            "-c",
            str(file),
        ]
        with subprocess.Popen(command) as process:
            try:
                wait_until(lambda: accepts_connections(port), "nginx")
                yield Site(f"http://127.0.0.1:{port}{PATH}", {})
            finally:
                process.kill()


@pytest.fixture
def below(new_context: NewContext, site: Site) -> Iterator[Page]:
    """Open the search page, whose requests all succeed and stay below the path."""
    context = new_context(**site.options)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    urls: list[str] = []
    problems: list[str] = []
    page.on("request", lambda each: urls.append(each.url))
    page.on(
        "requestfailed",
        # A navigation aborts what the page before it still loads.
        lambda each: (
            problems.append(f"{each.url} {each.failure}")
            if each.failure != "net::ERR_ABORTED"
            else None
        ),
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "response",
        lambda each: (
            problems.append(f"{each.url} {each.status}") if each.status >= 400 else None
        ),
    )
    page.goto(f"{site.url}/")
    yield page
    assert problems == []
    outside = [each for each in urls if not each.startswith((f"{site.url}/", "data:"))]
    assert outside == []


def test_the_style_sheet_and_the_fonts_load(below: Page) -> None:
    loaded = "document.fonts.load('1em \"EB Garamond\"').then((fonts) => fonts.length)"
    assert below.evaluate(loaded) > 0
    assert below.evaluate("document.styleSheets[0].cssRules.length") > 0


def test_quotes_are_found_while_typing(below: Page, site: Site) -> None:
    below.locator("#q").fill("summer")
    expect(below.locator("mark")).to_have_text("summer")
    expect(below).to_have_url(f"{site.url}/?q=summer")
    below.get_by_role("button", name="Copy").click()
    expect(below.get_by_role("button", name="Copied")).to_be_visible()
    assert "summer" in below.evaluate("navigator.clipboard.readText()")
    below.get_by_role("link", name="William Shakespeare").click()
    expect(below.locator("#status")).to_have_text("1 quote")


def test_more_quotes_are_added(below: Page) -> None:
    below.locator("#q").fill("proverb")
    more = below.get_by_role("link", name="More quotes")
    more.click()
    expect(below.locator("#status")).to_have_text("1\u201340 of 45 quotes")


def test_a_permalink_leads_to_the_next_and_the_previous_quote(below: Page) -> None:
    below.locator("#q").fill("summer")
    expect(below.locator("mark")).to_have_text("summer")
    below.get_by_role("link", name="Link").click()
    expect(below).to_have_url(re.compile(rf"{PATH}/quotes/[0-9a-f]{{24}}$"))
    below.get_by_role("link", name="Next").click()
    expect(below.locator("blockquote")).to_contain_text("feathers")
    below.get_by_role("link", name="Previous").click()
    expect(below.locator("blockquote")).to_contain_text("summer")


@pytest.mark.parametrize(
    ("name", "link"), [("Authors", "Emily Dickinson"), ("Dictionaries", "poems")]
)
def test_names_lead_to_their_quotes(below: Page, name: str, link: str) -> None:
    below.get_by_role("link", name=name, exact=True).click()
    below.get_by_role("link", name=link).click()
    expect(below.locator("blockquote").first).to_be_visible()


def test_a_random_quote_has_a_page(below: Page) -> None:
    below.get_by_role("link", name="Random").click()
    expect(below).to_have_url(re.compile(rf"{PATH}/quotes/[0-9a-f]{{24}}$"))


def test_the_icon_and_the_search_description_are_there(below: Page, site: Site) -> None:
    fetch = """(rel) => fetch(document.querySelector(`link[rel=${rel}]`).href)
        .then((response) => response.text())"""
    assert "<svg" in below.evaluate(fetch, "icon")
    assert f'"{site.url}/?q={{searchTerms}}"' in below.evaluate(fetch, "search")


def test_swagger_ui_sends_requests(below: Page, site: Site) -> None:
    below.goto(f"{site.url}/docs")
    below.goto(f"{site.url}/docs/try")
    below.locator(".opblock").filter(has_text="/livez").first.click()
    below.get_by_role("button", name="Try it out").click()
    below.get_by_role("button", name="Execute").click()
    response = below.locator(".live-responses-table .response .microlight").first
    expect(response).to_contain_text('"status": "ok"')
