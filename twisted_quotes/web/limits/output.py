"""
Limits on the answers that clients have not read yet, of all connections together.

An answer of up to L{SMALL_ANSWER} bytes is always sent: the number of connections
bounds those. A larger one, and one that is sent while it is found, needs room here.
A quarter of it is kept from any one client, so that slow readers at one address
cannot take it all.
"""

from __future__ import annotations

from collections import Counter

from zope.interface import Interface, implementer

from twisted_quotes.errors import TooBusy, TooManyRequests

SMALL_ANSWER = 64 * 1024


class IOutput(Interface):
    """The room for the answer to one request; adapt the request to get it."""

    def check(size: int) -> None:
        """Raise an error where there is no room for an answer of so many bytes."""

    def start_stream() -> None:
        """Count an answer that is sent while it is found; raise if too many are."""

    def end_stream() -> None:
        """Count it no longer. It may be called more than once."""


class OutputLimits:
    """
    The room for unread answers.

    @param max_unsent: how many bytes may be buffered, 1 or more.
    @param max_streams: how many answers may be sent while they are found, 1 or more.

    @ivar unsent: how many bytes are buffered for clients that are slow to read.
    @ivar streams: how many answers are being sent while they are found.
    """

    def __init__(self, max_unsent: int, max_streams: int) -> None:
        self._max_unsent = max_unsent
        self._max_streams = max_streams
        self._unsent: Counter[str | None] = Counter()
        self._streams: Counter[str | None] = Counter()
        self.unsent = self.streams = 0

    def add_unsent(self, client: str | None, change: int) -> None:
        """Count bytes that were buffered for a client, or fewer if negative."""
        self.unsent += change
        _add(self._unsent, client, change)

    def add_stream(self, client: str | None, change: int) -> None:
        """Count a stream that has started (1), or ended (-1)."""
        self.streams += change
        _add(self._streams, client, change)

    def check(self, client: str | None, size: int) -> None:
        """
        Check that an answer may be buffered.

        @param size: how many bytes it has.
        @raise TooBusy: clients have yet to read too much.
        @raise TooManyRequests: this client has.
        """
        if size > SMALL_ANSWER:
            own = self._unsent[client]
            if not self.unsent:
                # However long it is, it is sent when nothing else is on its way.
                return
            _check(client, self.unsent + size, own + size, self._max_unsent)

    def check_stream(self, client: str | None) -> None:
        """
        Check that an answer may be sent while it is found.

        @raise TooBusy: too many are, or clients have yet to read too much.
        @raise TooManyRequests: too many of this client are.
        """
        self.check(client, SMALL_ANSWER + 1)
        _check(client, self.streams + 1, self._streams[client] + 1, self._max_streams)


def _add(counter: Counter[str | None], client: str | None, change: int) -> None:
    counter[client] += change
    if not counter[client]:
        del counter[client]


def _check(client: str | None, total: int, own: int, limit: int) -> None:
    if client is not None and own > limit - limit // 4:
        raise TooManyRequests()
    if total > limit:
        raise TooBusy()


@implementer(IOutput)
class RequestOutput:
    """
    The room for the answer to one request.

    @param client: the key of the client.
    """

    def __init__(self, limits: OutputLimits, client: str | None) -> None:
        self._limits = limits
        self._client = client
        self._streams = False

    def check(self, size: int) -> None:
        """See L{OutputLimits.check}."""
        self._limits.check(self._client, size)

    def start_stream(self) -> None:
        """See L{OutputLimits.check_stream}."""
        self._limits.check_stream(self._client)
        self._limits.add_stream(self._client, 1)
        self._streams = True

    def end_stream(self) -> None:
        """Count the stream no longer."""
        if self._streams:
            self._streams = False
            self._limits.add_stream(self._client, -1)
