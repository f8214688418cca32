"""
Tests of the documentation: the buttons that copy, and Swagger UI.
"""

from __future__ import annotations

from playwright.sync_api import Page, expect

from ..integration.server import Server
from .conftest import NewContext

INSTRUCTIONS = "/api/v1/web"


def test_a_button_copies_a_command(new_context: NewContext, server: Server) -> None:
    context = new_context(base_url=server.url)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(INSTRUCTIONS)
    figure = page.locator("figure").first
    figure.get_by_role("button", name="Copy").click()
    expect(figure.get_by_role("button")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == figure.locator("pre.command").text_content()
    assert copied.startswith("curl ")
    assert server.url in copied


def test_a_button_copies_where_there_is_no_clipboard_api(
    new_context: NewContext, server: Server
) -> None:
    """On plain HTTP, except for localhost."""
    context = new_context(base_url=server.url)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(INSTRUCTIONS)
    clipboard = page.evaluate_handle("navigator.clipboard")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: null })")
    figure = page.locator("figure").nth(1)
    figure.get_by_role("button", name="Copy").click()
    expect(figure.get_by_role("button")).to_have_text("Copied")
    copied = page.evaluate("(clipboard) => clipboard.readText()", clipboard)
    assert copied == figure.locator("pre.command").text_content()


def test_the_instructions_need_no_script(plain_page: Page) -> None:
    plain_page.goto(INSTRUCTIONS)
    expect(plain_page.locator("pre.answer").first).to_contain_text('"total"')
    expect(plain_page.get_by_role("button")).to_have_count(0)


def test_swagger_ui_sends_requests_under_the_strict_policy(page: Page) -> None:
    """The page fails on a violation of the policy."""
    page.goto("/docs/try")
    operation = page.locator("#operations-tag-Monitoring, .opblock").filter(
        has_text="/livez"
    )
    operation.first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    response = page.locator(".live-responses-table .response .microlight").first
    expect(response).to_contain_text('"status": "ok"')
