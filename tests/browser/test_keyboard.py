"""
Tests of the keyboard, and of the copy button.
"""

from __future__ import annotations

from playwright.sync_api import Page, expect

from ..integration.server import Server
from .conftest import VERSE, NewContext

COPIED = VERSE.replace("--", "\u2014")


def test_a_slash_leads_to_the_search(page: Page) -> None:
    page.goto("/?q=summer")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("a/b")
    expect(page.locator("#q")).to_have_value("a/b")


def test_everything_is_reached_with_the_tab_key(page: Page) -> None:
    """And the focus is visible everywhere."""
    page.goto("/?q=summer")
    reached = []
    for _ in range(11):
        page.keyboard.press("Tab")
        name, is_visible = page.evaluate(
            """() => {
                const { textContent, name } = document.activeElement;
                const style = getComputedStyle(document.activeElement);
                const isOutlined = style.outlineStyle !== "none";
                return [textContent || name, isOutlined || style.boxShadow !== "none"];
            }"""
        )
        reached.append(name.strip())
        assert is_visible, name
    assert reached == [
        *("Skip to the text", "Twisted Quotes", "Random", "Authors", "Dictionaries"),
        *("API", "q", "Filters", "William Shakespeare", "Link", "Copy"),
    ]


def test_a_quote_is_copied_with_its_attribution(
    new_context: NewContext, server: Server
) -> None:
    context = new_context(
        base_url=server.url, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    page.goto("/?q=summer")
    page.get_by_role("button", name="Copy").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    announced = page.get_by_role("status").filter(has_text="The quote is copied.")
    expect(announced).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == COPIED


def test_a_quote_is_copied_without_tls_too(page: Page) -> None:
    """Browsers have no navigator.clipboard then."""
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {})")
    page.goto("/?q=summer")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.press("Control+V")
    expect(page.locator("#q")).to_have_value(COPIED.replace("\n", " "))


def test_a_copy_that_is_not_allowed_is_told(page: Page) -> None:
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject()")
    page.goto("/?q=summer")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Not copied")).to_be_visible()
