"""
The result of an asynchronous function, cached for a limited time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")


class CachedResult(Generic[T]):
    """
    Calls a function again only when its last result has expired.

    @param lifetime: how long a result is used, in seconds, from the start of the call.
    @param compute: the function.
    """

    def __init__(
        self, clock: IReactorTime, lifetime: float, compute: Callable[[], Awaitable[T]]
    ) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._compute = compute
        self._result: tuple[float, T] | None = None
        self._is_computing = False
        self._waiting: list[Deferred[T]] = []

    def get(self) -> Deferred[T]:
        """
        Get the cached result, or wait for a new one.

        @return: fires with the result, or fails with what the function raises.
            Concurrent calls share one result. Cancelling it ends the wait only.
        """
        if self._result is not None and self._clock.seconds() < self._result[0]:
            return succeed(self._result[1])
        waiter: Deferred[T] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        if not self._is_computing:
            self._is_computing = True
            ensureDeferred(self._refresh()).addBoth(self._fire_waiting)
        return waiter

    async def _refresh(self) -> T:
        expires_at = self._clock.seconds() + self._lifetime
        result = await self._compute()
        self._result = expires_at, result
        return result

    def _fire_waiting(self, result: T | Failure) -> None:
        self._is_computing = False
        while self._waiting:
            self._waiting.pop().callback(result)
