"""
A service that listens in memory, for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from twisted_quotes.monitoring.systemd import SystemdNotifier
from twisted_quotes.service.quotes_service import FLUSH_TIMEOUT, QuotesService

from ..fakes import FakeReactor
from ..web.clients import (
    FakeSocket,
    WebTestCase,
    query_request,
)

ENDPOINT = "tcp:8000:interface=127.0.0.1"


@implementer(IListeningPort)
class FakePort:
    """
    A port that starts and stops its factory, as a real one does.
    """

    def __init__(
        self, reactor: FakeReactor, factory: IProtocolFactory, address: IAddress
    ) -> None:
        self.reactor = reactor
        self.factory = factory
        self.address = address
        self.listening = False

    def startListening(self) -> None:
        """Start listening."""
        self.listening = True
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """Stop listening in the next turn."""
        stopped: Deferred[None] = Deferred()
        self.reactor.callLater(0, self._stop, stopped)
        return stopped

    def _stop(self, stopped: Deferred[None]) -> None:
        self.listening = False
        self.factory.doStop()
        stopped.callback(None)

    def getHost(self) -> IAddress:
        """Return the address."""
        return self.address


class ListeningReactor(FakeReactor):
    """
    A reactor whose ports are L{FakePort}s.

    @ivar ports: the ports, in order.
    @ivar listen_error: raised by C{listenTCP}, if set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[FakePort] = []
        self.listen_error: Exception | None = None

    def listenTCP(
        self,
        port: int,
        factory: IProtocolFactory,
        backlog: int = 50,
        interface: str = "",
    ) -> FakePort:
        """Listen on a port; 54321 for port 0."""
        if self.listen_error is not None:
            raise self.listen_error
        super().listenTCP(port, factory, backlog, interface)
        address = IPv4Address("TCP", interface, port or 54321)
        self.ports.append(FakePort(self, factory, address))
        self.ports[-1].startListening()
        return self.ports[-1]

    def start_running(self) -> None:
        """Make the calls that were scheduled for when the reactor runs."""
        for call, args, kw in self.whenRunningHooks:
            call(*args, **kw)


@implementer(IStreamServerEndpoint)
class FakeEndpoint:
    """An endpoint with a given result of listening."""

    def __init__(self, listening: Deferred[Any]) -> None:
        self.listening = listening

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Return the result."""
        return self.listening


class FakeSignals:
    """
    Signals that a test sends.

    @ivar callbacks: the functions that signals call.
    @ivar restore_count: the number of times that the handlers were restored.
    """

    def __init__(self) -> None:
        self.callbacks: list[Callable[[int], object]] = []
        self.restore_count = 0

    def __call__(self, call: Callable[[int], object]) -> Callable[[], None]:
        """Subscribe a function to signals."""
        self.callbacks.append(call)
        return self._restore

    def _restore(self) -> None:
        self.restore_count += 1

    def send(self, *numbers: int) -> None:
        """Send signals in one turn of the reactor."""
        [call] = self.callbacks
        for number in numbers:
            call(number)


class FakeSystemdNotifier(SystemdNotifier):
    """
    A notifier that records the notifications.

    @ivar notifications: the variables of each.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        super().__init__(reactor, "/run/notify", 10)
        self.notifications: list[tuple[str, ...]] = []

    def _notify(self, *variables: str) -> None:
        self.notifications.append(variables)


class ServiceTestCase(WebTestCase):
    """Starts a service that listens in memory."""

    def setUp(self) -> None:
        """Make what a service needs."""
        super().setUp()
        self.reactor = ListeningReactor()
        self.signals = FakeSignals()
        self.systemd = FakeSystemdNotifier(self.reactor)
        self.outstanding_at_close: list[int] = []
        self.reloads: list[None] = []
        self.log = self.temporary_folder / "access.log"
        self.web = self.make_web(
            reactor=self.reactor, access_log=self.log, time_limit=1000.0
        )

    def make_service(
        self,
        *endpoints: tuple[str, IStreamServerEndpoint],
        delay: float = 0.0,
        timeout: float = 30.0,
    ) -> QuotesService:
        """Make a service."""
        reactor: Any = self.reactor
        service = QuotesService(
            **self.service_arguments(delay, timeout),
            endpoints=endpoints or [(ENDPOINT, serverFromString(reactor, ENDPOINT))],
        )
        self.addCleanup(self.end_service, service)
        return service

    def service_arguments(self, delay: float, timeout: float) -> dict[str, Any]:
        """Return the arguments of a service but its endpoints."""
        return {
            "reactor": self.reactor,
            "site": self.web.site,
            "outstanding": self.web.outstanding,
            "drain_delay": delay,
            "drain_timeout": timeout,
            "on_signal": self.signals,
            "site_closed": lambda: self.outstanding_at_close.append(
                len(self.web.outstanding)
            ),
            "clean_up": lambda: succeed(None),
            "reload_library": lambda: self.reloads.append(None),
            "readiness": self.web.readiness,
            "systemd_notifier": self.systemd,
            "host_names": ["quotes.test"],
        }

    def end_service(self, service: QuotesService) -> None:
        """Shut a service down, whatever state it is in."""
        if not self.web.readiness.draining:
            self.reactor.fire_shutdown()
        if self.web.readiness.draining:
            service.force()
            self.reactor.advance(FLUSH_TIMEOUT)
        while self.web.site.numPorts:
            self.web.site.doStop()

    def start_service(self, delay: float = 0.0, timeout: float = 30.0) -> QuotesService:
        """Make a service, and start it."""
        service = self.make_service(delay=delay, timeout=timeout)
        service.startService()
        return service

    def start_shutdown(self) -> Deferred[Any]:
        """Have the reactor start its shutdown, and run a turn."""
        [finished] = self.reactor.fire_shutdown()
        self.reactor.advance(0)
        assert isinstance(finished, Deferred)
        return finished

    def start_search(self) -> FakeSocket:
        """Connect a client that sends a query."""
        client = self.web.connect()
        client.send(query_request())
        return client

    def finish_searches(self, *clients: FakeSocket) -> None:
        """Have the greps find a line, and clients read their responses."""
        for process in self.web.running_processes():
            process.print(b"All is love.\n")
            process.end()
        for client in clients:
            client.deliver()

    def shut_down_while_searching(self) -> tuple[FakeSocket, Deferred[Any]]:
        """Start a service, and shut it down while a client waits for a response."""
        self.start_service()
        return self.start_search(), self.start_shutdown()

    def complete(self, client: FakeSocket, finished: Deferred[Any]) -> None:
        """Have a client read its response and close, and check the shutdown."""
        self.finish_searches(client)
        client.half_close()
        self.assert_ended(finished)

    def assert_ended(self, finished: Deferred[Any]) -> None:
        """Check that the shutdown is complete and nothing is left of the service."""
        self.successResultOf(finished)
        self.assertEqual(self.web.site.numPorts, 0)
        self.assertEqual(len(self.web.outstanding), 0)
        self.reactor.advance(0)
        pending_calls = [
            each for each in self.reactor.getDelayedCalls() if each.active()
        ]
        self.assertEqual(pending_calls, [])
