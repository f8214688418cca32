"""
What the tests of the web package share: a whole service in memory, and its clients.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from treq.testing import StubTreq
from twisted.cred.portal import Portal
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.logger import LogEvent, LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.errors import ShuttingDown
from twisted_quotes.library.library import Library
from twisted_quotes.library.readiness import Readiness
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.web.api.health import Probes
from twisted_quotes.web.api.quotable.resource import (
    is_quotable_path,
    quotable_resource,
)
from twisted_quotes.web.api.response_cache import ResponseCache
from twisted_quotes.web.api.routes import root_resource
from twisted_quotes.web.api.wait import WaitRoute
from twisted_quotes.web.http.compression import Compression
from twisted_quotes.web.http.output_limiter import OutputLimiter
from twisted_quotes.web.ingress.cors import CORSPolicy, no_path
from twisted_quotes.web.ingress.request import Ingress
from twisted_quotes.web.server.connection import Connection
from twisted_quotes.web.server.connection_limiter import ConnectionLimiter
from twisted_quotes.web.server.site import QuotesSite
from twisted_quotes.web.server.timeouts import ConnectionTimeouts
from twisted_quotes.web.server.transports import buffered_bytes

from ..fakes import FakeProcess, FakeReactor, make_test_finder

CLIENT = "192.0.2.1"
HOST = "quotes.test:8080"
INSTRUCTIONS_URL = f"http://{HOST}/api/v1/web"
LOVE_QUERY = {"action": "search", "term": "love"}


@dataclass(frozen=True)
class ClientResponse:
    """A response, as the client receives it."""

    code: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the only value of a header, or L{None}."""
        values = self.headers.getRawHeaders(name) or []
        assert len(values) <= 1, f"{len(values)} headers {name}"
        return values[0] if values else None

    @property
    def closes_connection(self) -> bool:
        return self.header("connection") == "close"

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])


def read_responses(received: bytes, *methods: str) -> list[ClientResponse]:
    """
    Parse all responses on a connection.

    @param methods: the methods of the requests; GET is the default.
    """
    responses: list[ClientResponse] = []
    while received:
        method = methods[len(responses)] if len(responses) < len(methods) else "GET"
        head, _, received = received.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        code = int(status.split(b" ")[1])
        headers = Headers()
        for line in lines:
            name, _, value = line.partition(b": ")
            headers.addRawHeader(name, value)
        if headers.hasHeader(b"transfer-encoding"):
            body, received = _read_chunks(received)
        else:
            [length] = headers.getRawHeaders(b"content-length") or [b"0"]
            size = 0 if method == "HEAD" or code < 200 else int(length)
            assert len(received) >= size, "a response is incomplete"
            body, received = received[:size], received[size:]
        responses.append(ClientResponse(code, headers, body))
    return responses


def _read_chunks(received: bytes) -> tuple[bytes, bytes]:
    """Parse a chunked body, and return it and what follows it."""
    body = b""
    while True:
        size, _, received = received.partition(b"\r\n")
        chunk, received = received[: int(size, 16)], received[int(size, 16) :]
        assert received.startswith(b"\r\n"), "a chunk is incomplete"
        body, received = body + chunk, received[2:]
        if not chunk:
            return body, received


def query_request(query: object = None, host: str = HOST, headers: str = "") -> bytes:
    """Return the bytes of a request to API v1."""
    content = (
        query if isinstance(query, bytes) else json.dumps(query or LOVE_QUERY).encode()
    )
    head = (
        f"POST /api/v1/json HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Length: {len(content)}\r\n{headers}\r\n"
    )
    return head.encode() + content


def get_request(
    path: str = "/static/style.css", method: str = "GET", headers: str = ""
) -> bytes:
    """Return the bytes of a request without a body."""
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n".encode()


