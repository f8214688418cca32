"""
Answers that are sent while they are found, as fast as the client takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_quotes.search.results import EntryResults, NotAtOnce, Results
from twisted_quotes.text.lines import Lines
from twisted_quotes.text.quotes import Quote
from twisted_quotes.web.http.responses import send, set_content_type
from twisted_quotes.web.limits.output import IOutput

# DEL, which JSON leaves as it is, unlike all that is below a blank (RFC 8259,
# section 7), and which no text holds that is meant to be read.
_MARK = b"\x7f"


class EntriesMissing(Exception):
    """Fewer entries came than were counted. The message is for the log alone."""


@implementer(IPushProducer)
class Flow:
    """
    The way to a client, which is at times not free.

    @param request: what is answered.
    @raise TooBusy: there is no room for it, see L{IOutput}.
    @raise TooManyRequests: and that is because of this client.
    """

    def __init__(self, request: Any) -> None:
        self._free: Deferred[None] | None = None
        self._request = request
        self._output = IOutput(request, None)
        if self._output is not None:
            self._output.start_stream()
        request.registerProducer(self, True)

    @property
    def client_left(self) -> bool:
        """Whether the client is gone."""
        return self._request.channel is None

    def write(self, data: bytes) -> None:
        """Send something, though the way be not free."""
        self._request.write(data)

    async def free(self) -> None:
        """Wait until more can be sent."""
        if self._free is not None:
            await self._free

    def close(self) -> None:
        """Send nothing more this way."""
        self._end()
        if not self.client_left:
            self._request.unregisterProducer()

    def pauseProducing(self) -> None:
        """The client is slow: what was sent has not been taken."""
        if self._free is None:
            self._free = Deferred()

    def resumeProducing(self) -> None:
        """The client takes more."""
        free, self._free = self._free, None
        if free is not None and not free.called:
            free.callback(None)

    def stopProducing(self) -> None:
        """The client is gone: whoever writes is cancelled by Klein."""
        self._end()

    def _end(self) -> None:
        if self._output is not None:
            self._output.end_stream()


class Stream(Results):
    """
    Quotes that are sent as they are found, one a line.

    @param flow: the way to the client.
    @param encode: makes a line of a quote.
    """

    slow = True

    def begin_anew(self) -> bool:
        """What has been sent cannot be taken back."""
        if self.returned:
            return False
        self.total = 0
        return True

    def __init__(
        self, limit: int | None, flow: Flow, encode: Callable[[Quote], bytes]
    ) -> None:
        super().__init__(limit)
        self._flow = flow
        self._encode = encode

    async def take(self, quotes: list[Quote]) -> None:
        """Send the quotes. They count as soon as they are on their way."""
        self.returned += len(quotes)
        self._flow.write(b"".join(map(self._encode, quotes)))
        # A client may take its time; many of them must not have all quotes kept.
        quotes.clear()
        await self._flow.free()


def encode_entries(entries: Sequence[str]) -> bytes:
    """Write entries as they stand between the brackets of a JSON array."""
    if isinstance(entries, Lines) and entries and _MARK not in entries.data:
        # All of them are one string, in which the mark tells where each ends.
        marked = entries.data[:-1].replace(b"\n", _MARK)
        text = marked.decode("utf-8", "replace")
        return msgspec.json.encode(text).replace(_MARK, b'","')
    return msgspec.json.encode(list(entries))[1:-1]


class EntryBody(EntryResults):
    """
    Entries that are written as the one JSON object that API v1 answers with.

    @ivar count: how many entries were to come.
    """

    whole = True

    def __init__(self) -> None:
        self.count = 0
        self._unsent = b""

    def begin(self, count: int) -> None:
        """Write the beginning of the object."""
        super().begin(count)
        self.count = count
        self._unsent = b'{"nr of entries":%d,"results":[' % count

    def add(self, entries: Sequence[str]) -> None:
        """Write entries, of which no more may follow."""
        self.write(entries)
        if self.wanted and self.whole:
            raise NotAtOnce()

    def write(self, entries: Sequence[str]) -> None:
        """Write entries."""
        comma = b"," if self.wanted < self.count and entries else b""
        super().add(entries)
        self._unsent += comma + encode_entries(entries)

    async def ready(self) -> None:
        """More may be added at once."""

    def begin_anew(self) -> bool:
        """Nothing has been sent."""
        return True

    def body(self) -> bytes:
        """
        Write the end of the object.

        @return: all that has not been sent.
        @raise EntriesMissing: fewer entries came than were to come.
        """
        if self.wanted:
            raise EntriesMissing(f"{self.wanted} of {self.count}")
        return self._unsent + b"]}\n"


class EntryStream(EntryBody):
    """
    Entries that are sent while they are found, but for those that come at once.

    @param request: what is answered.
    @param long: whether they are known not to come at once.
    """

    whole = False

    def __init__(self, request: Any, long: bool = False) -> None:
        super().__init__()
        self.long = long
        self._request = request
        self._flow: Flow | None = None

    def add(self, entries: Sequence[str]) -> None:
        """Write entries; send what has been written if more is to come."""
        self.write(entries)
        if self._flow is None and self.wanted:
            set_content_type(self._request, b"application/json")
            self._flow = Flow(self._request)
        if self._flow is not None:
            self._flow.write(self._unsent)
            self._unsent = b""

    async def ready(self) -> None:
        """Wait until the client takes more."""
        if self._flow is not None:
            await self._flow.free()

    def begin_anew(self) -> bool:
        """What has been sent cannot be taken back."""
        return self._flow is None

    def end(self) -> bytes:
        """
        Write the end of the object, for the route to return.

        @raise EntriesMissing: fewer entries came than were to come.
        """
        end = self.body()
        if self._flow is None:
            return send(self._request, b"application/json", end)
        self._flow.close()
        return end

    async def break_off(self, reason: Failure) -> None:
        """Cut the answer, if it has begun: half of it must not seem to be all."""
        if self._flow is not None and not self._flow.client_left:
            self._flow.close()
            self._request.break_off(reason)
            # Klein cancels this when the connection is gone.
            await Deferred()
