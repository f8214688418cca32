"""
Limits on the answers that clients have not read yet, of all connections together.

An answer of up to L{SMALL_RESPONSE} bytes is always sent: the number of connections
bounds those. A larger one, and one that is sent while it is found, needs room here.
A quarter of it is kept from any one client, so that slow readers at one address
cannot take it all.
"""

from __future__ import annotations

from collections import Counter

from zope.interface import Interface, implementer

from twisted_quotes.errors import TooBusy, TooManyRequests

SMALL_RESPONSE = 64 * 1024


class IOutputQuota(Interface):
    """The room for the answer to one request; adapt the request to get it."""

    def check_size(size: int) -> None:
        """Raise an error where there is no room for an answer of so many bytes."""

    def start_stream() -> None:
        """Count an answer that is sent while it is found; raise if too many are."""

    def end_stream() -> None:
        """Count it no longer. It may be called more than once."""


class OutputLimiter:
    """
    The room for unread answers.

    @param max_unsent_bytes: how many bytes may be buffered, 1 or more.
    @param max_streams: how many answers may be sent while they are found, 1 or more.

    @ivar unsent_bytes: how many bytes are buffered for clients that are slow to read.
    @ivar stream_count: how many answers are being sent while they are found.
    """

    def __init__(self, max_unsent_bytes: int, max_streams: int) -> None:
        self._max_unsent_bytes = max_unsent_bytes
        self._max_streams = max_streams
        self._unsent_by_client: Counter[str | None] = Counter()
        self._streams_by_client: Counter[str | None] = Counter()
        self.unsent_bytes = self.stream_count = 0

    def add_unsent(self, client_key: str | None, change: int) -> None:
        """Count bytes that were buffered for a client, or fewer if negative."""
        self.unsent_bytes += change
        _adjust_count(self._unsent_by_client, client_key, change)

    def add_stream(self, client_key: str | None, change: int) -> None:
        """Count a stream that has started (1), or ended (-1)."""
        self.stream_count += change
        _adjust_count(self._streams_by_client, client_key, change)

    def check_size(self, client_key: str | None, size: int) -> None:
        """
        Check that an answer may be buffered.

        @param size: how many bytes it has.
        @raise TooBusy: clients have yet to read too much.
        @raise TooManyRequests: this client has.
        """
        if size > SMALL_RESPONSE:
            client_unsent = self._unsent_by_client[client_key]
            if not self.unsent_bytes:
                # However long it is, it is sent when nothing else is on its way.
                return
            _check_limit(
                client_key,
                self.unsent_bytes + size,
                client_unsent + size,
                self._max_unsent_bytes,
            )

    def check_stream(self, client_key: str | None) -> None:
        """
        Check that an answer may be sent while it is found.

        @raise TooBusy: too many are, or clients have yet to read too much.
        @raise TooManyRequests: too many of this client are.
        """
        self.check_size(client_key, SMALL_RESPONSE + 1)
        _check_limit(
            client_key,
            self.stream_count + 1,
            self._streams_by_client[client_key] + 1,
            self._max_streams,
        )


def _adjust_count(
    counter: Counter[str | None], client_key: str | None, change: int
) -> None:
    counter[client_key] += change
    if not counter[client_key]:
        del counter[client_key]


def _check_limit(
    client_key: str | None, total: int, client_total: int, limit: int
) -> None:
    if client_key is not None and client_total > limit - limit // 4:
        raise TooManyRequests()
    if total > limit:
        raise TooBusy()


@implementer(IOutputQuota)
class RequestOutputQuota:
    """
    The room for the answer to one request.

    @param client_key: the key of the client.
    """

    def __init__(self, limiter: OutputLimiter, client_key: str | None) -> None:
        self._limiter = limiter
        self._client_key = client_key
        self._is_streaming = False

    def check_size(self, size: int) -> None:
        """See L{OutputLimiter.check_size}."""
        self._limiter.check_size(self._client_key, size)

    def start_stream(self) -> None:
        """See L{OutputLimiter.check_stream}."""
        self._limiter.check_stream(self._client_key)
        self._limiter.add_stream(self._client_key, 1)
        self._is_streaming = True

    def end_stream(self) -> None:
        """Count the stream no longer."""
        if self._is_streaming:
            self._is_streaming = False
            self._limiter.add_stream(self._client_key, -1)
