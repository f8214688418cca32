"""
Tests of the search page with its script.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from ..integration.server import Server, running_server
from .conftest import ASTRAL, HOSTILE, VERSE, NewContext

API = re.compile("/api/v2/quotes")


def search(page: Page, text: str) -> None:
    """Type a search, and wait for its quotes."""
    page.locator("#q").fill(text)
    with page.expect_response(API):
        pass


def quotations(page: Page) -> list[str]:
    return page.locator("#results blockquote").all_inner_texts()


def test_a_quote_is_there_before_a_key_is_pressed(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#results blockquote")).to_be_visible()
    expect(page.locator("h2")).to_have_text("Quote of the day")
    expect(page.locator("#q")).to_be_focused()


def test_quotes_are_found_while_typing(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("summer")
    expect(page.locator("#status")).to_have_text("1 quote")
    assert quotations(page) == ["\n".join(VERSE.split("\n")[:2])]
    expect(page.locator("mark")).to_have_text(["summer"])
    expect(page.locator("cite")).to_have_text("Sonnet 18")
    expect(page).to_have_title("summer \u2013 Twisted Quotes")
    expect(page).to_have_url(re.compile(r"/\?q=summer$"))


def test_fast_typing_is_one_request(page: Page) -> None:
    page.goto("/")
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    # Within one task, so that the timer cannot fire meanwhile.
    page.evaluate(
        """() => {
            const field = document.querySelector("#q");
            for (const letter of "summer") {
                field.value += letter;
                field.dispatchEvent(new InputEvent("input", { bubbles: true }));
            }
        }"""
    )
    expect(page.locator("#status")).to_have_text("1 quote")
    assert [url.partition("?")[2] for url in urls if API.search(url)] == ["q=summer"]


def test_matches_are_marked_after_characters_outside_the_first_plane(
    page: Page,
) -> None:
    page.goto("/")
    search(page, "nightingale")
    expect(page.locator("mark")).to_have_text(["nightingale", "nightingale"])
    assert quotations(page) == [ASTRAL]


def test_html_in_a_quote_is_text(page: Page) -> None:
    page.goto("/")
    search(page, "script")
    assert quotations(page) == [HOSTILE]
    expect(page.locator("cite")).to_have_text("<i>Works</i>")
    page.reload()
    assert quotations(page) == [HOSTILE]
    assert page.evaluate("window.hacked") is None


def test_the_script_and_the_server_make_the_same_html(
    page: Page, new_context: NewContext, fortunes: Server
) -> None:
    def markup(shown: Page) -> Any:
        return shown.evaluate(
            """() => [...document.querySelectorAll("#results article")].map((each) => {
                for (const link of each.querySelectorAll("a")) link.href = link.href;
                return each.innerHTML;
            })"""
        )

    context = new_context(base_url=fortunes.url)
    typed, rendered = context.new_page(), context.new_page()
    typed.goto("/")
    for text in ("shakespeare", "time", "in:definitions", "in:art", "in:love", "Q:"):
        search(typed, text)
        expect(typed.locator("#status")).to_contain_text("quotes")
        rendered.goto(typed.url)
        assert markup(typed) == markup(rendered), text
        assert typed.locator("#status").inner_text() == (
            rendered.locator("#status").inner_text()
        )


def test_of_a_very_long_quote_the_script_and_the_server_show_the_same(
    new_context: NewContext, tmp_path: Path
) -> None:
    lines = "".join(f"Line number {number}\n" for number in range(10_000))
    (tmp_path / "long").write_text(f"{lines}-- Eve, Letters\n")
    shown = []
    with running_server(f"--dictionaries={tmp_path}") as server:
        page = new_context(base_url=server.url).new_page()
        page.goto("/")
        search(page, "letters")
        for _ in range(2):
            expect(page.locator("#results .source")).to_have_text(
                "This is only the beginning. The whole quote"
            )
            shown.append(page.locator("#results article").inner_html())
            page.reload()
        assert shown[0] == shown[1]
        page.locator("#results .source a").click()
        expect(page.locator("body")).to_contain_text("Line number 9999")


def test_an_answer_that_is_late_is_not_shown(page: Page) -> None:
    page.goto("/")
    held: list[Route] = []
    page.route(re.compile("q=hope"), lambda route: held.append(route))
    with page.expect_request(re.compile("q=hope")) as late:
        page.locator("#q").fill("hope")
    search(page, "summer")
    expect(page.locator("#status")).to_have_text("1 quote")
    assert late.value.failure == "net::ERR_ABORTED"
    assert "summer" in quotations(page)[0]


def test_typing_replaces_the_address_and_enter_adds_one(page: Page) -> None:
    page.goto("/")
    length = page.evaluate("history.length")
    search(page, "summer")
    assert page.evaluate("history.length") == length
    page.keyboard.press("Enter")
    search(page, "hope")
    page.keyboard.press("Enter")
    assert page.evaluate("history.length") == length + 2
    page.go_back()
    expect(page.locator("#q")).to_have_value("summer")
    expect(page.locator("mark")).to_have_text("summer")
    page.go_back()
    expect(page.locator("h2")).to_have_text("Quote of the day")
    expect(page.locator("#q")).to_have_value("")
    page.go_forward()
    expect(page.locator("mark")).to_have_text("summer")


def test_the_results_are_there_after_a_look_at_a_quote(page: Page) -> None:
    page.goto("/")
    search(page, "summer")
    page.get_by_role("link", name="Link").click()
    expect(page).to_have_url(re.compile(r"/quotes/[0-9a-f]{24}$"))
    page.go_back()
    expect(page.locator("mark")).to_have_text("summer")
    expect(page.locator("#q")).to_have_value("summer")


def test_a_shared_link_shows_its_search(page: Page) -> None:
    page.goto("/?q=all&dictionary=proverbs&author=")
    expect(page.locator("#status")).to_have_text("1\u201320 of 45 quotes")
    expect(page.locator("#q")).to_have_value("all")
    expect(page.get_by_label("proverbs")).to_be_checked()


def test_an_emptied_field_shows_the_quote_of_the_day(page: Page) -> None:
    page.goto("/?q=summer")
    page.locator("#q").fill("")
    expect(page.locator("h2")).to_have_text("Quote of the day")
    assert page.locator("#results article").count() == 1
    expect(page).to_have_url(re.compile(r"/$"))


def test_more_quotes_are_added(page: Page) -> None:
    page.goto("/")
    search(page, "proverb")
    expect(page.locator("#status")).to_have_text("1\u201320 of 45 quotes")
    more = page.get_by_role("link", name="More quotes")
    more.click()
    expect(page.locator("#status")).to_have_text("1\u201340 of 45 quotes")
    expect(page.locator("article").nth(20)).to_be_focused()
    more.click()
    expect(page.locator("#status")).to_have_text("45 quotes")
    expect(more).to_have_count(0)
    assert len({*quotations(page)}) == 45


def test_more_quotes_follow_those_of_the_server(page: Page) -> None:
    page.goto("/?q=proverb&offset=20")
    page.get_by_role("link", name="More quotes").click()
    expect(page.locator("#status")).to_have_text("21\u201345 of 45 quotes")
    page.get_by_role("link", name="Earlier quotes").click()
    expect(page.locator("#status")).to_have_text("1\u201320 of 45 quotes")


def test_dictionaries_and_authors_filter(page: Page) -> None:
    page.goto("/")
    page.get_by_text("Filters").click()
    page.get_by_label("poems").check()
    expect(page.locator("#status")).to_have_text("2 quotes")
    page.get_by_label("Author").fill("dickinson")
    expect(page.locator("#status")).to_have_text("1 quote")
    expect(page).to_have_url(re.compile(r"/\?author=dickinson&dictionary=poems$"))
    page.reload()
    expect(page.get_by_label("Author")).to_have_value("dickinson")
    expect(page.get_by_label("poems")).to_be_visible()


def test_the_author_leads_to_all_quotes_of_the_author(page: Page) -> None:
    page.goto("/?q=summer")
    page.get_by_role("link", name="William Shakespeare").click()
    expect(page.locator("#q")).to_have_value('author:"William Shakespeare"')
    expect(page.locator("#status")).to_have_text("1 quote")


def test_near_words_are_suggested(page: Page) -> None:
    page.goto("/")
    search(page, "sumer day")
    expect(page.locator("#status")).to_contain_text("Nothing found. Did you mean")
    page.get_by_role("link", name="summer").first.click()
    expect(page.locator("#q")).to_have_value("summer day")
    expect(page.locator("#status")).to_have_text("1 quote")


def test_the_message_of_an_error_is_shown(page: Page) -> None:
    page.goto("/?q=summer")
    search(page, " ".join(map(str, range(33))))
    expect(page.locator("#status")).to_contain_text("has 33 words, and 32 are allowed")
    expect(page.locator("#status")).not_to_contain_text("Instructions")
    search(page, "hope")
    expect(page.locator("#status")).to_have_text("1 quote")


def test_a_slow_search_is_told_after_300_ms(page: Page) -> None:
    page.clock.install()
    page.goto("/")
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)
    page.route(API, lambda route: None)
    with page.expect_request(API):
        page.locator("#q").fill("summer")
        page.clock.run_for(120)
    page.clock.run_for(299)
    expect(page.locator("#status")).to_have_text("")
    page.clock.run_for(1)
    expect(page.locator("#status")).to_have_text("Searching\u2026")


def test_a_shutdown_is_told_and_the_quotes_stay(page: Page) -> None:
    page.goto("/?q=summer")
    message = "The service is shutting down. Try again in 5 seconds or more."
    body = json.dumps({"Code": 503, "message": f"{message} Instructions: http://x/"})
    page.route(API, lambda route: route.fulfill(status=503, body=body))
    search(page, "hope")
    expect(page.locator("#status")).to_have_text(message)
    expect(page.locator("mark")).to_have_text("summer")
    page.unroute(API)
    # The same search is asked again.
    page.keyboard.press("Enter")
    expect(page.locator("mark")).to_have_text("Hope")


def test_a_random_quote_has_a_page(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Random").click()
    expect(page).to_have_url(re.compile(r"/quotes/[0-9a-f]{24}$"))
    expect(page.locator("blockquote")).to_be_visible()
