"""
Tests of the pages in a browser that runs no scripts.
"""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from .conftest import HOSTILE, VERSE


def test_a_search_is_sent_as_a_form(plain_page: Page) -> None:
    plain_page.goto("/")
    expect(plain_page.locator("blockquote")).to_be_visible()
    plain_page.locator("#q").fill("summer")
    plain_page.get_by_role("button", name="Search").click()
    expect(plain_page.locator("blockquote")).to_contain_text(VERSE.split("\n")[0])
    expect(plain_page.locator("mark")).to_have_text("summer")
    expect(plain_page.locator("#q")).to_have_value("summer")
    expect(plain_page.locator("#status")).to_have_text("1 quote")
    expect(plain_page.get_by_role("button", name="Copy")).to_have_count(0)


def test_quotes_are_shown_page_by_page(plain_page: Page) -> None:
    plain_page.goto("/?q=proverb")
    status = plain_page.locator("#status")
    expect(status).to_have_text("1\u201320 of 45 quotes")
    plain_page.get_by_role("link", name="More quotes").click()
    expect(status).to_have_text("21\u201340 of 45 quotes")
    plain_page.get_by_role("link", name="More quotes").click()
    expect(status).to_have_text("41\u201345 of 45 quotes")
    plain_page.get_by_role("link", name="Earlier quotes").click()
    expect(status).to_have_text("21\u201340 of 45 quotes")


def test_dictionaries_and_authors_filter(plain_page: Page) -> None:
    plain_page.goto("/")
    plain_page.get_by_text("Filters").click()
    plain_page.get_by_label("poems").check()
    plain_page.get_by_label("Author").fill("dickinson")
    plain_page.get_by_role("button", name="Search").click()
    expect(plain_page.locator("#status")).to_have_text("1 quote")
    expect(plain_page.get_by_label("poems")).to_be_checked()


def test_near_words_are_suggested(plain_page: Page) -> None:
    plain_page.goto("/?q=sumer+day")
    plain_page.get_by_role("link", name="summer").first.click()
    expect(plain_page.locator("#status")).to_have_text("1 quote")


def test_the_message_of_an_error_is_shown(plain_page: Page) -> None:
    plain_page.goto(f"/?q={'+'.join(map(str, range(33)))}")
    expect(plain_page.locator("#status")).to_contain_text("has 33 words")


def test_html_in_a_quote_is_text(plain_page: Page) -> None:
    plain_page.goto("/?q=script")
    expect(plain_page.locator("blockquote")).to_have_text(HOSTILE)


def test_a_random_quote_has_a_page_with_neighbors(plain_page: Page) -> None:
    plain_page.goto("/?q=%22number+2+of%22")
    plain_page.get_by_role("link", name="Link").click()
    for rel, text in (("next", "number 3"), ("prev", "number 2"), ("prev", "number 1")):
        plain_page.locator(f"nav [rel={rel}]").click()
        expect(plain_page.locator("blockquote")).to_contain_text(f"{text} ")
    expect(plain_page.locator("nav [rel=prev]")).to_have_count(0)
    expect(plain_page).to_have_title(
        re.compile("^\u201cProverb number 1 of all.\u201d")
    )


def test_authors_and_dictionaries_lead_to_their_quotes(plain_page: Page) -> None:
    plain_page.goto("/")
    plain_page.get_by_role("link", name="Authors").click()
    plain_page.get_by_role("link", name="Emily Dickinson").click()
    expect(plain_page.locator("#status")).to_have_text("1 quote")
    plain_page.get_by_role("link", name="Dictionaries").click()
    plain_page.get_by_role("link", name="proverbs").click()
    expect(plain_page.locator("#status")).to_have_text("1\u201320 of 45 quotes")


def test_an_unknown_page_is_told(plain_page: Page) -> None:
    response = plain_page.goto(f"/quotes/{'0' * 24}")
    assert response is not None
    assert response.status == 404
    expect(plain_page.locator("h1")).to_have_text("Not found")
    expect(plain_page.locator("main")).to_contain_text("No quote has that id.")
