"""
The order in which requests start when many arrive at the same time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

TIME_SLICE = 0.005
"""The time for starting requests in one reactor iteration, in seconds."""


class RequestQueue:
    """
    Starts requests, in turn by client, for a few milliseconds per reactor iteration.

    Starting a request, which includes parsing its query, blocks all others. If clients
    send more requests than can be started, the requests wait here. Those of clients
    that disconnect meanwhile cost nothing.
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
        Start a request of a client, at once if the time slice is not used up.

        @param start_request: starts the request.
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
            # If one request fails, the others start nevertheless.
            self._delayed_call = None
            if self._pending:
                self._delayed_call = self._clock.callLater(0, self._start_pending)
