"""
The parameters of the URLs of API v2.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct
from twisted.web.iweb import IRequest

from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.query.queries import DictionaryNames
from twisted_quotes.query.quote_queries import LibraryQuery
from twisted_quotes.search.finder import Finder
from twisted_quotes.web.http.request_log import annotate_query, query_string

Q = TypeVar("Q", bound=LibraryQuery)


class NoParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of a URL that takes none."""


def check_no_parameters(request: IRequest) -> None:
    """Raise L{BadRequest<twisted_quotes.errors.BadRequest>} if there are parameters."""
    parse_parameters(query_string(request), NoParameters)


def read_query(
    request: IRequest, query_type: type[Q], finder: Finder
) -> tuple[Q, DictionaryNames]:
    """
    Parse and log the query of a request.

    @return: the query, and the names of the dictionaries to search.
    """
    query = parse_parameters(query_string(request), query_type)
    requested = finder.resolve_names(query)
    annotate_query(request, query, requested)
    return query, requested
