"""
Tests of the URLs of Quotable for quotes.
"""

from __future__ import annotations

from unittest.mock import patch

from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.web.api.quotable import quotes

from ...clients import captured_events, get_request, request_events
from ..cases import index_missing
from .cases import QuotableTestCase

QUOTE_KEYS = [
    *("_id", "content", "author", "tags", "authorSlug", "length"),
    *("dateAdded", "dateModified"),
]
PAGE_KEYS = ["count", "totalCount", "page", "totalPages", "lastItemIndex", "results"]


class ListQuotesTests(QuotableTestCase):
    def test_a_page_has_the_documented_shape(self) -> None:
        body = self.get_json("/quotes")
        self.assertEqual(list(body), PAGE_KEYS)
        quotes = body.pop("results")
        self.assertEqual(
            body,
            {
                "count": 9,
                "totalCount": 9,
                "page": 1,
                "totalPages": 1,
                "lastItemIndex": 9,
            },
        )
        self.assertEqual(len(quotes), 9)
        text = (
            "Any sufficiently advanced technology is equivalent to magic.\n"
            "-- Arthur C. Clarke, Profiles of the Future"
        )
        self.assertEqual(list(quotes[0]), QUOTE_KEYS)
        self.assertEqual(
            quotes[0],
            {
                "_id": quote_id(text),
                "content": text.partition("\n")[0],
                "author": "Arthur C. Clarke",
                "tags": ["famous-quotes"],
                "authorSlug": "arthur-c-clarke",
                "length": 60,
                "dateAdded": "2023-04-14",
                "dateModified": "2023-04-14",
            },
        )
        self.assertEqual(quotes[4]["content"], "Whatever you are,\nbe a good one.")
        self.assertEqual(quotes[4]["dateAdded"], "2019-08-08")

    def test_a_quote_without_an_author_has_one_that_is_unknown(self) -> None:
        """Clients show a name."""
        [quote] = self.get_json("/quotes", tags="love", page=3, limit=1)["results"]
        self.assertEqual((quote["author"], quote["authorSlug"]), ("Unknown", "unknown"))

    def test_pages(self) -> None:
        for page, count, last in ((1, 4, 4), (2, 4, 8), (3, 1, 9), (4, 0, None)):
            body = self.get_json("/quotes", page=page, limit=4)
            numbers = (body["count"], len(body["results"]), body["lastItemIndex"])
            self.assertEqual(numbers, (count, count, last))
            numbers = (body["totalCount"], body["totalPages"], body["page"])
            self.assertEqual(numbers, (9, 3, page))

    def test_tags_are_dictionaries(self) -> None:
        for tags, count in (
            *(
                ("love", 5),
                ("LOVE", 5),
                ("Famous Quotes", 4),
                ("love|famous-quotes", 9),
            ),
            *(("love,famous-quotes", 0), ("love,love", 5), ("nothing", 0), ("", 9)),
            ("love|nothing", 5),
        ):
            body = self.get_json("/quotes", tags=tags)
            self.assertEqual((body["count"], body["totalCount"]), (count, count), tags)

    def test_authors_are_names_or_slugs(self) -> None:
        """A whole name, whatever stands after it."""
        for author, count in (
            *(("abraham-lincoln", 2), ("Abraham Lincoln", 2), ("lincoln", 0)),
            *(("john-lennon", 3), ("john-lennon|arthur-c-clarke", 4), ("", 9)),
            *(
                ("martin-luther-king", 1),
                ("Martin Luther King, Jr.", 1),
                ("unknown", 0),
            ),
        ):
            for name in ("author", "authorId"):
                body = self.get_json("/quotes", **{name: author})
                self.assertEqual(body["totalCount"], count, author)
        found = self.get_contents("/quotes", author="martin-luther-king")
        self.assertEqual(found, ["He wrote theses."])

    def test_filters_are_combined(self) -> None:
        found = self.get_contents("/quotes", author="john-lennon", tags="love")
        self.assertEqual(found, ["All you need is love.", "Peace of mind."])
        found = self.get_contents(
            "/quotes", author="john-lennon", tags="love", maxLength=14
        )
        self.assertEqual(found, ["Peace of mind."])

    def test_lengths_are_those_of_the_content(self) -> None:
        found = self.get_contents("/quotes", minLength=15, maxLength=16)
        self.assertEqual(found, ["I have a dream.", "He wrote theses."])
        self.assertEqual(self.get_contents("/quotes", minLength=9, maxLength=8), [])

    def test_the_default_order_may_be_sent(self) -> None:
        expected = self.get_contents("/quotes")
        found = self.get_contents("/quotes", sortBy="dateAdded", order="desc")
        self.assertEqual(found, expected)

    def test_what_cannot_be_honoured_is_an_error(self) -> None:
        for parameters, words in (
            ({"sortBy": "author"}, ['"sortBy"', "cannot be sorted"]),
            ({"order": "asc"}, ['"order"', "cannot be sorted"]),
            ({"limit": "151"}, ['"limit"', "1 to 150"]),
            ({"limit": "0"}, ['"limit"', "1 to 150"]),
            ({"page": "0"}, ['"page"', "1 or more"]),
            ({"minLength": "x"}, ['"minLength"', "whole number"]),
            ({"maxlength": "9"}, ['"maxlength"', 'nearest is "maxLength"']),
            ({"tags": "a,b|c"}, ['"tags"']),
        ):
            response = self.request("/quotes", **parameters)
            self.assert_quotable_error(response, 400, *words)

    def test_a_page_that_is_too_large_is_an_error(self) -> None:
        """Later pages would leave out quotes."""
        with patch.object(quotes, "MAX_PAGE_BYTES", 100):
            self.assert_quotable_error(self.request("/quotes"), 400, "lower limit")

    def test_a_page_is_not_cached_before_all_dictionaries_have_an_index(self) -> None:
        """Even if an author is not known yet."""
        with index_missing(self.folder / "famous-quotes"):
            for parameters, count in (
                *(({}, 5), ({"author": "john-lennon"}, 2)),
                ({"author": "arthur-c-clarke"}, 0),
            ):
                self.web = self.make_web(quotable=True, cache_bytes=10**6)
                response = self.request("/quotes", **parameters)
                self.assertEqual(response.json["totalCount"], count)
                self.assertEqual(response.header("cache-control"), "no-store")
        found = self.get_json("/quotes", author="arthur-c-clarke")
        self.assertEqual(found["totalCount"], 1)

    def test_a_page_can_be_cached(self) -> None:
        """The entity tag depends on the query."""
        first, second = self.request("/quotes"), self.request("/quotes", limit=3)
        self.assertEqual(first.header("cache-control"), "no-cache")
        tag = first.header("etag")
        assert tag is not None
        self.assertNotEqual(tag, second.header("etag"))
        again = self.request("/quotes", {"If-None-Match": tag})
        self.assertEqual((again.code, again.body), (304, b""))


