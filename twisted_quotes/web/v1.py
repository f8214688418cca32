"""
API v1: a question in JSON, its answer in JSON (contract, section 1).
"""

from __future__ import annotations

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from ..finder import Finder
from ..parse import parse_query
from ..query import List, Query, Random, action_of
from ..results import NotAtOnce
from ..sharing import Answer, SharedAnswers
from .answers import send
from .record import note, note_term
from .stream import EntryBody, EntryStream


class QuotesV1:
    """
    The routes of API v1.

    @param finder: answers the queries.
    @param shared: has answers shared, and keeps them.
    """

    def __init__(self, finder: Finder, shared: SharedAnswers) -> None:
        self._finder = finder
        self._shared = shared

    async def find(self, request: IRequest) -> bytes:
        """Answer the query in the body, whatever its Content-Type."""
        query = parse_query(request.content.read())
        note(request, action=action_of(query))
        if not isinstance(query, List):
            asked = self._finder.asked(query.dictionary)
            note(request, dictionary=asked)
            if query.selection.pattern is not None:
                note_term(request, query.selection.pattern.term)
            if not self._shared.is_off and _has_one_answer(query):
                answer = await self._share(query, asked)
                if answer.body is not None:
                    note(request, entries=answer.count)
                    return send(request, b"application/json", answer.body)
        return await self._stream(request, query)

    async def _share(self, query: Query, asked: str) -> Answer:
        """Find an answer for all who ask the same of the same dictionaries."""
        states = await self._finder.states(asked)
        key = query, asked, tuple(sorted(states.items()))
        return await self._shared.get(
            key, lambda: Deferred.fromCoroutine(self._find(query))
        )

    async def _find(self, query: Query) -> Answer:
        entries = EntryBody()
        try:
            await self._finder.entries(query, entries)
        except NotAtOnce:
            return Answer(0, None)
        return Answer(entries.count, entries.body())

    async def _stream(self, request: IRequest, query: Query) -> bytes:
        """Answer by itself, with what is found as it is found if that is much."""
        answer = EntryStream(request)
        try:
            await self._finder.entries(query, answer)
            note(request, entries=answer.count)
            return answer.end()
        except Exception:
            await answer.break_off(Failure())
            raise


def _has_one_answer(query: Query) -> bool:
    """Whether a query is answered alike each time."""
    return not (isinstance(query, Random) and query.seed is UNSET)
