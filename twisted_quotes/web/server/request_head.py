"""
The heads of requests, read more strictly than Twisted reads them.
"""

from __future__ import annotations

from twisted.web.http import HTTPChannel
from twisted.web.server import Request

from twisted_quotes.web.http.request_log import header

MAX_HEADER_NAME_LENGTH = 128
"""
The most bytes the name of a header may have. Twisted keeps 10,000 names for good,
each of them twice.
"""


class StrictHeadChannel(HTTPChannel):
    """A channel that reads heads as RFC 9110 and RFC 9112 say."""

    def headerReceived(self, line: bytes) -> bool:
        """
        Take one header, unless its name is too long.

        A length of thousands of digits is no length.
        """
        if line.find(b":") > MAX_HEADER_NAME_LENGTH:
            self.lineLengthExceeded(line)
            return False
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self._respondToBadRequestAndDisconnect()
            return False

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Whether another request may follow (RFC 9112, section 9.3)."""
        is_persistent = bool(super().checkPersistence(request, version))
        if is_persistent and request.requestHeaders.hasHeader(b"connection"):
            tokens = header(request, b"connection").lower().split(",")
            return "close" not in map(str.strip, tokens)
        return is_persistent
