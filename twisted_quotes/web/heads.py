"""
The heads of requests, read more strictly than Twisted reads them.
"""

from __future__ import annotations

from twisted.web.http import HTTPChannel
from twisted.web.server import Request

from .record import header


class HeadChannel(HTTPChannel):
    """A channel that reads heads as RFC 9110 and RFC 9112 say."""

    def headerReceived(self, line: bytes) -> bool:
        """Take one header; a length of thousands of digits is no length."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self._respondToBadRequestAndDisconnect()
            return False

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Whether another request may follow (RFC 9112, section 9.3)."""
        tokens = header(request, b"connection").lower().split(",")
        is_last = "close" in map(str.strip, tokens)
        return bool(super().checkPersistence(request, version)) and not is_last
