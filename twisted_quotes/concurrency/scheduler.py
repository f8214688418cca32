"""
Long loops that pause to let the reactor do other work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

T = TypeVar("T")

TIME_SLICE = 0.005
"""The time after which a loop pauses, in seconds."""


class CooperativeScheduler:
    """Shares the reactor among loops: one paused loop resumes in each turn."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._lock = DeferredLock()

    async def iterate(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Iterate over items, and pause after each L{TIME_SLICE}."""
        deadline = self._reactor.seconds() + TIME_SLICE
        for item in items:
            yield item
            if self._reactor.seconds() >= deadline:
                await self._lock.run(deferLater, self._reactor, 0)
                deadline = self._reactor.seconds() + TIME_SLICE
