"""
The topics of the documentation that are not about one operation.
"""

from __future__ import annotations

from twisted_quotes.web.openapi.operation import Topic
from twisted_quotes.web.server.refusal import MAX_BODY_SIZE

INTRODUCTION = """\
There are two APIs. API v2 takes a query in a URL and returns quotes as data. API v1
takes a query in JSON and returns text.

HEAD works wherever GET does, and `OPTIONS *` has a response without a body."""

V2 = Topic(
    "v2",
    "API v2: quotes as data",
    """\
The URLs support GET. Tracking parameters, such as `utm_source` and `fbclid`, are
ignored; any other unknown parameter is an error.

A page of quotes has `total`, the number of all matching quotes. If it does not have
all quotes after the offset, `truncated` is true and `reason` is `limit`, `bytes` or
`timeout`. The header `Link` has the URL of the next page.

Each quote has an `id`, which depends on its text alone, and its `text`. Of that,
`quotation` is the text without its `attribution`, which consists of the `author` and,
after a comma, the `work`; `length` is the length of the quotation. Then there are the
`dictionary`, the numbers of its first and last line, `line_from` and `line_to`, the
`url` of a page with the quote, and `matches`: the positions of the term or the words
in the text, in Unicode code points. A quote with more than a thousand matches has
only the first thousand, and `matches_truncated` is true; other quotes do not have
that key.

With `Accept: text/plain`, quotes are plain text, separated by blank lines.

A response has an `ETag`. Send it in `If-None-Match` to get a 304 if nothing has
changed.
""",
)

SEARCH_SYNTAX = Topic(
    "search-syntax",
    "Searches as people type them",
    """\
With `q` instead of `term`, all words must occur, in any order. `"two words"` is a
phrase, and `-word` or `-"two words"` must not occur. `one OR other` is either.
`author:name` is a part of the author, `in:name` the name of a dictionary. At most 32
words and phrases are allowed.
""",
)

V1 = Topic(
    "v1",
    "API v1: queries in JSON",
    f"""\
Send `POST /api/v1/json` with one JSON object in UTF-8 as the body. Any Content-Type
is accepted. The maximum size of the body is {MAX_BODY_SIZE} bytes.

A term is a fixed string, in which `^`, `$` and `.*` have no special meaning. With
`"regex": true` it is a POSIX extended regular expression.

A field that is not in the table is an error. So is a field that the action does not
take. A field that is `null` is treated as missing.

A response has the status 200 and two keys: `results` is a list of strings, and `nr of
entries` is its length. Each match is a separate entry: the matching line with its
context lines, joined by line feeds. If nothing matches, the list is empty; this is
not an error.

Bytes that are not UTF-8 are replaced by U+FFFD. CRLF line ends and a byte order mark
are not part of the text.

With `ignore_case`, letters match by the simple case folding of Unicode. In a regular
expression with a back-reference, `[:lower:]`, `[:upper:]`, `[=a=]`, or a range that
is not within a-z, A-Z or 0-9, this is not the case for a few letters: U+0131 (dotless
i) matches i, and only themselves match U+03F4, U+1E9E, U+2126 (Ohm), U+212A (Kelvin),
U+212B (Angstrom) and U+1C80 to U+1C88.
""",
)

WHOLE_QUOTES = Topic(
    "whole-quotes",
    "Whole quotes",
    """\
In a dictionary, quotes are separated by lines with only `%`, or by blank lines if
there are no such lines, or each line is a quote. With `"unit": "quote"`, an entry is
the whole quote that contains the match. A quote with several matches is returned
once. Context is counted in quotes.

A quote is searched as one line with single spaces between the words, so that a phrase
is found even if it is broken across lines. Letters with accents match whether they
are composed or not. Straight and curly quotation marks match each other. The response
has the original text. The author is the attribution at the end of the quote, after a
mark such as `--` or a dash.
""",
)

AUTHENTICATION = Topic(
    "authentication",
    "Authentication",
    """\
A service may require authentication. Send a name and a password with HTTP Basic, as
`curl -u NAME:PASSWORD` does, or both as a bearer token: `Authorization: Bearer
NAME.PASSWORD`.
""",
)

ERRORS = Topic(
    "errors",
    "Errors",
    """\
An error is also JSON: `{"Code": 404, "message": "..."}`. The code is the HTTP status.
The message says what is wrong and how to correct it.
""",
)

PAGES = Topic("pages", "Pages", "HTML for people, and the files that it needs.")

MONITORING = Topic("monitoring", "Monitoring", "For those who run the service.")

TESTS = Topic("tests", "Tests", "For tests of the service and its clients.")

INSTRUCTIONS = V2, SEARCH_SYNTAX, V1, WHOLE_QUOTES, AUTHENTICATION
"""The topics of the instructions, in order."""
