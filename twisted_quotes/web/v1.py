"""
API v1: a question in JSON, its answer in JSON (contract, section 1).
"""

from __future__ import annotations

from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from ..finder import Finder
from ..parse import parse_query
from ..query import List, action_of
from .record import note, note_term
from .stream import EntryStream


class QuotesV1:
    """
    The routes of API v1.

    @param finder: answers the queries.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    async def find(self, request: IRequest) -> bytes:
        """Answer the query in the body, whatever its Content-Type."""
        query = parse_query(request.content.read())
        note(request, action=action_of(query))
        if not isinstance(query, List):
            pattern = query.selection.pattern
            note(request, dictionary=self._finder.asked(query.dictionary))
            if pattern is not None:
                note_term(request, pattern.term)
        answer = EntryStream(request)
        try:
            await self._finder.entries(query, answer)
            note(request, entries=answer.count)
            return answer.end()
        except Exception:
            await answer.break_off(Failure())
            raise
