"""
Tests of the URLs of Quotable for authors and tags.
"""

from __future__ import annotations

from .cases import LIBRARY, QuotableTestCase
from .test_quotes import PAGE_KEYS

LINCOLN = {
    "_id": "abraham-lincoln",
    "name": "Abraham Lincoln",
    "slug": "abraham-lincoln",
    "quoteCount": 2,
    "bio": "",
    "description": "",
    "link": "",
}
SLUGS = [
    *("abraham-lincoln", "arthur-c-clarke", "john-lennon"),
    *("martin-luther-king", "martin-luther-king-jr"),
]


class AuthorsTests(QuotableTestCase):
    def get_slugs(self, path: str = "/authors", **parameters: object) -> list[str]:
        body = self.get_json(path, **parameters)
        return [author["slug"] for author in body["results"]]

    def test_a_page_has_the_documented_shape(self) -> None:
        body = self.get_json("/authors")
        self.assertEqual(list(body), PAGE_KEYS)
        self.assertEqual(body["results"][0], LINCOLN)
        self.assertEqual((body["count"], body["lastItemIndex"]), (5, 5))

    def test_authors_are_sorted_by_name_or_number_of_quotes(self) -> None:
        self.assertEqual(self.get_slugs(), SLUGS)
        self.assertEqual(self.get_slugs(sortBy="name", order="asc"), SLUGS)
        self.assertEqual(self.get_slugs(order="desc"), SLUGS[::-1])
        by_count = self.get_slugs(sortBy="quoteCount")
        self.assertEqual(by_count[:2], ["john-lennon", "abraham-lincoln"])
        self.assertEqual(self.get_slugs(sortBy="quoteCount", order="desc"), by_count)
        ascending = self.get_slugs(sortBy="quoteCount", order="asc")
        self.assertEqual(ascending[-1], "john-lennon")

    def test_pages(self) -> None:
        self.assertEqual(self.get_slugs(limit=2, page=2), SLUGS[2:4])
        body = self.get_json("/authors", limit=2, page=4)
        self.assertEqual((body["count"], body["totalCount"]), (0, 5))
        self.assertEqual((body["totalPages"], body["lastItemIndex"]), (3, None))

    def test_authors_are_selected_by_slug(self) -> None:
        for slugs in ("albert-einstein", "nobody|x"):
            self.assertEqual(self.get_slugs(slug=slugs), [])
        found = self.get_slugs(slug="martin-luther-king|abraham-lincoln")
        self.assertEqual(found, ["abraham-lincoln", "martin-luther-king"])

    def test_one_author(self) -> None:
        for slug in ("abraham-lincoln", "Abraham%20Lincoln"):
            self.assertEqual(self.get_json(f"/authors/{slug}"), LINCOLN)
        response = self.request("/authors/albert-einstein")
        self.assert_quotable_error(response, 404, "no author with that slug")

    def test_search(self) -> None:
        for query, slugs in (
            ("lincoln", ["abraham-lincoln"]),
            ("linc", ["abraham-lincoln"]),
            ("Martin Luther King Jr", [SLUGS[3], SLUGS[4]]),
            ("nobody", []),
        ):
            found = self.get_slugs("/search/authors", query=query)
            self.assertEqual(found, slugs)
        found = self.get_slugs("/search/authors", query="linc", autocomplete="false")
        self.assertEqual(found, [])
        found = self.get_slugs("/search/authors", query="john king", matchThreshold=1)
        self.assertEqual(sorted(found), SLUGS[2:])
        found = self.get_slugs("/search/authors", query="king", limit=1, page=2)
        self.assertEqual(found, ["martin-luther-king-jr"])

    def test_what_cannot_be_honoured_is_an_error(self) -> None:
        for path, parameters, words in (
            ("/authors", {"sortBy": "dateAdded"}, ['"sortBy"', "no dates"]),
            ("/authors", {"order": "up"}, ['"order"']),
            ("/authors", {"limit": 151}, ['"limit"']),
            ("/authors/x", {"limit": 1}, ['"limit"']),
            ("/search/authors", {}, ['"query" is missing']),
            ("/search/authors", {"query": "a", "matchThreshold": 4}, ["1 to 3"]),
            ("/tags", {"sortBy": "x"}, ['"sortBy"']),
            ("/tags", {"limit": 3}, ['"limit"']),
        ):
            self.assert_quotable_error(self.request(path, **parameters), 400, *words)

    def test_a_new_author_is_listed_at_once(self) -> None:
        (self.folder / "more").write_text("E = mc\u00b2.\n-- Albert Einstein\n")
        self.assertIn("albert-einstein", self.get_slugs())
        found = self.get_contents("/quotes", author="albert-einstein")
        self.assertEqual(found, ["E = mc\u00b2."])


class TagsTests(QuotableTestCase):
    def test_a_tag_is_a_dictionary(self) -> None:
        body = self.get_json("/tags")
        self.assertEqual(list(body), ["count", "results"])
        self.assertEqual(body["count"], 2)
        self.assertEqual(
            body["results"][0],
            {
                "_id": "famous-quotes",
                "name": "famous-quotes",
                "slug": "famous-quotes",
                "quoteCount": 4,
                "dateAdded": "2023-04-14",
                "dateModified": "2023-04-14",
            },
        )

    def test_tags_are_sorted(self) -> None:
        names = sorted(LIBRARY)
        for parameters, expected in (
            *(
                ({}, names),
                ({"sortBy": "name"}, names),
                ({"order": "desc"}, names[::-1]),
            ),
            ({"sortBy": "quoteCount"}, ["love", "famous-quotes"]),
            ({"sortBy": "quoteCount", "order": "asc"}, ["famous-quotes", "love"]),
            ({"sortBy": "dateAdded"}, ["famous-quotes", "love"]),
            ({"sortBy": "dateModified", "order": "asc"}, ["love", "famous-quotes"]),
        ):
            results = self.get_json("/tags", **parameters)["results"]
            self.assertEqual([each["name"] for each in results], expected)
