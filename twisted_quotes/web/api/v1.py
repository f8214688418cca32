"""
API v1: a question in JSON, its answer in JSON (contract, section 1).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from klein._app import KleinRenderable
from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from twisted_quotes.errors import BodyEncoded
from twisted_quotes.library.dictionary import Steps
from twisted_quotes.query.parsing import parse_query
from twisted_quotes.query.queries import (
    EVERY_DICTIONARY,
    List,
    Query,
    Random,
    action_of,
)
from twisted_quotes.query.regex_dialect import sign_of_regex
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import NotAtOnce
from twisted_quotes.web.http.clients import client_asking
from twisted_quotes.web.http.request_log import IRecord, header, note, note_term
from twisted_quotes.web.http.responses import send

from .response_cache import Answer, SharedAnswers, key_of
from .streaming import EntryBody, EntryStream


class QuotesV1:
    """
    The routes of API v1.

    @param finder: answers the queries.
    @param shared: has answers shared, and keeps them.
    """

    _log = Logger()

    def __init__(self, finder: Finder, shared: SharedAnswers) -> None:
        self._finder = finder
        self._shared = shared
        self._told_of_regex = False

    def find(self, request: IRequest) -> KleinRenderable:
        """Answer the query in the body, whatever its Content-Type."""
        if request.requestHeaders.hasHeader(b"content-encoding"):
            _check_encoding(header(request, b"content-encoding"))
        query = parse_query(request.content.read())
        action = action_of(query)
        if isinstance(query, List):
            note(request, action=action)
            return self._stream(request, query)
        asked = self._finder.asked(query.dictionary)
        note(request, action=action, dictionary=asked)
        if query.selection.pattern is not None:
            note_term(request, query.selection.pattern.term)
        if self._shared.is_off or not _has_one_answer(query):
            return self._stream(request, query)
        if asked == EVERY_DICTIONARY:
            return self._find_in_all(request, query, asked)
        return self._answer(request, query, asked, self._finder.versions(asked))

    async def _find_in_all(self, request: IRequest, query: Query, asked: str) -> bytes:
        """Answer when all dictionaries have been looked at, which takes a while."""
        versions = await self._finder.all_versions()
        answer = self._answer(request, query, asked, versions)
        return answer if isinstance(answer, bytes) else await answer

    def _answer(
        self,
        request: IRequest,
        query: Query,
        asked: str,
        versions: Sequence[Steps] | None,
    ) -> bytes | Coroutine[Deferred[Any], Any, bytes]:
        """
        Answer a query.

        @param versions: those of what is asked; L{None} where it could change unseen.
        """
        if versions is None:
            return self._stream(request, query)
        key = key_of((query, asked), versions)
        kept = self._shared.kept(key)
        if kept is None:
            client = client_asking(request)
            find = partial(self._find, query, asked, versions, client)
            return self._share(request, query, key, find, client)
        if kept.body is None:
            return self._stream(request, query, long=True)
        return self._send(request, query, kept, kept.body)

    async def _share(
        self,
        request: IRequest,
        query: Query,
        key: bytes,
        find: Callable[[], Coroutine[Deferred[Any], Any, Answer]],
        client: str | None,
    ) -> bytes:
        """Answer with what is found for all who ask the same meanwhile."""
        answer = await self._shared.find(
            key, lambda: Deferred.fromCoroutine(find()), client
        )
        if answer.body is None:
            return await self._stream(request, query, long=True)
        return self._send(request, query, answer, answer.body)

    async def _find(
        self, query: Query, asked: str, versions: Sequence[Steps], client: str | None
    ) -> Answer:
        entries = EntryBody()
        left_out = self._finder.left_out
        try:
            await self._finder.entries(query, entries, client)
        except NotAtOnce:
            return Answer(0, None)
        # Waiting for its turn, it may have been found in something newer.
        if asked == EVERY_DICTIONARY:
            latest = await self._finder.all_versions()
        else:
            latest = self._finder.versions(asked)
        lasts = self._finder.left_out == left_out and latest == versions
        return Answer(entries.count, entries.body(), lasts)

    async def _stream(
        self, request: IRequest, query: Query, long: bool = False
    ) -> bytes:
        """Answer by itself, with what is found as it is found if that is much."""
        answer = EntryStream(request, long)
        try:
            await self._finder.entries(query, answer, client_asking(request))
            self._note_entries(request, query, answer.count)
            return answer.end()
        except Exception:
            await answer.break_off(Failure())
            raise

    def _send(
        self, request: IRequest, query: Query, answer: Answer, body: bytes
    ) -> bytes:
        self._note_entries(request, query, answer.count)
        return send(request, b"application/json", body)

    def _note_entries(self, request: IRequest, query: Query, count: int) -> None:
        """Note for the log how many entries were found, and once a likely mistake."""
        note(request, entries=count)
        if count or self._told_of_regex or isinstance(query, List) or query.offset:
            return
        pattern = query.selection.pattern
        if pattern is None or pattern.regex:
            return
        if sign := sign_of_regex(pattern.term):
            self._told_of_regex = True
            self._log.info(
                "Request {id} found nothing with a term that has {sign}: without "
                '"regex" a term is a fixed string. Further such requests are not '
                "logged.",
                id=IRecord(request).id,
                sign=sign,
            )


def _check_encoding(encoding: str) -> None:
    """
    Check the Content-Encoding of a body.

    @raise BodyEncoded: it is not readable as it stands.
    """
    if encoding.lower() not in ("", "identity"):
        raise BodyEncoded(
            "The body has a Content-Encoding, and none is understood here. "
            "Send it as it is, without that header."
        )


def _has_one_answer(query: Query) -> bool:
    """Whether a query is answered alike each time."""
    return not (isinstance(query, Random) and query.seed is UNSET)
