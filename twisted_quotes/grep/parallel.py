"""
Greps of one search that run at the same time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from typing import TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

from .runner import GrepSession

T = TypeVar("T")
R = TypeVar("R")


async def run_in_parallel(
    grep_session: GrepSession,
    function: Callable[[GrepSession, T], Awaitable[R]],
    items: Iterable[T],
) -> list[R]:
    """
    Call a function that runs greps for each of some items.

    Several calls run at the same time if there are free slots that nobody waits for.
    They start in the order of the items.

    @param function: is called with a session, in which only its greps run then.
    @return: what the calls return, in the order of the items.
    @raise Exception: what the first call to fail raises. The others are cancelled.
    """
    results: dict[int, R] = {}
    queue = list(enumerate(items))[::-1]
    if len(queue) == 1:
        return [await function(grep_session, queue[0][1])]

    async def run_next(session: GrepSession) -> None:
        while queue:
            number, item = queue.pop()
            results[number] = await function(session, item)

    with ExitStack() as stack:
        sessions = [grep_session]
        while len(sessions) < len(queue):
            fork = grep_session.fork(len(sessions))
            if fork is None:
                break
            sessions.append(stack.enter_context(fork))
        running = [Deferred.fromCoroutine(run_next(each)) for each in sessions]
        try:
            await gatherResults(running, consumeErrors=True)
        except FirstError as error:
            for each in running:
                each.cancel()
            error.subFailure.raiseException()
    return [results[number] for number in sorted(results)]
