"""
What the tests of the web share: a whole service in memory, and its callers.
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
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    ITCPTransport,
)
from twisted.logger import LogEvent, LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from zope.interface import implementer

from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.library.library import Library
from twisted_quotes.library.readiness import Readiness
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.web.api.health import Probes
from twisted_quotes.web.api.response_cache import ResponseCache
from twisted_quotes.web.api.routes import root_resource
from twisted_quotes.web.api.wait import WaitRoute
from twisted_quotes.web.limits.connections import ConnectionLimiter
from twisted_quotes.web.limits.output import OutputLimiter
from twisted_quotes.web.server.connection import Connection
from twisted_quotes.web.server.site import QuotesSite
from twisted_quotes.web.server.timeouts import ConnectionTimeouts

from ..fakes import FakeProcess, FakeReactor, make_test_finder

CLIENT = "192.0.2.1"
HOST = "quotes.test:8080"
INSTRUCTIONS_URL = f"http://{HOST}/api/v1/web"
LOVE_QUERY = {"action": "search", "term": "love"}


@dataclass(frozen=True)
class ClientResponse:
    """One answer, as its caller gets it."""

    code: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The only value of a header, if it is there."""
        values = self.headers.getRawHeaders(name) or []
        assert len(values) <= 1, f"{name} stands there {len(values)} times"
        return values[0] if values else None

    @property
    def closes_connection(self) -> bool:
        """Whether it says that nothing more is answered on this connection."""
        return self.header("connection") == "close"

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """What the body of an error says."""
        return str(self.json["message"])


def read_responses(received: bytes, *methods: str) -> list[ClientResponse]:
    """
    Read all answers off a connection.

    @param methods: what was asked, in order, where not all of it was GET.
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
            body, received = read_chunks(received)
            responses.append(ClientResponse(code, headers, body))
            continue
        [length] = headers.getRawHeaders(b"content-length") or [b"0"]
        size = 0 if method == "HEAD" or code < 200 else int(length)
        assert len(received) >= size, "an answer was cut short"
        responses.append(ClientResponse(code, headers, received[:size]))
        received = received[size:]
    return responses


def read_chunks(received: bytes) -> tuple[bytes, bytes]:
    """
    Read a body that came in chunks (RFC 9112, section 7.1).

    @return: the body, and what follows it.
    """
    body = b""
    while True:
        size, _, received = received.partition(b"\r\n")
        chunk, received = received[: int(size, 16)], received[int(size, 16) :]
        assert received.startswith(b"\r\n"), "a chunk was cut short"
        body, received = body + chunk, received[2:]
        if not chunk:
            return body, received


def query_request(query: object = None, host: str = HOST, headers: str = "") -> bytes:
    """The bytes that ask API v1 something."""
    content = (
        query if isinstance(query, bytes) else json.dumps(query or LOVE_QUERY).encode()
    )
    head = (
        f"POST /api/v1/json HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Length: {len(content)}\r\n{headers}\r\n"
    )
    return head.encode() + content


def get_request(
    path: str = "/style.css", method: str = "GET", headers: str = ""
) -> bytes:
    """The bytes that get a page."""
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n".encode()


@implementer(ITCPTransport)
class FakeSocket(FileDescriptor):
    """
    A TCP connection in memory, which buffers and half-closes as a real one does.

    @ivar received: all that the client has taken.
    @ivar stalled: whether the client takes nothing.
    @ivar half_closed: whether the client has seen the end of what it gets.
    @ivar aborted: whether the connection was reset.
    @ivar host: the address of the client.
    """

    reactor: Any

    def __init__(
        self, reactor: FakeReactor, protocol: IProtocol, host: str = CLIENT
    ) -> None:
        super().__init__(reactor)
        self.host = host
        self.connected = True
        self.protocol = protocol
        self.received = b""
        self.stalled = self.half_closed = self.aborted = False
        self.keep_alive = self.no_delay = False
        self._window: int | None = None
        self.startReading()
        protocol.makeConnection(self)

    # What a test does

    def send(self, data: bytes) -> None:
        """Have the client send something, and take what comes back."""
        assert self in self.reactor.getReaders(), "nobody reads what the client sends"
        self.protocol.dataReceived(data)
        self.deliver()

    def deliver(self) -> None:
        """Have the client take all that was written, and is by the next turn."""
        self.reactor.advance(0)
        while self in self.reactor.getWriters() and not self.stalled:
            reason = self.doWrite()
            if reason is not None:
                self.connectionLost(Failure(reason))
            self.reactor.advance(0)

    def read_at_most(self, byte_count: int) -> None:
        """Have a slow client take no more than so many bytes."""
        self._window, stalled = byte_count, self.stalled
        self.stalled = False
        while self in self.reactor.getWriters() and self._window:
            self.doWrite()
        self._window, self.stalled = None, stalled

    def half_close(self) -> None:
        """Have the client say that it will send no more."""
        half_closeable = IHalfCloseableProtocol(self.protocol, None)
        if half_closeable is None:
            self.connectionLost(Failure(ConnectionLost()))
        else:
            half_closeable.readConnectionLost()

    def disconnect(self) -> None:
        """Have the client go away."""
        self.connectionLost(Failure(ConnectionLost()))

    @property
    def buffered(self) -> int:
        """How many bytes wait for the client to take them."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def responses(self, *methods: str) -> list[ClientResponse]:
        """What the client got."""
        return read_responses(self.received, *methods)

    # FileDescriptor

    def writeSomeData(self, data: bytes) -> int:
        """Hand the client what it takes."""
        accepted = bytes(data) if self._window is None else bytes(data[: self._window])
        if self._window is not None:
            self._window -= len(accepted)
        self.received += accepted
        return len(accepted)

    def _closeWriteConnection(self) -> None:
        self.half_closed = True
        half_closeable = IHalfCloseableProtocol(self.protocol, None)
        if half_closeable is not None:
            half_closeable.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""
        super().connectionLost(reason)
        self.protocol.connectionLost(reason)

    # ITCPTransport

    def abortConnection(self) -> None:
        """Reset the connection, in the next turn."""
        if not (self.aborted or self.disconnected):
            self.aborted = True
            self.stopReading()
            self.stopWriting()
            self.reactor.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    def getHost(self) -> IPv4Address:
        """Where the service was called."""
        return IPv4Address("TCP", "127.0.0.1", 8000)

    def getPeer(self) -> IPv4Address:
        """Where the caller is."""
        return IPv4Address("TCP", self.host, 31337)

    def getTcpKeepAlive(self) -> bool:
        """Whether the connection is probed."""
        return self.keep_alive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Have the connection probed, or not."""
        self.keep_alive = enabled

    def getTcpNoDelay(self) -> bool:
        """Whether small writes go out at once."""
        return self.no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Have small writes go out at once, or not."""
        self.no_delay = enabled