class RandomQuotesTests(QuotableTestCase):
    def test_a_random_quote_is_one_object(self) -> None:
        response = self.request("/random")
        self.assertEqual(list(response.json), QUOTE_KEYS)
        self.assertEqual(response.header("cache-control"), "no-store")
        self.assertIsNone(response.header("etag"))

    def test_random_quotes_are_an_array(self) -> None:
        for limit, count in ((1, 1), (3, 3), (50, 9)):
            quotes = self.get_json("/quotes/random", limit=limit)
            self.assertEqual(len({each["_id"] for each in quotes}), count)
        self.assertEqual(len(self.get_json("/quotes/random")), 1)

    def test_they_are_chosen_from_those_that_match(self) -> None:
        for parameters, contents in (
            ({"tags": "love", "maxLength": 14}, {"Peace of mind."}),
            ({"author": "martin-luther-king-jr"}, {"I have a dream."}),
            (
                {"author": "John Lennon|nobody", "tags": "love"},
                {"All you need is love.", "Peace of mind."},
            ),
        ):
            quotes = self.get_json("/quotes/random", limit=50, **parameters)
            self.assertEqual({each["content"] for each in quotes}, contents)
            quote = self.get_json("/random", **parameters)
            self.assertIn(quote["content"], contents)

    def test_no_match_is_a_404_or_an_empty_array(self) -> None:
        for parameters in (
            *({"tags": "nothing"}, {"author": "nobody"}, {"minLength": 1000}),
            {"tags": "love,famous-quotes"},
        ):
            response = self.request("/random", **parameters)
            self.assert_quotable_error(response, 404, "No quote matches")
            self.assertEqual(self.get_json("/quotes/random", **parameters), [])

    def test_parameters_of_other_urls_are_an_error(self) -> None:
        response = self.request("/random", limit=2)
        self.assert_quotable_error(response, 400, '"limit"')
        response = self.request("/quotes/random", limit=51)
        self.assert_quotable_error(response, 400, '"limit"', "1 to 50")


