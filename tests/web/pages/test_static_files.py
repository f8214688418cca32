"""
Tests of the static files.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

from twisted_quotes.web import pages

from ..clients import HOST
from .cases import PagesTestCase

STATIC = Path(str(files(pages) / "static"))
KILOBYTE = 1000


class StaticFileTests(PagesTestCase):
    """Tests of the style sheet, the script, the fonts and the icon."""

    def test_each_file_is_served_with_its_type(self) -> None:
        types = {
            "css": "text/css; charset=utf-8",
            "js": "text/javascript; charset=utf-8",
            "svg": "image/svg+xml",
            "txt": "text/plain; charset=utf-8",
            "woff2": "font/woff2",
        }
        suffixes = set()
        for path in STATIC.rglob("*.*"):
            suffix = path.name.rpartition(".")[2]
            suffixes.add(suffix)
            response = self.get(f"/static/{path.relative_to(STATIC)}")
            self.assertEqual(response.code, 200)
            self.assertEqual(response.header("content-type"), types[suffix])
            self.assertEqual(response.header("x-content-type-options"), "nosniff")
            self.assertEqual(response.body, path.read_bytes())
        self.assertEqual(suffixes, {*types})

    def test_other_names_are_a_404(self) -> None:
        for name in ("none", "..", "style.css.", "%00", "a%2Fb"):
            self.assert_error(self.get(f"/static/{name}"), 404)

    def test_a_client_with_the_file_gets_a_304(self) -> None:
        tag = self.get("/static/page.js").header("etag")
        assert tag is not None
        response = self.get("/static/page.js", headers={"If-None-Match": tag})
        self.assertEqual((response.code, response.body), (304, b""))

    def test_the_version_of_a_file_is_in_its_url(self) -> None:
        page = self.get_page("/")
        for name in ("style.css", "page.js"):
            [url] = [each for each in page.links if name in each]
            tag = self.get(url).header("etag")
            assert tag is not None
            self.assertEqual(url, f"/static/{name}?v={tag[1:-1]}")

    def test_a_client_keeps_a_version_but_not_the_file_of_another_release(self) -> None:
        [link] = [each for each in self.get_page("/").links if "style.css" in each]
        for url, expected in (
            (link, "max-age=31536000, immutable"),
            ("/static/style.css", "max-age=3600"),
            ("/static/style.css?v=0123456789abcdef", "no-cache"),
            ("/static/style.css?something", "no-cache"),
        ):
            self.assertEqual(self.get(url).header("cache-control"), expected, url)

    def test_the_fonts_of_a_page_are_those_of_the_style_sheet(self) -> None:
        """A browser would load a font twice otherwise."""
        preloaded = {each for each in self.get_page("/").links if "woff2" in each}
        style = self.get("/static/style.css").body.decode()
        fonts = {f"/static/{name}" for name in re.findall(r'url\("([^"]+)"\)', style)}
        self.assertEqual(fonts, preloaded)
        self.assertEqual(len(fonts), 2)

    def test_nothing_comes_from_elsewhere(self) -> None:
        for name in ("style.css", "page.js"):
            content = self.get(f"/static/{name}").body
            self.assertNotRegex(content, rb"https?://|@import|innerHTML|\beval\b")

    def test_the_files_are_small(self) -> None:
        """The start page adds 6.5 KB for a library with 60 dictionaries."""
        sizes = {path.name: len(path.read_bytes()) for path in STATIC.glob("*.*")}
        fonts = sum(size for name, size in sizes.items() if name.endswith(".woff2"))
        others = sizes["style.css"] + sizes["page.js"] + sizes["favicon.svg"]
        self.assertLess(others, 23.4 * KILOBYTE)
        self.assertLess(fonts, 50 * KILOBYTE)

    def test_the_licence_of_the_font_is_there(self) -> None:
        text = self.get("/static/eb-garamond-licence.txt").body
        self.assertIn(b"SIL OPEN FONT LICENSE", text.upper())

    def test_the_icon_has_a_url_of_its_own(self) -> None:
        self.assertEqual(
            self.get("/favicon.svg").body, self.get("/static/favicon.svg").body
        )


class OpenSearchTests(PagesTestCase):
    """Tests of the description for browsers."""

    def test_the_description_has_the_url_of_the_search(self) -> None:
        response = self.get("/opensearch.xml")
        content_type = "application/opensearchdescription+xml"
        self.assertEqual(response.header("content-type"), content_type)
        root = ElementTree.fromstring(response.body)
        namespace = "{http://a9.com/-/spec/opensearch/1.1/}"
        [url] = root.findall(f"{namespace}Url")
        self.assertEqual(url.get("template"), f"http://{HOST}/?q={{searchTerms}}")
        self.assertEqual(
            [each.text for each in root.findall(f"{namespace}Image")],
            [f"http://{HOST}/favicon.svg"],
        )

    def test_each_page_names_the_description(self) -> None:
        links = self.get_page("/").attributes["link"]
        [link] = [each for each in links if each["rel"] == "search"]
        self.assertEqual(link["href"], "/opensearch.xml")
        self.assertEqual(link["type"], "application/opensearchdescription+xml")
