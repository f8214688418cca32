"""
Answers that are sent while they are found, as fast as the client takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from ..quote_finder import Results
from ..quotes import Quote


@implementer(IPushProducer)
class Flow:
    """
    The way to a client, which is at times not free.

    @param request: what is answered.
    @ivar client_left: whether the client is gone.
    """

    def __init__(self, request: Any) -> None:
        self.client_left = False
        self._free: Deferred[None] | None = None
        self._request = request
        request.notifyFinish().addErrback(self._left)
        request.registerProducer(self, True)

    def _left(self, reason: Failure) -> None:
        self.client_left = True

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

    def __init__(
        self, limit: int | None, flow: Flow, encode: Callable[[Quote], bytes]
    ) -> None:
        super().__init__(limit)
        self._flow = flow
        self._encode = encode

    async def take(self, quotes: Sequence[Quote]) -> int:
        """Send the quotes."""
        await self._flow.write(b"".join(map(self._encode, quotes)))
        return len(quotes)
