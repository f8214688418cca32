"""
Responses to the examples of the documentation, without a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from io import BytesIO
from typing import Any

import msgspec
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.http import Request

from twisted_quotes.web.http.responses import render_error
from twisted_quotes.web.openapi.operation import Example, Operation

EXAMPLE_HOST = "service.invalid"
"""The host of the requests, and so of the URLs in their responses."""

# The service may respond otherwise at the next try.
_TEMPORARY_ERRORS = 429, 500, 503, 504


@dataclass(frozen=True)
class Answer:
    """
    The response to an example.

    @ivar code: its status.
    @ivar text: its body.
    """

    code: int
    text: str

    @property
    def is_temporary(self) -> bool:
        """Whether the response is an error that may not occur at the next try."""
        return self.code in _TEMPORARY_ERRORS


MAX_LENGTH = 64 * 1024
"""The length of a streamed response from which on it is cut off, in bytes."""


class _Cut(BaseException):
    """
    The response is so long that the rest of it is left out.

    It is no L{Exception}, so that no route takes it for an error.
    """


class Answers:
    """
    Requests examples from the routes themselves.

    @param routes: the route of each operation that has examples.
    """

    def __init__(self, routes: Mapping[Operation, Callable[..., Any]]) -> None:
        self._routes = routes

    async def answer(self, operation: Operation, example: Example) -> Answer:
        """Return the response to an example."""
        request: Any = _ExampleRequest(operation.method, example)
        try:
            response = self._routes[operation](request)
            body = await response if isawaitable(response) else response
        except _Cut:
            body = b""
        except CancelledError:
            raise
        except Exception:
            body = render_error(request, Failure())
        return Answer(
            request.code, b"".join([*request.written, body]).decode(errors="replace")
        )


class _NoChannel:
    """Stands for the connection of a request that has none."""

    transport = None

    def getPeer(self) -> UNIXAddress:
        return UNIXAddress(None)

    getHost = getPeer

    def isSecure(self) -> bool:
        return False

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Let the producer produce all that it has."""

    def unregisterProducer(self) -> None:
        """The producer has produced all that it has."""


class _ExampleRequest(Request):
    """
    A request that keeps its response.

    @ivar written: the parts of the body that were sent before the last one.
    """

    def __init__(self, method: str, example: Example) -> None:
        channel: Any = _NoChannel()
        super().__init__(channel)
        self.written: list[bytes] = []
        self.method = method.encode()
        self.uri = example.target.encode()
        self.path = self.uri.partition(b"?")[0]
        self.clientproto = b"HTTP/1.1"
        body = b"" if example.body is None else msgspec.json.encode(example.body)
        self.content = BytesIO(body)
        self.requestHeaders.setRawHeaders("host", [EXAMPLE_HOST])
        if example.accept:
            self.requestHeaders.setRawHeaders("accept", [example.accept])

    def write(self, data: bytes) -> None:
        """Keep a part of the body, or end a response that is long."""
        self.written.append(data[:MAX_LENGTH])
        if sum(map(len, self.written)) >= MAX_LENGTH:
            raise _Cut()

    def abort_response(self, reason: Failure) -> None:
        """End a response that has failed after its start."""
        reason.raiseException()
