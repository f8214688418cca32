"""
Answers that are sent while they are found, as fast as the client takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ..quote_finder import Results
from ..quotes import Quote


@implementer(IPushProducer)
class Flow:
    """
    The way to a client, which is at times not free.

    @param request: what is answered.
    """

    def __init__(self, request: Any) -> None:
        self._free: Deferred[None] | None = None
        self._request = request
        request.registerProducer(self, True)

    @property
    def client_left(self) -> bool:
        """Whether the client is gone."""
        return self._request.channel is None

    async def write(self, data: bytes) -> None:
        """Send something, and wait until more can be sent."""
        self._request.write(data)
        if self._free is not None:
            await self._free

    def close(self) -> None:
        """Send nothing more this way."""
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

    async def take(self, quotes: Sequence[Quote]) -> None:
        """Send the quotes. They count as soon as they are on their way."""
        self.returned += len(quotes)
        await self._flow.write(b"".join(map(self._encode, quotes)))