class InMemoryService:
    """
    A whole service in memory, from its site down to its processes.

    @param folder: the dictionaries.
    """

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
    ) -> None:
        self.reactor = reactor or FakeReactor()
        self.library = Library(FilePath(str(folder)))
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
        self.outstanding = finder.outstanding
        self.readiness = Readiness(self.library, "/bin/grep")
        process_reactor: Any = self.reactor
        self.resource = resource or root_resource(
            finder,
            WaitRoute(
                *(process_reactor, "/sleep", ConcurrencyLimiter(waits, 0)),
                *(self.outstanding, max(1, waits // 2)),
            ),
            Probes(self.reactor, self.readiness, self.metrics),
            ResponseCache(cache_bytes, self.metrics),
            portal,
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
        self._client: Any = StubTreq(self.resource)

    def request(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        scheme: str = "http",
    ) -> Deferred[ClientResponse]:
        """Send a request to the routes, without the site."""

        async def answer() -> ClientResponse:
            response = await self._client.request(
                method, f"{scheme}://{HOST}{path}", data=data, headers=headers
            )
            body = await response.content()
            # The client keeps the length to itself, as a number.
            response_headers = response.headers.copy()
            response_headers.setRawHeaders("content-length", [str(response.length)])
            return ClientResponse(response.code, response_headers, body)

        return Deferred.fromCoroutine(answer())

    def post_query(self, **fields: object) -> Deferred[ClientResponse]:
        """Ask API v1 something, without the site."""
        return self.request("POST", "/api/v1/json", json.dumps(fields).encode())

    def flush_responses(self) -> None:
        """Hand out the answers that came late."""
        self._client.flush()

    def connect(self, host: str = CLIENT) -> FakeSocket:
        """Have a client connect to the site, from an address."""
        return FakeSocket(self.reactor, self.build_protocol(), host)

    def build_protocol(self) -> Connection:
        """What the site speaks to one client."""
        protocol = self.site.buildProtocol(IPv4Address("TCP", "192.0.2.1", 31337))
        assert isinstance(protocol, Connection)
        return protocol

    def running_processes(self) -> Sequence[FakeProcess]:
        """The processes that have not ended."""
        return [each for each in self.reactor.processes if each.pid is not None]

    def end_processes(self) -> None:
        """End all processes, and those that are started in their places."""
        while running := self.running_processes():
            running[0].end()


@contextmanager
def captured_events() -> Iterator[list[LogEvent]]:
    """Collect what is logged at info or above, and the event of each request."""
    events: list[LogEvent] = []
    with capturedLogs() as captured:
        yield events
    # Twisted's older events have no level of their own, and are as good as info.
    events += [
        each
        for each in captured
        if each.get("log_level", LogLevel.info) >= LogLevel.info or "seconds" in each
    ]


def request_events(events: Sequence[LogEvent]) -> list[LogEvent]:
    """The events of those that tell of one request each."""
    return [each for each in events if "seconds" in each]


class WebTestCase(SynchronousTestCase):
    """
    Has a small library, a service in memory, and what every error must be.

    @ivar temporary_folder: a folder for files, gone after the test.
    @ivar folder: the library in it, which holds C{alpha} and C{sub/beta}.
    """

    def setUp(self) -> None:
        """Make the library and the service."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.temporary_folder = Path(temporary_directory.name)
        self.folder = self.temporary_folder / "library"
        (self.folder / "sub").mkdir(parents=True)
        (self.folder / "alpha").write_text("All is love.\nLove is all.\n")
        (self.folder / "sub" / "beta").write_text("Beta.\n")
        self.web = self.make_web()

    def make_web(self, **settings: Any) -> InMemoryService:
        """A service on the library, whose processes end with the test."""
        web = InMemoryService(self.folder, **settings)
        self.addCleanup(web.end_processes)
        return web

    def assert_error(self, answer: ClientResponse, code: int, *words: str) -> None:
        """An answer is the error that it should be, and says certain words."""
        self.assertEqual(answer.code, code)
        self.assertEqual(answer.header("content-type"), "application/json")
        self.assertEqual(answer.header("content-length"), str(len(answer.body)))
        self.assertEqual(list(answer.json), ["Code", "message"])
        self.assertEqual(answer.json["Code"], code)
        self.assertTrue(answer.message.endswith(f" {INSTRUCTIONS_URL}"), answer.message)
        for word in words:
            self.assertIn(word, answer.message)
