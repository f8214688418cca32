"""
Bounded running and waiting, fair to several clients.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from twisted.internet.defer import Deferred, DeferredList, succeed

from twisted_quotes.errors import TooBusy, TooManyRequests

from .closing import Closing
from .fair_queue import FairQueue, Ranks


class Claim(NamedTuple):
    """
    Who wants a place, and for what.

    @ivar client: tells one client from another; all that have L{None} cannot be
        told apart, and are treated as one.
    @ivar slow: whether what is to run may well take as long as it is allowed to.
    """

    client: str | None = None
    slow: bool = False


ANYBODY = Claim()


class Place(Closing):
    """
    The right to run processes, until it is left and they have all ended.

    @ivar claim: whose place it is.
    """

    def __init__(self, claim: Claim, give_back: Callable[[Claim], object]) -> None:
        self.claim = claim
        self._give_back = give_back
        self._ends: list[Deferred[None]] = []

    def hold_until(self, ended: Deferred[None]) -> None:
        """Keep the place taken at least until this fires."""
        self._ends.append(ended)

    def close(self) -> None:
        """Leave the place. It is given back when what ran in it is gone."""
        DeferredList(self._ends).addCallback(lambda _: self._give_back(self.claim))


class Places:
    """
    A fixed number of places, and of those who may wait for one.

    The next free place goes to the client that has fewest; of several, to the one
    that has waited longest for its turn. So one client has all the places while
    nobody else asks, and no more than its share while others do.

    What is slow may take up to three quarters of the places, so that what is not
    slow never waits for a slow one to end.

    Where as many wait as may, a client with fewer waiting takes the position of the
    newest claim of the client with most waiting.

    @param running: how many places there are, 1 or more.
    @param waiting: how many may wait, 0 or more.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self.limit = self._free = running
        self._slow_free = max(1, running - max(1, running // 4))
        self._max_waiting = waiting
        self._held: dict[str | None, int] = {}
        turns = count()
        self._waiting: dict[Deferred[Place], Claim] = {}
        self._queues = [FairQueue[str | None, Deferred[Place]](turns) for _ in range(2)]
        # Those that have had no place before: a client's newest one is the last.
        self._new: dict[str | None, OrderedDict[Deferred[Place], None]] = {}
        self._counts: Ranks[str | None] = Ranks(turns)
        self._handing_out = False
        self._when_taken: Callable[[], object] = lambda: None

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self.limit - self._free

    @property
    def free(self) -> int:
        """How many are not taken."""
        return self._free

    @property
    def queue(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    def when_taken(self, call: Callable[[], object]) -> None:
        """Have a function called whenever a place is taken."""
        self._when_taken = call

    def take(self, claim: Claim = ANYBODY) -> Deferred[Place]:
        """
        Take a place, or wait for one.

        @return: fires with the place when there is one. Cancelling it gives up
            the wait. It fails with L{TooManyRequests} where another client takes
            the position in the queue.
        @raise TooBusy: as many wait as may.
        @raise TooManyRequests: as many wait as may, of this client as many as of
            any other.
        """
        if self._is_free_for(claim):
            return succeed(self._place(claim))
        refused = None
        if self.queue >= self._max_waiting:
            refused = self._newest_of_another(claim.client)
            self._forget(refused)
        taken = self._wait(claim)
        new = self._new.setdefault(claim.client, OrderedDict())
        new[taken] = None
        self._counts.put(claim.client, len(new))
        if refused is not None:
            refused.errback(TooManyRequests())
        return taken

    def take_again(self, claim: Claim = ANYBODY) -> Deferred[Place]:
        """
        Take a place for something that has had one before.

        It waits for it in the order of its client's claims, however many wait.
        """
        if self._is_free_for(claim):
            return succeed(self._place(claim))
        return self._wait(claim)

    def _is_free_for(self, claim: Claim) -> bool:
        """Whether there is a place, and nobody who waits is about to get it."""
        is_next = self._handing_out and self._waiting
        return not is_next and self._has_free(claim.slow)

    def _has_free(self, slow: bool) -> bool:
        return self._free > 0 and (self._slow_free > 0 or not slow)

    def _wait(self, claim: Claim) -> Deferred[Place]:
        taken: Deferred[Place] = Deferred(self._forget)
        self._waiting[taken] = claim
        held = self._held.get(claim.client, 0)
        self._queues[claim.slow].add(claim.client, taken, held)
        return taken

    def _newest_of_another(self, client: str | None) -> Deferred[Place]:
        """
        Find who leaves the full queue for the sake of a client that asks.

        @raise TooBusy: as for L{take}.
        @raise TooManyRequests: as for L{take}.
        """
        if self._counts:
            most = self._counts.highest()
            if self._counts[most] > self._counts[client] + 1:
                return next(reversed(self._new[most]))
            if client in self._counts and len(self._counts) > 1:
                raise TooManyRequests()
        raise TooBusy()

    def _forget(self, taken: Deferred[Place]) -> None:
        """Take out of the queue what waits no longer."""
        client, slow = self._waiting.pop(taken)
        self._queues[slow].remove(client, taken)
        self._forget_new(client, taken)

    def _forget_new(self, client: str | None, taken: Deferred[Place]) -> None:
        new = self._new.get(client, OrderedDict())
        if taken not in new:
            return
        del new[taken]
        if new:
            self._counts.put(client, len(new))
        else:
            del self._new[client]
            self._counts.remove(client)

    def _place(self, claim: Claim) -> Place:
        self._count(claim, 1)
        self._when_taken()
        return Place(claim, self._give_back)

    def _give_back(self, claim: Claim) -> None:
        """
        Give back a place.

        Who gets it may leave it before this returns, and so may the next, a
        thousand in a row: that they come here again must not nest.
        """
        self._count(claim, -1)
        if self._handing_out:
            return
        self._handing_out = True
        try:
            while self._waiting and (taken := self._next()) is not None:
                claim = self._waiting.pop(taken)
                self._forget_new(claim.client, taken)
                taken.callback(self._place(claim))
        finally:
            self._handing_out = False

    def _next(self) -> Deferred[Place] | None:
        """Take who is next to have a place out of its queue, if there is a place."""
        ranked = [
            (rank, queue)
            for slow, queue in enumerate(self._queues)
            if self._has_free(bool(slow)) and (rank := queue.rank()) is not None
        ]
        return min(ranked, key=lambda each: each[0])[1].pop() if ranked else None

    def _count(self, claim: Claim, change: int) -> None:
        """Take note that a place was taken, or given back."""
        self._free -= change
        self._slow_free -= change * claim.slow
        held = self._held[claim.client] = self._held.get(claim.client, 0) + change
        if not held:
            del self._held[claim.client]
        if self._waiting:
            for queue in self._queues:
                queue.hold(claim.client, held)
