"""
Limits on the responses that clients have not read, for all connections together.

A response of up to L{SMALL_RESPONSE} bytes is always sent: the limit on connections
bounds these. Larger responses and streamed ones are subject to the limits here. One
client may use three quarters of each limit, so that slow readers at one address
cannot use all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from twisted_quotes.errors import TooBusy, TooManyRequests

SMALL_RESPONSE = 64 * 1024


class SharedLimit:
    """
    An amount that clients use, and its maximum.

    @ivar total: the amount that all clients use.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._by_client: Counter[str | None] = Counter()
        self.total = 0

    def add(self, client_key: str | None, change: int) -> None:
        """Add to the amount that a client uses; C{change} may be negative."""
        self.total += change
        self._by_client[client_key] += change
        if not self._by_client[client_key]:
            del self._by_client[client_key]

    def check(self, client_key: str | None, amount: int) -> None:
        """
        Check that a client may use more.

        @raise TooBusy: the total would exceed the maximum.
        @raise TooManyRequests: the client would exceed its share.
        """
        client_total = self._by_client[client_key] + amount
        share = self._maximum - self._maximum // 4
        if client_key is not None and client_total > share:
            raise TooManyRequests()
        if self.total + amount > self._maximum:
            raise TooBusy()


class OutputLimiter:
    """
    The limits on unread responses.

    @param max_unsent_bytes: the maximum number of buffered bytes, 1 or more.
    @param max_streams: the maximum number of streamed responses, 1 or more.

    @ivar unsent_bytes: the bytes buffered for clients that read slowly.
    @ivar streams: the responses that are being streamed.
    """

    def __init__(self, max_unsent_bytes: int, max_streams: int) -> None:
        self.unsent_bytes = SharedLimit(max_unsent_bytes)
        self.streams = SharedLimit(max_streams)


class OutputQuota:
    """The output limits for one request of a client."""

    def __init__(self, limiter: OutputLimiter, client_key: str | None) -> None:
        self._limiter = limiter
        self._client_key = client_key
        self._is_streaming = False

    def check_size(self, size: int) -> None:
        """
        Check that a response of C{size} bytes may be buffered.

        @raise TooBusy: see L{SharedLimit.check}.
        @raise TooManyRequests: see L{SharedLimit.check}.
        """
        unsent_bytes = self._limiter.unsent_bytes
        # A response of any size is sent if nothing else is buffered.
        if size > SMALL_RESPONSE and unsent_bytes.total:
            unsent_bytes.check(self._client_key, size)

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Count a response that is not sent yet as unread."""
        unsent_bytes = self._limiter.unsent_bytes
        unsent_bytes.add(self._client_key, size)
        try:
            yield
        finally:
            unsent_bytes.add(self._client_key, -size)

    def start_stream(self) -> None:
        """Count a streamed response, or raise the errors of L{check_size}."""
        self.check_size(SMALL_RESPONSE + 1)
        self._limiter.streams.check(self._client_key, 1)
        self._limiter.streams.add(self._client_key, 1)
        self._is_streaming = True

    def end_stream(self) -> None:
        """Stop counting the streamed response. Further calls do nothing."""
        if self._is_streaming:
            self._is_streaming = False
            self._limiter.streams.add(self._client_key, -1)
