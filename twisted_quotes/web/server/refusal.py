"""
Requests that are refused before they are complete, or that are not HTTP at all.
"""

from __future__ import annotations

from twisted.python.failure import Failure

from twisted_quotes.errors import (
    BadRequest,
    HeadersTooLarge,
    QuotesError,
    RequestLineTooLong,
    ShuttingDown,
)

from .channel import TimeoutChannel


class RefusingChannel(TimeoutChannel):
    """
    A channel that answers each bad request with an error, and closes.

    @ivar response_pending: whether the headers of a request have arrived whose
        answer is not complete.
    """

    def __init__(self) -> None:
        super().__init__()
        self.response_pending = self._request_incomplete = False

    @property
    def _is_receiving_request(self) -> bool:
        """Whether a request has begun, and is not complete."""
        has_started = bool(self.requests or self._buffer)
        return self._request_incomplete or (has_started and not self.response_pending)

    def refuse(self, error: QuotesError) -> None:
        """Answer what has come of the request with an error, and close."""
        if not self.requests:
            self.requests.append(self.site.requestFactory(self))
        request = self.requests[-1]
        request.method = getattr(self, "_command", request.method)
        request.uri = getattr(self, "_path", request.uri)
        request.clientproto = getattr(self, "_version", request.clientproto)
        self.persistent = False
        self.clearLineBuffer()
        request.fail(Failure(error))

    def refuse_incomplete(self) -> None:
        """Wait no longer for the rest of a body."""
        if self._request_incomplete:
            self._request_incomplete = False
            self.refuse(ShuttingDown())

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line of the head is longer than is read."""
        if self.requests and not self.response_pending:
            self.refuse(HeadersTooLarge("The headers are too many, or too long."))
        else:
            self.refuse(RequestLineTooLong("The request line is too long."))

    def _respondToBadRequestAndDisconnect(self) -> None:
        """The base class calls this for all it cannot read."""
        if self.is_closing:
            return
        if (
            self._receivedHeaderSize > self.totalHeadersSize
            or self._receivedHeaderCount > self.maxHeaders
        ):
            self.refuse(HeadersTooLarge("The headers are too many, or too long."))
        else:
            self.refuse(BadRequest("That is not HTTP as it should be."))
