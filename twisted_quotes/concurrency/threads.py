"""
Threads for blocking functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from errno import EAGAIN
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

DeferToThread = Callable[..., Deferred[Any]]
"""
Runs a function with arguments in a thread; fires with what it returns, or fails with
what it raises.
"""


@dataclass
class ThreadRunner:
    """
    A L{DeferToThread} that limits how many functions run at the same time.

    The results of more threads would occupy the reactor for too long in one turn.

    @param max_threads: the limit, 1 or more.
    """

    reactor: IReactorFromThreads
    pool: ThreadPool
    max_threads: int

    def __post_init__(self) -> None:
        self._semaphore = DeferredSemaphore(self.max_threads)

    def __call__(
        self, function: Callable[..., Any], /, *arguments: Any
    ) -> Deferred[Any]:
        """
        Call a function in a thread.

        @return: fires with what the function returns, or fails with what it raises,
            or with an L{OSError} if no thread can be started. Cancelling it ends the
            wait. A function that runs already cannot be stopped, and counts towards
            the limit until it ends.
        """
        acquired = self._semaphore.acquire()
        result: Deferred[Any] = Deferred(lambda _: acquired.cancel())

        def start(_: object) -> None:
            try:
                done = deferToThreadPool(self.reactor, self.pool, function, *arguments)
            except RuntimeError as error:
                # The pool could not start a thread. If thousands of waiting calls
                # failed at once, their calls would nest.
                failure = Failure(OSError(EAGAIN, str(error)))
                self.reactor.callFromThread(release_and_fire, failure)
            else:
                done.addBoth(release_and_fire)

        def release_and_fire(value: object) -> None:
            self._semaphore.release()
            if not result.called:
                result.callback(value)

        # Cancelling fails the result by itself.
        acquired.addCallbacks(start, lambda _: None)
        return result
