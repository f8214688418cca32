"""
Results that are sent while they are found, as fast as the client reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_quotes.quotes.quote import Quote
from twisted_quotes.search.results import (
    Entries,
    EntryResults,
    QuoteResults,
    TooLargeToBuffer,
)
from twisted_quotes.text.lines import Lines
from twisted_quotes.web.http.compression import Encoder
from twisted_quotes.web.http.output_limiter import OutputQuota
from twisted_quotes.web.http.responses import render_body, set_content_type

from .v2.schemas import quote_body

JSON = b"application/json"

# DEL: JSON does not escape it (RFC 8259, section 7), and text seldom contains it.
_SEPARATOR = b"\x7f"

_ENCODER = msgspec.json.Encoder()


class EntriesMissing(Exception):
    """The search found fewer entries than it had counted."""


@implementer(IPushProducer)
class ResponseWriter:
    """
    Writes the body of a response, with flow control and the coding of the response.

    @raise TooBusy: the output quota is exhausted, see L{OutputQuota}.
    @raise TooManyRequests: the client has exhausted its share of the quota.
    """

    def __init__(self, request: Any) -> None:
        self._writable: Deferred[None] | None = None
        self._request = request
        self._output: OutputQuota | None = getattr(request, "output_quota", None)
        if self._output is not None:
            self._output.start_stream()
        encoder: Encoder | None = getattr(request, "encoder", None)
        is_encoded = encoder is not None and encoder.start_stream()
        self._encoder = encoder if is_encoded else None
        request.registerProducer(self, True)

    @property
    def is_disconnected(self) -> bool:
        """Whether the client has disconnected."""
        return self._request.channel is None

    async def write(self, data: bytes) -> None:
        """Write data, whether the client is ready for it or not."""
        if self._encoder is not None:
            data = await self._encoder.encode(data)
        self._request.write(data)

    async def wait_until_writable(self) -> None:
        """Wait until the client is ready for more data."""
        if self._writable is not None:
            await self._writable

    def close(self) -> None:
        """Stop the flow control. The route returns the last part of the body."""
        self.stopProducing()
        if not self.is_disconnected:
            self._request.unregisterProducer()

    def pauseProducing(self) -> None:
        """Make writers wait: the client reads slowly."""
        if self._writable is None:
            self._writable = Deferred()

    def resumeProducing(self) -> None:
        """Wake up the waiting writer."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.called:
            writable.callback(None)

    def stopProducing(self) -> None:
        """Release the output quota. Klein cancels the writer on a disconnect."""
        if self._output is not None:
            self._output.end_stream()


class QuoteStream(QuoteResults):
    """Sends quotes while they are found, one on each line."""

    slow = True
    batch_bytes = 64 * 1024

    def __init__(
        self, limit: int | None, writer: ResponseWriter, base_url: str
    ) -> None:
        super().__init__(limit)
        self._writer = writer
        self._base_url = base_url

    async def write(self, quotes: list[Quote]) -> None:
        """Send the quotes. They count as returned even if the client leaves."""
        self.returned += len(quotes)
        bodies = (quote_body(quote, self._base_url) for quote in quotes)
        await self._writer.write(_ENCODER.encode_lines(bodies))
        # Do not keep the quotes in memory while a slow client reads them.
        quotes.clear()
        await self._writer.wait_until_writable()

    def restart(self) -> bool:
        """Return whether nothing was sent yet, so that the search can restart."""
        if self.returned:
            return False
        self.total = 0
        return True


def encode_entries(entries: Entries) -> bytes:
    """Encode entries as the items of a JSON array, without the brackets."""
    if isinstance(entries, Lines) and entries and _SEPARATOR not in entries.data:
        # One string is faster to encode than many.
        joined = entries.data[:-1].replace(b"\n", _SEPARATOR)
        text = joined.decode("utf-8", "replace")
        return msgspec.json.encode(text).replace(_SEPARATOR, b'","')
    return msgspec.json.encode(list(entries))[1:-1]


class EntriesBody(msgspec.Struct, frozen=True):
    """The body of a response of API v1."""

    count: Annotated[int, Meta(ge=0, description="the length of `results`")] = (
        msgspec.field(name="nr of entries")
    )
    results: Annotated[
        Sequence[str],
        Meta(description="the entries: lines with their context, or whole quotes"),
    ]


class JSONEntries(EntryResults):
    """
    Encodes entries as the JSON object of API v1, as L{EntriesBody} describes it.

    The object is buffered if all entries are written at once. Otherwise it is sent
    while they are found, or L{TooLargeToBuffer} is raised if there is no request.

    @param request: the request to send the object to; L{None} to only buffer it.
    @param is_large: whether the entries are known to be too large to buffer.
    @ivar count: the number of all entries.
    """

    def __init__(self, request: Any = None, is_large: bool = False) -> None:
        self.buffered = request is None
        self.is_large = is_large
        self.count = 0
        self._unsent = b""
        self._request = request
        self._writer: ResponseWriter | None = None

    def start(self, count: int) -> None:
        """Encode the start of the object."""
        super().start(count)
        self.count = count
        self._unsent = b'{"nr of entries":%d,"results":[' % count

    async def write(self, entries: Entries) -> None:
        """Encode entries, and send them unless they are all entries."""
        comma = b"," if self.remaining < self.count and entries else b""
        self.remaining -= len(entries)
        self._unsent += comma + encode_entries(entries)
        if self._writer is None:
            if not self.remaining:
                return
            if self.buffered:
                raise TooLargeToBuffer()
            set_content_type(self._request, JSON)
            self._writer = ResponseWriter(self._request)
        await self._writer.write(self._unsent)
        # Do not keep the entries in memory while a slow client reads them.
        self._unsent = b""
        entries.clear()
        await self._writer.wait_until_writable()

    def restart(self) -> bool:
        """Return whether nothing was sent yet, so that the search can restart."""
        return self._writer is None

    def finish(self) -> bytes:
        """
        Return the rest of the object: all of it if nothing was sent.

        @raise EntriesMissing: the search found fewer entries than it had counted.
        """
        if self.remaining:
            raise EntriesMissing(f"{self.remaining} of {self.count}")
        body = self._unsent + b"]}\n"
        if self._writer is not None:
            self._writer.close()
        elif self._request is not None:
            return render_body(self._request, JSON, body)
        return body

    async def abort(self, reason: Failure) -> None:
        """
        Abort the connection if a part of the object was sent.

        A client must not mistake a part of the entries for all of them.
        """
        if self._writer is not None and not self._writer.is_disconnected:
            self._writer.close()
            self._request.abort_response(reason)
            # Klein cancels this when the connection is gone.
            await Deferred()
