"""
Tests of the URLs of Quotable in the real process.
"""

from __future__ import annotations

from urllib.parse import urlencode

from .cases import LibraryTestCase
from .server import Server


class QuotableTests(LibraryTestCase):
    """Tests of a service with C{--quotable}, and one without."""

    dictionaries = {
        "love": "All you need is love.\n-- John Lennon\n\nLove is blind.\n",
        "wisdom": (
            "A house divided cannot stand.\n-- Abraham Lincoln\n\n"
            "Peace of mind.\n-- John Lennon, Letters\n"
        ),
    }

    def get_json(self, server: Server, path: str, **parameters: object) -> object:
        """Return the body of a response that is no error."""
        response = server.get(f"{path}?{urlencode(parameters)}")
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(response.headers["access-control-allow-origin"], "*")
        return response.json()

    def get_results(self, server: Server, path: str, **parameters: object) -> list[str]:
        """Return the contents, or the names, of the results on a page."""
        page = self.get_json(server, path, **parameters)
        assert isinstance(page, dict)
        return [each.get("content") or each["name"] for each in page["results"]]

    def test_quotes_are_found(self) -> None:
        server = self.serve("--quotable")
        for parameters, contents in (
            ({"author": "john-lennon"}, ["All you need is love.", "Peace of mind."]),
            ({"author": "john-lennon", "tags": "wisdom"}, ["Peace of mind."]),
            (
                {"tags": "love|wisdom", "maxLength": 14},
                ["Love is blind.", "Peace of mind."],
            ),
            ({"tags": "love,wisdom"}, []),
        ):
            found = self.get_results(server, "/quotes", **parameters)
            self.assertEqual(found, contents)
        for query, contents in (
            ("love need", ["All you need is love."]),
            ('"house divided"', ["A house divided cannot stand."]),
            ("peace zebra", ["Peace of mind."]),
            ("lennon", ["All you need is love.", "Peace of mind."]),
        ):
            found = self.get_results(server, "/search/quotes", query=query)
            self.assertEqual(found, contents)
        quote = self.get_json(server, "/random", author="abraham-lincoln")
        assert isinstance(quote, dict)
        self.assertEqual(quote["content"], "A house divided cannot stand.")
        self.assertEqual(self.get_json(server, f"/quotes/{quote['_id']}"), quote)
        random_quotes = self.get_json(server, "/quotes/random", limit=50)
        assert isinstance(random_quotes, list)
        self.assertEqual(len(random_quotes), 4)

    def test_authors_and_tags_are_listed(self) -> None:
        server = self.serve(environment={"TWISTED_QUOTES_QUOTABLE": "yes"})
        names = ["Abraham Lincoln", "John Lennon"]
        self.assertEqual(self.get_results(server, "/authors"), names)
        found = self.get_results(server, "/authors", sortBy="quoteCount")
        self.assertEqual(found, names[::-1])
        found = self.get_results(server, "/search/authors", query="linc")
        self.assertEqual(found, names[:1])
        self.assertEqual(self.get_results(server, "/tags"), ["love", "wisdom"])

    def test_an_error_has_the_shape_of_quotable(self) -> None:
        """At its URLs only, if they are asked for."""
        server = self.serve("--quotable")
        for path, status in (
            *(("/random?tags=none", 404), ("/quotes?limit=0", 400), ("/quotes/x", 404)),
        ):
            body = server.get(path).json()
            self.assertEqual(list(body), ["statusCode", "statusMessage"])
            self.assertEqual(body["statusCode"], status)
        self.assertEqual(list(server.get("/nowhere").json()), ["Code", "message"])

    def test_without_the_option_there_are_no_such_urls(self) -> None:
        server = self.serve()
        for path in ("/random", "/tags", "/quotes/random", "/search/quotes?query=love"):
            response = server.get(path)
            self.assertEqual((response.status, response.json()["Code"]), (404, 404))
