"""
Requests for the tests of ingress.
"""

from __future__ import annotations

from typing import Any

from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel


def make_request(method: str = "GET", /, **headers: str | list[str]) -> Request:
    """
    Make a request.

    @param headers: the values by name, with underscores for hyphens.
    """
    channel: Any = DummyChannel()
    made = Request(channel)
    made.method = method.encode()
    for name, values in headers.items():
        lines = [values] if isinstance(values, str) else values
        made.requestHeaders.setRawHeaders(name.replace("_", "-"), lines)
    return made
