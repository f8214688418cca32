"""
Tests of the design: accessibility, widths, colours, weight, and what may be loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, Response, expect

from ..integration.server import Server, running_server
from .conftest import AXE, NewContext, skip_without

KILOBYTE = 1000
WIDTHS = 320, 800, 1600
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

PATHS = (
    "/",
    "/?q=proverb&offset=20",
    "/?q=sumer",
    "/?q=works",
    "/?q=script&author=mallory&dictionary=strange",
    "/random-quote",
    "/authors",
    "/dictionaries",
    "/api/v1/web",
    "/docs",
    "/none",
)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_violation(
    new_context: NewContext, server: Server, scheme: Literal["light", "dark"]
) -> None:
    if not AXE.exists():
        skip_without("axe-core is missing: make browser installs it with npm")
    # The policy of a page does not allow the script of the test.
    page = new_context(
        base_url=server.url, color_scheme=scheme, bypass_csp=True
    ).new_page()
    for path in PATHS:
        page.goto(path)
        page.add_script_tag(path=AXE)
        found = page.evaluate("axe.run()")
        assert found["passes"]
        violations = [
            (x["id"], [n["html"] for n in x["nodes"]]) for x in found["violations"]
        ]
        assert violations == [], path


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_window(
    new_context: NewContext, server: Server, width: int
) -> None:
    page = new_context(
        base_url=server.url, viewport={"width": width, "height": 700}
    ).new_page()
    for path in PATHS:
        page.goto(path)
        scroll_width = page.evaluate("document.scrollingElement.scrollWidth")
        assert scroll_width == width, path


def test_lines_are_of_a_length_to_read(page: Page) -> None:
    """Some 34rem in a window of any width."""
    for width in (800, 1600, 2400):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("/?q=summer")
        rem, measure = page.evaluate(
            """() => [
                parseFloat(getComputedStyle(document.documentElement).fontSize),
                document.querySelector("main").clientWidth,
            ]"""
        )
        assert 18 <= rem <= 21
        assert measure <= 34.1 * rem


def test_both_colour_schemes_are_used(new_context: NewContext, server: Server) -> None:
    colours = set()
    for scheme in SCHEMES:
        page = new_context(base_url=server.url, color_scheme=scheme).new_page()
        page.goto("/")
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_nothing_moves_while_a_page_loads(page: Page) -> None:
    for path in PATHS:
        page.goto(path, wait_until="networkidle")
        shifts = page.evaluate(
            """() => new Promise((resolve) => {
                new PerformanceObserver((list) => resolve(list.getEntries().length))
                    .observe({ type: "layout-shift", buffered: true });
                requestAnimationFrame(() => requestAnimationFrame(() => resolve(0)));
            })"""
        )
        assert shifts == 0, path


@pytest.mark.parametrize("path", ["/", "/?q=time", "/authors"])
def test_a_page_is_light(new_context: NewContext, fortunes: Server, path: str) -> None:
    """The start page has at most 30 KB without fonts; the others, without quotes."""
    page = new_context(base_url=fortunes.url).new_page()
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    page.goto(path, wait_until="networkidle")
    assert page.evaluate("document.fonts.check('1rem \"EB Garamond\"')")
    sizes = {each.url: len(each.body()) for each in responses}
    fonts = sum(size for url, size in sizes.items() if url.endswith(".woff2"))
    others = sum(sizes.values()) - fonts
    print(f"\n{path}: {others} bytes, and {fonts} of fonts")
    assert len(sizes) == len(responses)
    assert fonts
    limit = 30 if path == "/" else 60
    assert others < limit * KILOBYTE
    assert fonts + others < (limit + 50) * KILOBYTE


@pytest.fixture(scope="module")
def other_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve something on another port, which is another origin."""
    folder: Path = tmp_path_factory.mktemp("other")
    (folder / "a").write_text("One.\n")
    with running_server(f"--dictionaries={folder}") as server:
        yield server


def test_a_script_of_another_origin_is_blocked(
    new_context: NewContext, server: Server, other_server: Server
) -> None:
    """So are a style sheet, an image, a request, and a script in the page."""
    page = new_context(base_url=server.url).new_page()
    for path in PATHS:
        page.goto(path)
        blocked: Any = page.evaluate(
            """async (origin) => {
                const blocked = [];
                document.addEventListener("securitypolicyviolation", (event) =>
                    blocked.push(event.effectiveDirective));
                const add = (name, attributes) => new Promise((resolve) => {
                    const element = document.createElement(name);
                    element.onerror = resolve;
                    Object.assign(element, attributes);
                    document.body.append(element);
                    if (attributes.textContent) resolve();
                });
                await add("script", { src: `${origin}/static/page.js` });
                await add("script", { textContent: "window.hacked = 1" });
                const href = `${origin}/static/style.css`;
                await add("link", { rel: "stylesheet", href });
                await add("img", { src: `${origin}/favicon.svg` });
                await fetch(`${origin}/api/v2/quotes`).catch(() => {});
                while (blocked.length < 5) await new Promise(requestAnimationFrame);
                return [blocked.sort(), window.hacked];
            }""",
            other_server.url,
        )
        expected = "connect-src img-src script-src-elem script-src-elem style-src-elem"
        assert blocked == [expected.split(), None], path


def test_a_page_can_be_printed_and_read_without_style(page: Page) -> None:
    page.route("**/static/*", lambda route: route.abort())
    page.goto("/?q=summer")
    expect(page.locator("article")).to_contain_text("Shall I compare thee")
