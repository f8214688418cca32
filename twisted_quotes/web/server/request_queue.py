"""
The order in which requests begin, when many arrive at the same time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

TIME_SLICE = 0.005
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
        self._pending: OrderedDict[str | None, deque[Callable[[], object]]]
        self._pending = OrderedDict()
        self._delayed_call: IDelayedCall | None = None
        self._slice_start = self._time_spent = 0.0

    def submit(
        self, client_key: str | None, start_request: Callable[[], object]
    ) -> None:
        """
        Begin a request, at once if others have not used up the time.

        @param client_key: the key of its client.
        @param start_request: begins it.
        """
        now = self._clock.seconds()
        if self._delayed_call is None:
            if now - self._slice_start > 2 * TIME_SLICE:
                self._slice_start, self._time_spent = now, 0.0
            if self._time_spent <= TIME_SLICE:
                start_request()
                self._time_spent += self._clock.seconds() - now
                return
            self._delayed_call = self._clock.callLater(0, self._start_pending)
        self._pending.setdefault(client_key, deque()).append(start_request)

    def _start_pending(self) -> None:
        end = self._clock.seconds() + TIME_SLICE
        try:
            while self._pending and self._clock.seconds() <= end:
                client_key, client_queue = self._pending.popitem(last=False)
                start_request = client_queue.popleft()
                if client_queue:
                    self._pending[client_key] = client_queue
                start_request()
        finally:
            # Whatever became of one of them, the others begin.
            self._delayed_call = None
            if self._pending:
                self._delayed_call = self._clock.callLater(0, self._start_pending)
