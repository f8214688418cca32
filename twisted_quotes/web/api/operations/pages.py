"""
The pages, the documentation, and the files that they need.
"""

from __future__ import annotations

from typing import Any

from twisted_quotes.query.quote_queries import FindQuotes
from twisted_quotes.web.openapi.operation import (
    HTML,
    JSON,
    Body,
    Operation,
    PathParameter,
)
from twisted_quotes.web.pages.browse_pages import BrowsePages, PageQuery
from twisted_quotes.web.pages.documentation.documentation import Documentation
from twisted_quotes.web.pages.quote_page import quote_page
from twisted_quotes.web.pages.search_page import SearchPage
from twisted_quotes.web.pages.static_files import favicon, open_search, static_file

from .quotes import QUOTE_ID
from .topics import PAGES


def _page(title: str) -> Body:
    return Body(HTML, str, f"<!DOCTYPE html><title>{title}</title>")


def describe_error_page(code: int, message: str) -> str:
    """Return an example of an error for a browser, from a URL that is a page."""
    return f"<!DOCTYPE html><title>Error {code}</title><p>{message}</p>"


SEARCH = Operation(
    "get_search_page",
    "/",
    SearchPage.search,
    PAGES,
    "The search page: with the parameters of `/api/v2/quotes`, the quotes",
    [_page("Quotes")],
    parameters=FindQuotes,
    errors=[403, 404, 504],
)

RANDOM = Operation(
    "go_to_random_quote",
    "/random-quote",
    SearchPage.random,
    PAGES,
    "A redirect to the page of a random quote",
    [],
    errors=[404, 504],
    headers=["Location"],
    status=303,
)

SEARCH_OPERATIONS = SEARCH, RANDOM

QUOTE = Operation(
    "get_quote_page",
    "/quotes/<identity>",
    quote_page,
    PAGES,
    "The page of a quote",
    [_page("A quote")],
    path_parameters={"identity": QUOTE_ID},
    errors=[404, 504],
)

QUOTE_OPERATIONS = (QUOTE,)

AUTHORS = Operation(
    "get_authors_page",
    "/authors",
    BrowsePages.authors,
    PAGES,
    "A page of authors",
    [_page("Authors")],
    parameters=PageQuery,
    errors=[504],
)

DICTIONARIES = Operation(
    "get_dictionaries_page",
    "/dictionaries",
    BrowsePages.dictionaries,
    PAGES,
    "A page of dictionaries",
    [_page("Dictionaries")],
    parameters=PageQuery,
)

BROWSE_OPERATIONS = AUTHORS, DICTIONARIES

OPEN_SEARCH = Operation(
    "get_opensearch_description",
    "/opensearch.xml",
    open_search,
    PAGES,
    "The OpenSearch description, with which a browser can search",
    [Body("application/opensearchdescription+xml", str, "<OpenSearchDescription/>")],
)

FAVICON = Operation(
    "get_favicon",
    "/favicon.svg",
    favicon,
    PAGES,
    "The icon of the pages",
    [Body("image/svg+xml", str, "<svg/>")],
    is_conditional=True,
)

STATIC = Operation(
    "get_static_file",
    "/static/<path:name>",
    static_file,
    PAGES,
    "A style sheet, a script, a font or another file of the pages",
    [
        Body("text/css", str, "code { white-space: nowrap; }"),
        Body("text/javascript", str, '"use strict";'),
        Body("font/woff2", str, ""),
        Body("image/svg+xml", str, "<svg/>"),
        Body("text/plain", str, "License"),
    ],
    path_parameters={"name": PathParameter("The name of the file", "docs.css")},
    errors=[404],
    is_conditional=True,
)

FILE_OPERATIONS = OPEN_SEARCH, FAVICON, STATIC

INSTRUCTIONS = Operation(
    "get_instructions",
    "/api/v1/web",
    Documentation.instructions,
    PAGES,
    "The instructions: all requests of both APIs, with examples",
    [_page("Instructions")],
)

DOCUMENT = Operation(
    "get_openapi_document",
    "/openapi.json",
    Documentation.document,
    PAGES,
    "This document",
    [Body(JSON, dict[str, Any], {"openapi": "3.1.0"})],
    is_conditional=True,
)

DOCS = Operation(
    "get_reference",
    "/docs",
    Documentation.reference,
    PAGES,
    "All operations, for people",
    [_page("Reference")],
)

TRY = Operation(
    "try_operations",
    "/docs/try",
    Documentation.try_out,
    PAGES,
    "All operations, in Swagger UI, which sends requests from the browser",
    [_page("Try the API")],
)

DOCUMENTATION_OPERATIONS = INSTRUCTIONS, DOCUMENT, DOCS, TRY
OPERATIONS = (
    *SEARCH_OPERATIONS,
    *QUOTE_OPERATIONS,
    *BROWSE_OPERATIONS,
    *DOCUMENTATION_OPERATIONS,
    *FILE_OPERATIONS,
)
