"""
Threads: a few of them, for what may block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool


class DeferToThread(Protocol):
    """What runs a function in a thread."""

    def __call__(
        self, function: Callable[..., Any], /, *arguments: Any
    ) -> Deferred[Any]:
        """Fire with what the function returns, or fail with what it raises."""


class ThreadRunner:
    """
    Has functions run by threads, so many at a time.

    More would be in each other's way, and together have the reactor do more for
    them in one turn than others may wait for.

    @param reactor: where the results are wanted.
    @param pool: has the threads.
    @param max_threads: how many may run at one time, 1 or more.
    """

    def __init__(
        self, reactor: IReactorFromThreads, pool: ThreadPool, max_threads: int
    ) -> None:
        self._reactor = reactor
        self._pool = pool
        self._semaphore = DeferredSemaphore(max_threads)

    def __call__(
        self, function: Callable[..., Any], /, *arguments: Any
    ) -> Deferred[Any]:
        """
        Have a function called by a thread.

        @return: fires with what it returns, or fails with what it raises.
            Cancelling it gives up the wait for a thread; a function that is
            running runs on, and counts until it has ended.
        """
        acquired = self._semaphore.acquire()
        result: Deferred[Any] = Deferred(lambda _: acquired.cancel())

        def start(_: object) -> None:
            done = deferToThreadPool(self._reactor, self._pool, function, *arguments)
            done.addBoth(release_and_fire)

        def release_and_fire(value: object) -> None:
            self._semaphore.release()
            if not result.called:
                result.callback(value)

        # Who waits no longer has been told so by the cancelling itself.
        acquired.addCallbacks(start, lambda _: None)
        return result
