"""
The order in which requests begin, when many arrive at the same time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

TURN_TIME = 0.005
"""How long requests begin in one turn of the reactor, in seconds."""


class RequestQueue:
    """
    Begins requests in turn by client, a few milliseconds of them at a time.

    What a request does at once, such as parsing its query, takes that time from all
    others. Where a client opens more connections than can be served, its requests
    wait here, and those of clients that left meanwhile cost nothing.

    @param clock: tells time.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: OrderedDict[str | None, deque[Callable[[], object]]]
        self._waiting = OrderedDict()
        self._call: IDelayedCall | None = None
        self._since = self._spent = 0.0

    def begin(self, client: str | None, start: Callable[[], object]) -> None:
        """
        Begin a request, at once if others have not used up the time.

        @param client: the key of its client.
        @param start: begins it.
        """
        now = self._clock.seconds()
        if self._call is None:
            if now - self._since > 2 * TURN_TIME:
                self._since, self._spent = now, 0.0
            if self._spent <= TURN_TIME:
                start()
                self._spent += self._clock.seconds() - now
                return
            self._call = self._clock.callLater(0, self._take_turn)
        self._waiting.setdefault(client, deque()).append(start)

    def _take_turn(self) -> None:
        end = self._clock.seconds() + TURN_TIME
        try:
            while self._waiting and self._clock.seconds() <= end:
                client, starts = self._waiting.popitem(last=False)
                start = starts.popleft()
                if starts:
                    self._waiting[client] = starts
                start()
        finally:
            # Whatever became of one of them, the others begin.
            self._call = None
            if self._waiting:
                self._call = self._clock.callLater(0, self._take_turn)
