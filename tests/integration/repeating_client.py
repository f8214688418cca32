"""
A client that sends one request after another.
"""

from __future__ import annotations

from collections import Counter
from threading import Event, Thread

from .cases import LOVE_QUERY
from .http_connection import HTTPConnection
from .server import Server


class RepeatingClient:
    """
    A client that sends requests until its connection is refused.

    @param keep_alive: whether it reuses its connection while the server allows it.
    @param stop_event: when it is set, the client sends no further request.
    @ivar counts: the number of responses with each status, and of other results.
    """

    def __init__(self, server: Server, keep_alive: bool, stop_event: Event) -> None:
        self.counts = Counter[str]()
        self._address = server.address
        self._headers = () if keep_alive else ("Connection: close",)
        self._stop_event = stop_event
        self.thread = Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while not self._stop_event.is_set():
            try:
                connection = HTTPConnection(self._address)
            except OSError:
                self.counts["refused"] += 1
                return
            with connection:
                while self._send_request(connection) and not self._stop_event.is_set():
                    pass

    def _send_request(self, connection: HTTPConnection) -> bool:
        """Send a request; return whether the connection can be reused."""
        try:
            connection.send_query(LOVE_QUERY, *self._headers)
            response = connection.read_response()
        except OSError as error:
            self.counts[f"lost: {error!r}"] += 1
            return False
        self.counts[str(response.status)] += 1
        return response.headers.get("connection") != "close"
