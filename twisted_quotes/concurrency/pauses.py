"""
Pauses: long loops that let the reactor do other things in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

T = TypeVar("T")

SLICE = 0.005
"""How long a loop goes on before it pauses, in seconds."""


class Pauses:
    """
    Has loops pause, and go on one after another.

    However many loops there are, one of them goes on in each turn of the reactor.

    @param reactor: tells time, and has the turns.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._waiting: deque[Deferred[None]] = deque()
        self._call: IDelayedCall | None = None

    async def each(self, items: Iterable[T]) -> AsyncIterator[T]:
        """
        Go through items, and pause where that takes a while.

        @param items: is gone through while others may change what it is about.
        """
        end = self._reactor.seconds() + SLICE
        for item in items:
            yield item
            if self._reactor.seconds() >= end:
                await self._pause()
                end = self._reactor.seconds() + SLICE

    def _pause(self) -> Deferred[None]:
        """Wait for a turn. Cancelling it gives up the wait."""
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        if self._call is None:
            self._call = self._reactor.callLater(0, self._next)
        return waiting

    def _next(self) -> None:
        """Let the next one go on."""
        self._call = None
        if self._waiting:
            waiting = self._waiting.popleft()
            if self._waiting:
                self._call = self._reactor.callLater(0, self._next)
            waiting.callback(None)
