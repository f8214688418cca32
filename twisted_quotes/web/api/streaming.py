"""
Answers that are sent while they are found, as fast as the client takes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_quotes.search.results import (
    Entries,
    EntryResults,
    QuoteResults,
    TooLargeToBuffer,
)
from twisted_quotes.text.lines import Lines
from twisted_quotes.text.quotes import Quote
from twisted_quotes.web.http.responses import render_body, set_content_type
from twisted_quotes.web.limits.output import IOutputQuota

# DEL, which JSON leaves as it is, unlike all that is below a blank (RFC 8259,
# section 7), and which no text holds that is meant to be read.
_SEPARATOR = b"\x7f"


class EntriesMissing(Exception):
    """Fewer entries came than were counted. The message is for the log alone."""


@implementer(IPushProducer)
class ResponseWriter:
    """
    The way to a client, which is at times not free.

    @param request: what is answered.
    @raise TooBusy: there is no room for it, see L{IOutputQuota}.
    @raise TooManyRequests: and that is because of this client.
    """

    def __init__(self, request: Any) -> None:
        self._writable: Deferred[None] | None = None
        self._request = request
        self._output = IOutputQuota(request, None)
        if self._output is not None:
            self._output.start_stream()
        request.registerProducer(self, True)

    @property
    def is_disconnected(self) -> bool:
        """Whether the client is gone."""
        return self._request.channel is None

    def write(self, data: bytes) -> None:
        """Send something, though the way be not free."""
        self._request.write(data)

    async def wait_until_writable(self) -> None:
        """Wait until more can be sent."""
        if self._writable is not None:
            await self._writable

    def close(self) -> None:
        """Send nothing more this way."""
        self._release_output()
        if not self.is_disconnected:
            self._request.unregisterProducer()

    def pauseProducing(self) -> None:
        """The client is slow: what was sent has not been taken."""
        if self._writable is None:
            self._writable = Deferred()

    def resumeProducing(self) -> None:
        """The client takes more."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.called:
            writable.callback(None)

    def stopProducing(self) -> None:
        """The client is gone: whoever writes is cancelled by Klein."""
        self._release_output()

    def _release_output(self) -> None:
        if self._output is not None:
            self._output.end_stream()


class QuoteStream(QuoteResults):
    """
    Quotes that are sent as they are found, one a line.

    @param writer: the way to the client.
    @param encode: makes a line of a quote.
    """

    slow = True
    batch_bytes = 64 * 1024

    def restart(self) -> bool:
        """What has been sent cannot be taken back."""
        if self.returned:
            return False
        self.total = 0
        return True

    def __init__(
        self,
        limit: int | None,
        writer: ResponseWriter,
        encode: Callable[[Quote], bytes],
    ) -> None:
        super().__init__(limit)
        self._writer = writer
        self._encode = encode

    async def write(self, quotes: list[Quote]) -> None:
        """Send the quotes. They count as soon as they are on their way."""
        self.returned += len(quotes)
        self._writer.write(b"".join(map(self._encode, quotes)))
        # A client may take its time; many of them must not have all quotes kept.
        quotes.clear()
        await self._writer.wait_until_writable()


def encode_entries(entries: Entries) -> bytes:
    """Write entries as they stand between the brackets of a JSON array."""
    if isinstance(entries, Lines) and entries and _SEPARATOR not in entries.data:
        # All of them are one string, in which the mark tells where each ends.
        marked = entries.data[:-1].replace(b"\n", _SEPARATOR)
        text = marked.decode("utf-8", "replace")
        return msgspec.json.encode(text).replace(_SEPARATOR, b'","')
    return msgspec.json.encode(list(entries))[1:-1]


class BufferedEntries(EntryResults):
    """
    Entries that are written as the one JSON object that API v1 answers with.

    @ivar count: how many entries were to come.
    """

    buffered = True

    def __init__(self) -> None:
        self.count = 0
        self._unsent = b""

    def start(self, count: int) -> None:
        """Write the beginning of the object."""
        super().start(count)
        self.count = count
        self._unsent = b'{"nr of entries":%d,"results":[' % count

    async def write(self, entries: Entries) -> None:
        """Write all entries."""
        self._append(entries)
        if self.remaining:
            raise TooLargeToBuffer()

    def _append(self, entries: Entries) -> None:
        """Write entries to the buffer."""
        comma = b"," if self.remaining < self.count and entries else b""
        self.remaining -= len(entries)
        self._unsent += comma + encode_entries(entries)

    def finish_body(self) -> bytes:
        """
        Write the end of the object.

        @return: all that has not been sent.
        @raise EntriesMissing: fewer entries came than were to come.
        """
        if self.remaining:
            raise EntriesMissing(f"{self.remaining} of {self.count}")
        return self._unsent + b"]}\n"


class StreamedEntries(BufferedEntries):
    """
    Entries that are sent while they are found, but for those that come at once.

    @param request: what is answered.
    @param is_large: whether they are known not to come at once.
    """

    buffered = False

    def __init__(self, request: Any, is_large: bool = False) -> None:
        super().__init__()
        self.is_large = is_large
        self._request = request
        self._writer: ResponseWriter | None = None

    async def write(self, entries: Entries) -> None:
        """Write entries. Send them if more are to come, as fast as the client reads."""
        self._append(entries)
        if self._writer is None and self.remaining:
            set_content_type(self._request, b"application/json")
            self._writer = ResponseWriter(self._request)
        if self._writer is not None:
            self._writer.write(self._unsent)
            self._unsent = b""
            # Keep no entries while a slow client reads.
            entries.clear()
            await self._writer.wait_until_writable()

    def restart(self) -> bool:
        """What has been sent cannot be taken back."""
        return self._writer is None

    def finish_response(self) -> bytes:
        """
        Write the end of the object, for the route to return.

        @raise EntriesMissing: fewer entries came than were to come.
        """
        end = self.finish_body()
        if self._writer is None:
            return render_body(self._request, b"application/json", end)
        self._writer.close()
        return end

    async def abort(self, reason: Failure) -> None:
        """Cut the answer, if it has begun: half of it must not seem to be all."""
        if self._writer is not None and not self._writer.is_disconnected:
            self._writer.close()
            self._request.abort_response(reason)
            # Klein cancels this when the connection is gone.
            await Deferred()