class QuoteTests(QuotableTestCase):
    def test_each_quote_has_a_url(self) -> None:
        for quote in self.get_json("/quotes")["results"]:
            self.assertEqual(self.get_json(f"/quotes/{quote['_id']}"), quote)

    def test_an_unknown_id_is_a_404(self) -> None:
        for identity in ("0" * 24, "x", "Gljrsvf8-hQ", "%E2%82%AC"):
            response = self.request(f"/quotes/{identity}")
            self.assert_quotable_error(response, 404, "No quote has that id")

    def test_it_takes_no_parameters(self) -> None:
        response = self.request(f"/quotes/{'0' * 24}", x=1)
        self.assert_quotable_error(response, 400, '"x"')


class SearchQuotesTests(QuotableTestCase):
    def test_the_examples_of_the_documentation(self) -> None:
        for query, content in (
            (
                "every good technology is basically magic",
                "Any sufficiently advanced technology is equivalent to magic.",
            ),
            ("divided house", "A house divided against itself cannot stand."),
            ("life happiness", "Life is what happens."),
        ):
            body = self.get_json("/search/quotes", query=query)
            self.assertEqual(list(body), PAGE_KEYS)
            contents = [each["content"] for each in body["results"]]
            self.assertIn(content, contents)

    def test_quotes_with_all_words_are_the_only_ones_if_there_are_any(self) -> None:
        found = self.get_contents("/search/quotes", query="is love")
        self.assertEqual(found, ["All you need is love."])
        found = self.get_contents("/search/quotes", query="zebra love dream")
        self.assertEqual(found[0], "I have a dream.")
        self.assertIn("All you need is love.", found)

    def test_a_phrase(self) -> None:
        found = self.get_contents("/search/quotes", query='"house divided"')
        self.assertEqual(found, ["A house divided against itself cannot stand."])
        body = self.get_json("/search/quotes", query='"divided house"')
        self.assertEqual((body["totalCount"], body["results"]), (0, []))
        self.assertIsNone(body["lastItemIndex"])

    def test_fields(self) -> None:
        for fields, count in (
            *(("author", 3), ("content", 3), ("tags", 0), ("author,tags", 3)),
        ):
            body = self.get_json("/search/quotes", query="Lennon", fields=fields)
            self.assertEqual(body["totalCount"], count, fields)
        for fields, count in (("tags", 5), ("content", 1), ("content,tags", 5)):
            body = self.get_json("/search/quotes", query="LOVE", fields=fields)
            self.assertEqual(body["totalCount"], count, fields)

    def test_pages(self) -> None:
        parameters = {"query": "john", "limit": 2}
        first = self.get_json("/search/quotes", page=1, **parameters)
        second = self.get_json("/search/quotes", page=2, **parameters)
        third = self.get_json("/search/quotes", page=3, **parameters)
        self.assertEqual([x["count"] for x in (first, second, third)], [2, 1, 0])
        self.assertEqual([x["totalCount"] for x in (first, second, third)], [3, 3, 3])

    def test_what_cannot_be_honoured_is_an_error(self) -> None:
        for parameters, words in (
            ({}, ['"query" is missing']),
            ({"query": "?"}, ['"query" has 0 words']),
            ({"query": "a", "fuzzyMaxEdits": "1"}, ['"fuzzyMaxEdits"', "must be 0"]),
            ({"query": "a", "fields": "id"}, ['"fields"', "content, author and tags"]),
            ({"query": "a", "limit": "151"}, ['"limit"']),
        ):
            response = self.request("/search/quotes", **parameters)
            self.assert_quotable_error(response, 400, *words)
        found = self.get_json(
            "/search/quotes", query="a", fuzzyMaxEdits=0, fuzzyMaxExpansions=100
        )
        self.assertGreater(found["count"], 0)

    def test_the_query_is_not_in_an_error(self) -> None:
        """It may be private."""
        response = self.request("/search/quotes", query="secret\0")
        self.assert_quotable_error(response, 400, '"query" has a NUL')

    def test_a_request_is_logged_with_its_route(self) -> None:
        client = self.web.connect()
        with captured_events() as events:
            client.send(get_request("/quotes?tags=love"))
        [event] = [each for each in request_events(events) if "uri" in each]
        self.assertEqual(event["route"], "/quotes")
        self.assertEqual(event["dictionary"], "love")
        self.assertEqual(event["entries"], 5)
