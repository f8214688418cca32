"""
The result of an asynchronous function, cached for a limited time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")


@dataclass
class CachedResult(Generic[T]):
    """
    Calls a function again only when its last result has expired.

    @param lifetime: how long a result is used, in seconds, from the start of the call.
    @param compute: the function.
    """

    clock: IReactorTime
    lifetime: float
    compute: Callable[[], Awaitable[T]]
    _result: tuple[float, T] | None = None
    _waiting: list[Deferred[T]] = field(default_factory=list)

    def get(self) -> Deferred[T]:
        """
        Get the cached result, or wait for a new one.

        @return: fires with the result, or fails with what the function raises.
            Concurrent calls share one result. Cancelling it ends the wait only.
        """
        if self._result is not None and self.clock.seconds() < self._result[0]:
            return succeed(self._result[1])
        waiter: Deferred[T] = Deferred()
        self._waiting.append(waiter)
        if len(self._waiting) == 1:
            ensureDeferred(self._refresh()).addBoth(self._fire_waiting)
        return waiter

    async def _refresh(self) -> T:
        expires_at = self.clock.seconds() + self.lifetime
        result = await self.compute()
        self._result = expires_at, result
        return result

    def _fire_waiting(self, result: T | Failure) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            # This has no effect on one that was cancelled.
            waiter.callback(result)
