"""
Bounded running and waiting.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore

from .closing import Closing
from .errors import TooBusy


class Place(Closing):
    """
    The right to run processes, until it is left and they have all ended.
    """

    def __init__(self, give_back: Callable[[], object]) -> None:
        self._give_back = give_back
        self._ends: list[Deferred[None]] = []

    def hold_until(self, ended: Deferred[None]) -> None:
        """Keep the place taken at least until this fires."""
        self._ends.append(ended)

    def close(self) -> None:
        """Leave the place. It is given back when what ran in it is gone."""
        DeferredList(self._ends).addCallback(lambda _: self._give_back())


class Places:
    """
    A fixed number of places, and of those who may wait for one.

    @param running: how many places there are, 1 or more.
    @param waiting: how many may wait, 0 or more.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._semaphore = DeferredSemaphore(running)
        self._waiting = waiting
        self._due = 0
        self._when_taken: Callable[[], object] = lambda: None

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._semaphore.limit - self._semaphore.tokens

    @property
    def free(self) -> int:
        """How many are not taken."""
        return int(self._semaphore.tokens)

    def when_taken(self, call: Callable[[], object]) -> None:
        """Have a function called whenever a place is taken."""
        self._when_taken = call

    @property
    def queue(self) -> int:
        """How many wait for one."""
        return len(self._semaphore.waiting)

    def take(self) -> Deferred[Place]:
        """
        Take a place, in the order of asking.

        @return: fires with the place when there is one. Cancelling it gives up
            the wait.
        @raise TooBusy: as many wait as may.
        """
        if not self._semaphore.tokens and self.queue >= self._waiting:
            raise TooBusy()
        return self.take_again()

    def take_again(self) -> Deferred[Place]:
        """
        Take a place for something that has had one before.

        It waits for it in the order of asking, however many wait.
        """
        taken: Deferred[DeferredSemaphore] = self._semaphore.acquire()
        return taken.addCallback(lambda _: self._place())

    def _place(self) -> Place:
        self._when_taken()
        return Place(self._give_back)

    def _give_back(self) -> None:
        """
        Give back a place.

        Who gets it may leave it before this returns, and so may the next, a
        thousand in a row: that they come here again must not nest.
        """
        self._due += 1
        if self._due > 1:
            return
        while self._due:
            self._semaphore.release()
            self._due -= 1
