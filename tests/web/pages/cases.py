"""
What the tests of the pages share.
"""

from __future__ import annotations

from html.parser import HTMLParser

from ..clients import ClientResponse, WebTestCase

_VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """
    A parsed page.

    @ivar texts: the texts of all elements, by their names.
    @ivar links: the targets of all links and assets.
    @ivar attributes: the attributes of all elements, by their names.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open_elements: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.attributes: dict[str, list[dict[str, str]]] = {}
        self.is_balanced = True
        self.feed(html)
        self.close()
        self.is_balanced = self.is_balanced and not self.open_elements

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open_elements.append(tag)
        self.texts.setdefault(tag, []).append("")
        values = {name: value or "" for name, value in attrs}
        self.attributes.setdefault(tag, []).append(values)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self.is_balanced = self.is_balanced and self.open_elements[-1:] == [tag]
            self.open_elements = self.open_elements[:-1]

    def handle_data(self, data: str) -> None:
        """Add the text to all open elements."""
        for tag in dict.fromkeys(self.open_elements):
            self.texts[tag][-1] += data


class PagesTestCase(WebTestCase):
    """
    Parses pages.

    @ivar html: the last page.
    """

    def get_page(self, path: str, code: int = 200, **headers: str) -> Page:
        """Get and parse a page, as a browser does."""
        headers = {"accept": "text/html,*/*;q=0.8"} | headers
        return self.parse(self.get(path, headers=headers), code)

    def parse(self, response: ClientResponse, code: int = 200) -> Page:
        """Check that a response is a page, and parse it."""
        self.assertEqual(response.code, code)
        self.assertEqual(response.header("content-type"), "text/html; charset=utf-8")
        self.assertEqual(response.header("content-length"), str(len(response.body)))
        self.assertTrue(response.body.startswith(b"<!DOCTYPE html>\n"))
        self.html = response.body.decode()
        return Page(self.html)
