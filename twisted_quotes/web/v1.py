"""
API v1: a question in JSON, its answer in JSON (contract, section 1).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any

import msgspec
from klein._app import KleinRenderable
from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from ..errors import BodyEncoded
from ..finder import Finder
from ..parse import parse_query
from ..query import List, Query, Random, action_of
from ..results import NotAtOnce
from ..sharing import Answer, SharedAnswers
from .answers import send
from .record import header, note, note_term
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

    def find(self, request: IRequest) -> KleinRenderable:
        """Answer the query in the body, whatever its Content-Type."""
        if header(request, b"content-encoding").lower() not in ("", "identity"):
            raise BodyEncoded(
                "The body has a Content-Encoding, and none is understood here. "
                "Send it as it is, without that header."
            )
        query = parse_query(request.content.read())
        note(request, action=action_of(query))
        if isinstance(query, List):
            return self._stream(request, query)
        asked = self._finder.asked(query.dictionary)
        note(request, dictionary=asked)
        if query.selection.pattern is not None:
            note_term(request, query.selection.pattern.term)
        versions = None
        if not self._shared.is_off and _has_one_answer(query):
            versions = self._finder.versions(asked)
        if versions is None:
            return self._stream(request, query)
        key = msgspec.msgpack.encode((query, asked, versions))
        kept = self._shared.kept(key)
        if kept is not None and kept.body is not None:
            return _send(request, kept, kept.body)
        find = partial(self._find, query, asked, versions)
        return self._share(request, query, key, find)

    async def _share(
        self,
        request: IRequest,
        query: Query,
        key: bytes,
        find: Callable[[], Coroutine[Deferred[Any], Any, Answer]],
    ) -> bytes:
        """Answer with what is found for all who ask the same meanwhile."""
        answer = await self._shared.find(key, lambda: Deferred.fromCoroutine(find()))
        if answer.body is None:
            return await self._stream(request, query, long=True)
        return _send(request, answer, answer.body)

    async def _find(self, query: Query, asked: str, versions: Hashable) -> Answer:
        entries = EntryBody()
        try:
            await self._finder.entries(query, entries)
        except NotAtOnce:
            return Answer(0, None)
        # Waiting for its turn, it may have been found in something newer.
        lasts = self._finder.versions(asked) == versions
        return Answer(entries.count, entries.body(), lasts)

    async def _stream(
        self, request: IRequest, query: Query, long: bool = False
    ) -> bytes:
        """Answer by itself, with what is found as it is found if that is much."""
        answer = EntryStream(request, long)
        try:
            await self._finder.entries(query, answer)
            note(request, entries=answer.count)
            return answer.end()
        except Exception:
            await answer.break_off(Failure())
            raise


def _send(request: IRequest, answer: Answer, body: bytes) -> bytes:
    note(request, entries=answer.count)
    return send(request, b"application/json", body)


def _has_one_answer(query: Query) -> bool:
    """Whether a query is answered alike each time."""
    return not (isinstance(query, Random) and query.seed is UNSET)
