"""
API v1: a question in JSON, its answer in JSON (contract, section 1).
"""

from __future__ import annotations

from twisted.logger import Logger
from twisted.web.iweb import IRequest

from ..finder import Finder
from ..parse import parse_query
from ..query import Search, action_of
from .answers import Entries, send_json
from .record import IRecord, note


class QuotesV1:
    """
    The routes of API v1.

    @param finder: answers the queries.
    """

    _log = Logger()

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    async def find(self, request: IRequest) -> bytes:
        """Answer the query in the body, whatever its Content-Type."""
        query = parse_query(request.content.read())
        dictionary = query.dictionary or self._finder.default_dictionary
        note(request, action=action_of(query), dictionary=dictionary)
        if isinstance(query, Search):
            self._log.debug(
                "Request {id} looks for {term!r}.",
                id=IRecord(request).id,
                term=query.term,
            )
        entries = await self._finder.find(query)
        note(request, entries=len(entries))
        return send_json(request, Entries(len(entries), entries))
