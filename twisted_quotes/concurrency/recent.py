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


class Recent(Generic[T]):
    """
    The result of an asynchronous function, which is called once in a while at most.

    @param clock: tells time.
    @param lifetime: for how long a result is used, in seconds.
    @param make: makes the result.
    """

    def __init__(
        self, clock: IReactorTime, lifetime: float, make: Callable[[], Awaitable[T]]
    ) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._make = make
        self._result: tuple[float, T] | None = None
        self._making = False
        self._waiting: list[Deferred[T]] = []

    def get(self) -> Deferred[T]:
        """
        Get the result, made anew where it is too old.

        @return: fires with the result, or fails with what the function raises. All
            who ask while it is made wait for the same. Cancelling it gives up the
            wait.
        """
        if self._result is not None:
            made_at, result = self._result
            if self._clock.seconds() - made_at < self._lifetime:
                return succeed(result)
        waiting: Deferred[T] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        if not self._making:
            self._making = True
            made = ensureDeferred(self._made_now())
            made.addBoth(self._tell)
        return waiting

    async def _made_now(self) -> T:
        now = self._clock.seconds()
        result = await self._make()
        self._result = now, result
        return result

    def _tell(self, result: T | Failure) -> None:
        self._making = False
        while self._waiting:
            self._waiting.pop().callback(result)
