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
    @param cancellable: whether a call is cancelled when nobody waits for it any longer.
    @ivar is_running: whether a call is running.
    """

    function: Callable[[], Coroutine[Deferred[Any], Any, T]]
    cancellable: bool = False
    # Those that wait for the next call, and for the one that is running.
    _waiting: list[Deferred[T]] = field(default_factory=list, init=False)
    _served: list[Deferred[T]] = field(default_factory=list, init=False)
    _call: Deferred[T] = field(default_factory=Deferred, init=False)
    is_running: bool = field(default=False, init=False)

    @property
    def waiting_count(self) -> int:
        """The number of requests that wait for the next call."""
        return len(self._waiting)

    @property
    def is_needed(self) -> bool:
        """Whether a request waits for the call that is running."""
        return bool(self._served)

    def request(self) -> Deferred[T]:
        """
        Wait for the result of a call that starts after this.

        @return: fires with what the function returns, or fails with what it raises.
            Cancelling it ends the wait; the call only if it is C{cancellable}, and
            nobody else waits for it.
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
        elif waiter in self._served:
            self._served.remove(waiter)
            if self.cancellable and not self._served:
                self._call.cancel()

    async def _serve_requests(self) -> None:
        while self._waiting:
            self._served, self._waiting = self._waiting, []
            result: T | Failure
            try:
                self._call = Deferred.fromCoroutine(self.function())
                result = await self._call
            except Exception:
                result = Failure()
            served, self._served = self._served, []
            for waiter in served:
                if not waiter.called:
                    waiter.callback(result)
        self.is_running = False
