"""
One call of an asynchronous function for all who need its result at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


@dataclass
class CoalescedCall(Generic[T]):
    """
    Calls a function once for all requests that come before it starts.

    Calls do not overlap. A request that comes during a call waits for the next one: its
    result must not be older than the request.

    @param function: the function.
    @ivar is_running: whether a call is running.
    """

    function: Callable[[], Coroutine[Deferred[Any], Any, T]]
    _waiting: list[Deferred[T]] = field(default_factory=list, init=False)
    is_running: bool = field(default=False, init=False)

    @property
    def waiting_count(self) -> int:
        """The number of requests that wait for the next call."""
        return len(self._waiting)

    def request(self) -> Deferred[T]:
        """
        Wait for the result of a call that starts after this.

        @return: fires with what the function returns, or fails with what it raises.
            Cancelling it ends the wait, not the call.
        """
        waiter: Deferred[T] = Deferred(self._cancel)
        self._waiting.append(waiter)
        if not self.is_running:
            self.is_running = True
            Deferred.fromCoroutine(self._serve_requests())
        return waiter

    def _cancel(self, waiter: Deferred[T]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    async def _serve_requests(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            result: T | Failure
            try:
                result = await Deferred.fromCoroutine(self.function())
            except Exception:
                result = Failure()
            for waiter in waiting:
                if not waiter.called:
                    waiter.callback(result)
        self.is_running = False
