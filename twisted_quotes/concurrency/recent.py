"""
Results that are used for a while.
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
    The result of an asynchronous function, which is called once in a while at most.

    @param clock: tells time.
    @param lifetime: for how long a result is used, in seconds.
    @param compute: makes the result.
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
        Get the result, made anew where it is too old.

        @return: fires with the result, or fails with what the function raises. All
            who ask while it is made wait for the same. Cancelling it gives up the
            wait.
        """
        if self._result is not None:
            computed_at, result = self._result
            if self._clock.seconds() - computed_at < self._lifetime:
                return succeed(result)
        waiting: Deferred[T] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        if not self._is_computing:
            self._is_computing = True
            computed = ensureDeferred(self._compute_and_store())
            computed.addBoth(self._fire_waiting)
        return waiting

    async def _compute_and_store(self) -> T:
        now = self._clock.seconds()
        result = await self._compute()
        self._result = now, result
        return result

    def _fire_waiting(self, result: T | Failure) -> None:
        self._is_computing = False
        while self._waiting:
            self._waiting.pop().callback(result)