@implementer(ITCPTransport)
class FakeSocket(FileDescriptor):
    """
    A TCP connection in memory, which buffers and half-closes like a real one.

    @ivar received: what the client has read.
    @ivar stalled: whether the client reads nothing.
    @ivar half_closed: whether the service has closed its side for sending.
    @ivar aborted: whether the connection was reset.
    @ivar host: the address of the client.
    """

    reactor: Any

    def __init__(
        self, reactor: FakeReactor, protocol: Connection, host: str = CLIENT
    ) -> None:
        super().__init__(reactor)
        self.host = host
        self.connected = True
        self.protocol = protocol
        self.received = b""
        self.stalled = self.half_closed = self.aborted = False
        self._window: int | None = None
        self.startReading()
        protocol.makeConnection(self)

    def send(self, data: bytes) -> None:
        """Send data, and read the responses."""
        assert self in self.reactor.getReaders(), "the service does not read"
        self.protocol.dataReceived(data)
        self.deliver()

    def deliver(self) -> None:
        """Read everything that was written, also in further reactor iterations."""
        self.reactor.advance(0)
        while self in self.reactor.getWriters() and not self.stalled:
            reason = self.doWrite()
            if reason is not None:
                self.connectionLost(Failure(reason))
            self.reactor.advance(0)

    def read_at_most(self, byte_count: int) -> None:
        self._window = byte_count
        while self in self.reactor.getWriters() and self._window:
            self.doWrite()
        self._window = None

    def half_close(self) -> None:
        """Close the client's side for sending."""
        self.protocol.readConnectionLost()

    def disconnect(self) -> None:
        self.connectionLost(Failure(ConnectionLost()))

    @property
    def buffered(self) -> int:
        return buffered_bytes(self)

    def responses(self, *methods: str) -> list[ClientResponse]:
        return read_responses(self.received, *methods)

    @property
    def codes(self) -> list[int]:
        """The status codes of the responses."""
        return [each.code for each in self.responses()]

    # FileDescriptor

    def writeSomeData(self, data: bytes) -> int:
        accepted = bytes(data[: self._window])
        if self._window is not None:
            self._window -= len(accepted)
        self.received += accepted
        return len(accepted)

    def _closeWriteConnection(self) -> None:
        self.half_closed = True
        self.protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self.protocol.connectionLost(reason)

    # ITCPTransport

    def abortConnection(self) -> None:
        if not (self.aborted or self.disconnected):
            self.aborted = True
            self.stopReading()
            self.stopWriting()
            self.reactor.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 8000)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self.host, 31337)

    def getTcpKeepAlive(self) -> bool:
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class _IdentityResource(Resource):
    """A resource without the Accept-Encoding that treq adds to each request."""

    isLeaf = True

    def __init__(self, resource: IResource) -> None:
        super().__init__()
        self._resource = resource

    def render(self, request: Any) -> Any:
        request.requestHeaders.removeHeader(b"accept-encoding")
        return self._resource.render(request)


class InMemoryService:
    """A whole service in memory, from its site down to its processes."""

    def __init__(
        self,
        folder: Path,
        running: int = 2,
        waiting: int = 10,
        waits: int = 2,
        time_limit: float = 10.0,
        max_connections: int = 100,
        limits: ConnectionTimeouts | None = None,
        now: float = 2**33,
        access_log: Path | None = None,
        reactor: FakeReactor | None = None,
        resource: IResource | None = None,
        portal: Portal | None = None,
        cache_bytes: int = 0,
        max_unsent: int = 2**28,
        max_refused: int = 100,
        quotable: bool = False,
        ingress: Ingress | None = None,
    ) -> None:
        self.reactor = reactor or FakeReactor()
        self.library = Library(folder)
        self.metrics = Metrics()
        finder = make_test_finder(
            self.reactor,
            self.library,
            folder.parent / "cache",
            running,
            waiting,
            time_limit,
            "/grep",
            now=now,
            metrics=self.metrics,
        )
        self.monitor = finder.searchable_library.monitor
        self.outstanding = finder.outstanding
        self.readiness = Readiness(self.library, "/bin/grep")
        process_reactor: Any = self.reactor
        response_cache = ResponseCache(cache_bytes, self.metrics)
        compression = Compression(finder.searchable_library.in_thread)
        self.resource = resource or root_resource(
            finder,
            WaitRoute(
                process_reactor,
                "/sleep",
                Capacity(waits),
                self.outstanding,
                max(1, waits // 2),
            ),
            Probes(self.reactor, self.readiness, self.metrics),
            response_cache,
            compression,
            portal,
        )
        if quotable:
            self.resource = quotable_resource(
                self.resource, finder, response_cache, compression, portal
            )
        self.site = QuotesSite(
            self.reactor,
            self.resource,
            self.outstanding,
            ConnectionLimiter(Capacity(max_connections), max_refused),
            limits or ConnectionTimeouts(),
            OutputLimiter(max_unsent, max_connections),
            self.metrics,
            None if access_log is None else str(access_log),
        )
        is_open = is_quotable_path if quotable else no_path
        self.site.ingress = ingress or Ingress(cors_policy=CORSPolicy(is_open=is_open))
        self._client: Any = StubTreq(_IdentityResource(self.resource))

    def request(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        scheme: str = "http",
    ) -> Deferred[ClientResponse]:
        """Send a request to the routes, without the site."""

        async def get_response() -> ClientResponse:
            response = await self._client.request(
                method, f"{scheme}://{HOST}{path}", data=data, headers=headers
            )
            body = await response.content()
            # treq removes the header.
            response_headers = response.headers.copy()
            response_headers.setRawHeaders("content-length", [str(response.length)])
            return ClientResponse(response.code, response_headers, body)

        return Deferred.fromCoroutine(get_response())

    def post_query(self, **fields: object) -> Deferred[ClientResponse]:
        """Send a query to API v1, without the site."""
        return self.request("POST", "/api/v1/json", json.dumps(fields).encode())

    def flush_responses(self) -> None:
        """Deliver the responses to L{request}."""
        self._client.flush()

    def connect(self, host: str = CLIENT) -> FakeSocket:
        """Connect to the site from an address."""
        return FakeSocket(self.reactor, self.build_protocol(), host)

    def build_protocol(self) -> Connection:
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 31337))
        assert isinstance(protocol, Connection)
        return protocol

    def running_processes(self) -> Sequence[FakeProcess]:
        return [each for each in self.reactor.processes if each.pid is not None]

    def end_processes(self) -> None:
        """End all processes, and those that start in their slots."""
        while running := self.running_processes():
            running[0].end()


