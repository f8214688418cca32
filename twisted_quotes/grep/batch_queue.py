"""
Turns: who of those that search the same dictionary begins, and when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from twisted_quotes.concurrency.limiter import Place

GATHERING_TIME = 0.005
"""How long those who have places wait for a grep to end, in seconds."""

T = TypeVar("T")


class Waiting(Generic[T]):
    """
    A search that waits for its turn.

    @param term: what it looks for, as it stands.
    @param taking: fires with its place.

    @ivar turn: fires with its place when it is its turn, with what others have
        found for it, or with L{None} if they could not.
        Cancelling it gives up the wait. It fails if the wait for the place does.
    """

    def __init__(self, term: str, taking: Deferred[Place]) -> None:
        self.term = term
        self.turn: Deferred[Place | T | None] = Deferred(lambda _: self.give_up_place())
        self._taking = taking
        self._place: Place | None = None

    @property
    def has_place(self) -> bool:
        """Whether it could search now."""
        return self._place is not None

    def wait_for_place(self, look: Callable[[], object]) -> None:
        """
        Wait for its place.

        @param look: is called when it has one.
        """
        self._taking.addCallback(self._has_place, look).addErrback(self._lost)

    def _has_place(self, place: Place, look: Callable[[], object]) -> None:
        self._place = place
        look()

    def _lost(self, failure: Failure) -> None:
        """Give up the turn, unless it was the wait for the place that was given up."""
        if not failure.check(CancelledError):
            self.turn.errback(failure)

    def give_up_place(self) -> None:
        """Leave the place, or the wait for it, to others. It may be done twice."""
        self._taking.cancel()
        place, self._place = self._place, None
        if place is not None:
            place.close()

    def begin(self) -> None:
        """Search."""
        self.turn.callback(self._place)

    def take(self, found: T | None) -> None:
        """Take what others have found, if it still waits for that."""
        if not self.turn.called:
            self.turn.callback(found)


@dataclass
class _Gathering(Generic[T]):
    """
    The searches of one dictionary.

    @ivar running: how many of them have begun.
    @ivar waiting: those that wait, in order.
    @ivar beginning: whether some are being begun.
    @ivar call: has one of them begin in any case.
    """

    running: int = 0
    waiting: list[Waiting[T]] = field(default_factory=list)
    beginning: bool = False
    call: IDelayedCall | None = None

    def next(self) -> Waiting[T] | None:
        """The first that has a place."""
        return next((each for each in self.waiting if each.has_place), None)

    def begin(self) -> None:
        """Have the next one begin."""
        if waiting := self.next():
            self.waiting.remove(waiting)
            self.running += 1
            waiting.begin()


class Turns(Generic[T]):
    """
    Has searches begin as soon as they have places, but no more of one dictionary
    at one time than is of use, if they end soon.

    @param clock: tells time.
    @param most: how many may have begun before the next one waits for a moment.
    """

    def __init__(self, clock: IReactorTime, most: int) -> None:
        self._clock = clock
        self._most = most
        self._gatherings: dict[str, _Gathering[T]] = {}

    async def turn(
        self, name: str, term: str, taking: Deferred[Place]
    ) -> Place | T | None:
        """
        Wait for a turn.

        @param name: where to search.
        @param taking: fires with a place.
        @return: as L{Waiting.turn}. Who gets its place says when it has L{ended}.
        """
        gathering = self._gatherings.setdefault(name, _Gathering())
        waiting = Waiting[T](term, taking)
        gathering.waiting.append(waiting)
        waiting.wait_for_place(lambda: self._look(name))
        try:
            return await waiting.turn
        finally:
            if waiting in gathering.waiting:
                gathering.waiting.remove(waiting)
                self._look(name)

    def join(self, name: str, most: int, most_bytes: int) -> list[Waiting[T]]:
        """
        Take those who wait along, the first of them.

        Each must be given something to L{take<Waiting.take>}.

        @param most: how many to take.
        @param most_bytes: how many bytes what they look for may have together.
        """
        waiting = self._gatherings[name].waiting
        sizes = accumulate(len(each.term.encode()) for each in waiting[:most])
        count = sum(size <= most_bytes for size in sizes)
        joined = waiting[:count]
        del waiting[:count]
        for each in joined:
            each.give_up_place()
        return joined

    def ended(self, name: str) -> None:
        """Say that one who had begun has ended."""
        self._gatherings[name].running -= 1
        self._look(name)

    def _look(self, name: str) -> None:
        """Have those begin who may."""
        gathering = self._gatherings.get(name)
        if gathering is None or gathering.beginning:
            return
        # Who begins may be done at once, and so may a thousand after it: that they
        # come here again must not nest.
        gathering.beginning = True
        while gathering.running < self._most and gathering.next():
            gathering.begin()
        gathering.beginning = False
        if gathering.call is None:
            if gathering.next():
                gathering.call = self._clock.callLater(
                    GATHERING_TIME, self._begin_anyway, name
                )
        elif not gathering.next():
            gathering.call.cancel()
            gathering.call = None
        if not (gathering.running or gathering.waiting):
            del self._gatherings[name]

    def _begin_anyway(self, name: str) -> None:
        """Have one begin, though none has ended for a while."""
        gathering = self._gatherings[name]
        gathering.call = None
        gathering.begin()
        self._look(name)
