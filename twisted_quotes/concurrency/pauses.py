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

TIME_SLICE = 0.005
"""How long a loop goes on before it pauses, in seconds."""


class CooperativeScheduler:
    """
    Has loops pause, and go on one after another.

    However many loops there are, one of them goes on in each turn of the reactor.

    @param reactor: tells time, and has the turns.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._waiting: deque[Deferred[None]] = deque()
        self._delayed_call: IDelayedCall | None = None

    async def iterate(self, items: Iterable[T]) -> AsyncIterator[T]:
        """
        Go through items, and pause where that takes a while.

        @param items: is gone through while others may change what it is about.
        """
        deadline = self._reactor.seconds() + TIME_SLICE
        for item in items:
            yield item
            if self._reactor.seconds() >= deadline:
                await self._yield_to_reactor()
                deadline = self._reactor.seconds() + TIME_SLICE

    def _yield_to_reactor(self) -> Deferred[None]:
        """Wait for a turn. Cancelling it gives up the wait."""
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        if self._delayed_call is None:
            self._delayed_call = self._reactor.callLater(0, self._resume_next)
        return waiting

    def _resume_next(self) -> None:
        """Let the next one go on."""
        self._delayed_call = None
        if self._waiting:
            waiting = self._waiting.popleft()
            if self._waiting:
                self._delayed_call = self._reactor.callLater(0, self._resume_next)
            waiting.callback(None)