@contextmanager
def captured_events() -> Iterator[list[LogEvent]]:
    """Collect the events at info or above, and the event of each request."""
    events: list[LogEvent] = []
    with capturedLogs() as captured:
        yield events
    # Events of Twisted's old logging API have no level.
    events += [
        each
        for each in captured
        if each.get("log_level", LogLevel.info) >= LogLevel.info or "seconds" in each
    ]


def request_events(events: Sequence[LogEvent]) -> list[LogEvent]:
    """Return the events that describe a request each."""
    return [each for each in events if "route" in each]


class WebTestCase(SynchronousTestCase):
    """
    Provides a small library with C{alpha} and C{sub/beta}, and a service in memory.

    @ivar temporary_folder: a folder for files, removed after the test.
    @ivar folder: the folder of the library.
    """

    def setUp(self) -> None:
        self.temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.folder = self.temporary_folder / "library"
        (self.folder / "sub").mkdir(parents=True)
        (self.folder / "alpha").write_text("All is love.\nLove is all.\n")
        (self.folder / "sub" / "beta").write_text("Beta.\n")
        self.web = self.make_web()

    def make_web(self, **settings: Any) -> InMemoryService:
        """Make a service on the library, whose processes end with the test."""
        web = InMemoryService(self.folder, **settings)
        self.addCleanup(web.end_processes)
        self.addCleanup(web.monitor.stop)
        return web

    def get(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> ClientResponse:
        """Return the response of a route whose processes find nothing."""
        pending = self.web.request(method, path, headers=headers)
        while not pending.called and (running := self.web.running_processes()):
            running[0].end(1)
            self.web.flush_responses()
        return self.successResultOf(pending)

    def render_instructions(self) -> None:
        """Let the instructions be rendered, which takes searches."""
        self.get("/api/v1/web")

    def exchange(self, sent: bytes, method: str = "GET") -> ClientResponse:
        """Send a request on a connection of its own, and return the response."""
        client = self.web.connect()
        client.send(sent)
        [response] = client.responses(method)
        return response

    def assert_shutting_down(self, client: FakeSocket, response_count: int = 1) -> None:
        """Check that the last of a number of responses is a 503 for the shutdown."""
        self.assertEqual(len(client.responses()), response_count)
        response = client.responses()[-1]
        self.assert_error(response, 503, "shutting down")
        self.assertEqual(response.header("retry-after"), str(ShuttingDown.retry_after))
        self.assertTrue(response.closes_connection)

    def assert_error(self, response: ClientResponse, code: int, *words: str) -> None:
        """Assert that a response is a valid error that contains the words."""
        self.assertEqual(response.code, code)
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("content-length"), str(len(response.body)))
        self.assertEqual(list(response.json), ["Code", "message"])
        self.assertEqual(response.json["Code"], code)
        self.assertTrue(
            response.message.endswith(f" {INSTRUCTIONS_URL}"), response.message
        )
        for word in words:
            self.assertIn(word, response.message)
