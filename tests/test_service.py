"""
Tests of how the service starts, and above all of how it ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EADDRINUSE
from signal import SIGHUP, SIGINT, SIGTERM
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReadDescriptor,
    IStreamServerEndpoint,
)
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface import implementer

from twisted_quotes.errors import ShuttingDown
from twisted_quotes.listening.sockets import MAX_ACCEPT_BATCHES
from twisted_quotes.monitoring.systemd import SystemdNotifier
from twisted_quotes.service import FLUSH_TIMEOUT, QuotesService
from twisted_quotes.startup import CannotStart
from twisted_quotes.web.server.channel import NEXT_REQUEST_TIMEOUT

from .fakes import FakeReactor
from .web.clients import (
    FakeSocket,
    WebTestCase,
    captured_events,
    get_request,
    query_request,
    read_responses,
    request_events,
)

ENDPOINT = "tcp:8000:interface=127.0.0.1"


@implementer(IListeningPort)
class FakePort:
    """
    A port that starts and stops its factory, as a real one does.

    @ivar listening: whether it still listens.
    """

    def __init__(
        self, reactor: FakeReactor, factory: IProtocolFactory, address: IAddress
    ) -> None:
        self.reactor = reactor
        self.factory = factory
        self.address = address
        self.listening = False

    def startListening(self) -> None:
        """Start."""
        self.listening = True
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """Stop, in the next turn."""
        stopped: Deferred[None] = Deferred()
        self.reactor.callLater(0, self._stop, stopped)
        return stopped

    def _stop(self, stopped: Deferred[None]) -> None:
        self.listening = False
        self.factory.doStop()
        stopped.callback(None)

    def getHost(self) -> IAddress:
        """Where it listens."""
        return self.address


class ListeningReactor(FakeReactor):
    """
    A reactor whose ports start and stop their factories.

    @ivar ports: all of them, in order.
    @ivar listen_error: raised by the next attempts to listen, if set.
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
        """Listen, on a port that somebody chose where none was asked for."""
        if self.listen_error is not None:
            raise self.listen_error
        super().listenTCP(port, factory, backlog, interface)
        address = IPv4Address("TCP", interface, port or 54321)
        self.ports.append(FakePort(self, factory, address))
        self.ports[-1].startListening()
        return self.ports[-1]

    def start_running(self) -> None:
        """Call what was to be called when the reactor runs."""
        for call, args, kw in self.whenRunningHooks:
            call(*args, **kw)


@implementer(IStreamServerEndpoint)
class FakeEndpoint:
    """An endpoint on which listening has a given result."""

    def __init__(self, listening: Deferred[Any]) -> None:
        self.listening = listening

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen."""
        return self.listening


class FakeSignals:
    """
    Signals that a test sends.

    @ivar callbacks: what is called on a signal.
    @ivar restore_count: how many times that was undone.
    """

    def __init__(self) -> None:
        self.callbacks: list[Callable[[int], object]] = []
        self.restore_count = 0

    def __call__(self, call: Callable[[int], object]) -> Callable[[], None]:
        """Have a signal call something."""
        self.callbacks.append(call)
        return self._restore

    def _restore(self) -> None:
        self.restore_count += 1

    def send(self, *numbers: int) -> None:
        """Send signals, all in one turn of the reactor."""
        [call] = self.callbacks
        for number in numbers:
            call(number)


class FakeSystemdNotifier(SystemdNotifier):
    """
    A systemd that keeps what it is told.

    @ivar notifications: all that, in order.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        super().__init__(reactor, "/run/notify", 10)
        self.notifications: list[tuple[str, ...]] = []

    def _notify(self, *variables: str) -> None:
        self.notifications.append(variables)


class ServiceTestCase(WebTestCase):
    """Starts and ends a service that listens in memory."""

    def setUp(self) -> None:
        """Make what the service needs."""
        super().setUp()
        self.reactor = ListeningReactor()
        self.signals = FakeSignals()
        self.systemd = FakeSystemdNotifier(self.reactor)
        self.outstanding_at_close: list[int] = []
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
        """A service that is not started."""
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
            "readiness": self.web.readiness,
            "systemd_notifier": self.systemd,
            "host_names": ["quotes.test"],
        }

    def end_service(self, service: QuotesService) -> None:
        """Leave nothing of a service behind, however far it came."""
        if not self.web.readiness.draining:
            self.reactor.fire_shutdown()
        if self.web.readiness.draining:
            service.force()
            self.reactor.advance(FLUSH_TIMEOUT)
        while self.web.site.numPorts:
            self.web.site.doStop()

    def start_service(self, delay: float = 0.0, timeout: float = 30.0) -> QuotesService:
        """A service that is started."""
        service = self.make_service(delay=delay, timeout=timeout)
        service.startService()
        return service

    def start_shutdown(self) -> Deferred[Any]:
        """Have the reactor begin its shutdown, and take its first turns."""
        [finished] = self.reactor.fire_shutdown()
        self.reactor.advance(0)
        assert isinstance(finished, Deferred)
        return finished

    def start_search(self) -> FakeSocket:
        """A client that waits for an answer."""
        client = self.web.connect()
        client.send(query_request())
        return client

    def finish_searches(self, *clients: FakeSocket) -> None:
        """Have the greps find something, and hand the answers out."""
        for process in self.web.running_processes():
            process.print(b"All is love.\n")
            process.end()
        for client in clients:
            client.deliver()

    def assert_refused(self, client: FakeSocket, response_count: int = 1) -> None:
        """The last of so many answers says that the service is ending."""
        self.assertEqual(len(client.responses()), response_count)
        answer = client.responses()[-1]
        self.assert_error(answer, 503, "shutting down")
        self.assertEqual(answer.header("retry-after"), str(ShuttingDown.retry_after))
        self.assertTrue(answer.closes_connection)

    def assert_ended(self, finished: Deferred[Any]) -> None:
        """All is over, and nothing is left behind."""
        self.successResultOf(finished)
        self.assertEqual(self.web.site.numPorts, 0)
        self.assertEqual(len(self.web.outstanding), 0)
        self.reactor.advance(0)
        pending_calls = [
            each for each in self.reactor.getDelayedCalls() if each.active()
        ]
        self.assertEqual(pending_calls, [])


class StartTests(ServiceTestCase):
    """Tests of the start."""

    def test_it_listens_where_it_was_told(self) -> None:
        """The site is what answers there."""
        self.start_service()
        [(port, factory, _, interface)] = self.reactor.tcpServers
        self.assertEqual((port, interface), (8000, "127.0.0.1"))
        self.assertIs(factory, self.web.site)

    def test_it_listens_in_several_places(self) -> None:
        """All endpoints are listened on."""
        reactor: Any = self.reactor
        self.make_service(
            *((each, serverFromString(reactor, each)) for each in ("tcp:1", "tcp:2"))
        ).startService()
        self.assertEqual([each[0] for each in self.reactor.tcpServers], [1, 2])

    def test_each_real_address_is_logged(self) -> None:
        """Scripts and people find where to call, one line a listener."""
        self.reactor.hasRun = True
        for description, address, shown in (
            (
                "tcp:0",
                IPv4Address("TCP", "127.0.0.1", 54321),
                "http://127.0.0.1:54321/",
            ),
            ("tcp6:0", IPv6Address("TCP", "::1", 5), "http://[::1]:5/"),
            ("ssl:443:x", IPv4Address("TCP", "192.0.2.1", 5), "https://192.0.2.1:5/"),
            ("tls:443:x", IPv4Address("TCP", "192.0.2.1", 5), "https://192.0.2.1:5/"),
            ("unix:/run/quotes", UNIXAddress("/run/quotes"), "unix:/run/quotes"),
        ):
            self.systemd = FakeSystemdNotifier(self.reactor)
            port = FakePort(self.reactor, self.web.site, address)
            service = self.make_service((description, FakeEndpoint(succeed(port))))
            with captured_events() as events:
                service.startService()
            [event] = events
            self.assertEqual(formatEvent(event), f"Listening on {shown}")

    def test_what_cannot_be_listened_on_stops_the_start(self) -> None:
        """The error says in one line where and why, and nothing waits for an end."""
        in_use = OSError(EADDRINUSE, os.strerror(EADDRINUSE))
        self.reactor.listen_error = CannotListenError("127.0.0.1", 8000, in_use)
        with self.assertRaises(CannotStart) as raised:
            self.start_service()
        message = str(raised.exception)
        self.assertIn("127.0.0.1:8000", message)
        self.assertIn(os.strerror(EADDRINUSE), message)
        self.assertEqual(len(message.splitlines()), 1)
        self.assertEqual(self.reactor.fire_shutdown(), [])

    def test_whatever_goes_wrong_names_the_endpoint(self) -> None:
        """An error that says little is told apart by its endpoint."""
        with self.assertRaises(CannotStart) as raised:
            self.make_service(
                (ENDPOINT, FakeEndpoint(succeed(self.make_port()))),
                ("unix:/run/quotes", FakeEndpoint(fail(PermissionError("denied")))),
            ).startService()
        self.assertIn("unix:/run/quotes", str(raised.exception))
        self.assertIn("denied", str(raised.exception))

    def make_port(self) -> FakePort:
        """A port that listens."""
        address = IPv4Address("TCP", "127.0.0.1", 8000)
        return FakePort(self.reactor, self.web.site, address)

    def test_what_cannot_be_listened_on_later_stops_the_program(self) -> None:
        """A server never runs on with half of its endpoints."""
        listening: Deferred[Any] = Deferred()
        self.make_service((ENDPOINT, FakeEndpoint(listening))).startService()
        self.assertFalse(self.reactor.hasStopped)
        with capturedLogs() as events:
            listening.errback(CannotListenError("127.0.0.1", 8000, "in use"))
        self.assertTrue(self.reactor.hasStopped)
        [event] = events
        self.assertEqual(event["log_level"], LogLevel.critical)
        self.assertIn("127.0.0.1:8000", formatEvent(event))


class SystemdTests(ServiceTestCase):
    """Tests of what systemd is told."""

    def test_the_service_is_ready_once_the_reactor_runs(self) -> None:
        """Only then does a signal begin an orderly end."""
        self.start_service()
        self.assertEqual(self.systemd.notifications, [])
        self.reactor.start_running()
        status = "STATUS=Listening on http://127.0.0.1:8000/"
        self.assertEqual(
            self.systemd.notifications, [("READY=1", status), ("WATCHDOG=1",)]
        )

    def test_it_is_not_ready_before_it_listens_everywhere(self) -> None:
        """One endpoint may take longer than another."""
        listening: Deferred[Any] = Deferred()
        address = UNIXAddress("/run/quotes")
        here = FakePort(self.reactor, self.web.site, address)
        there = FakePort(self.reactor, self.web.site, address)
        self.make_service(
            ("unix:/late", FakeEndpoint(listening)),
            ("unix:/here", FakeEndpoint(succeed(here))),
        ).startService()
        self.reactor.hasRun = True
        self.reactor.start_running()
        self.assertEqual(self.systemd.notifications, [])
        listening.callback(there)
        status = "STATUS=Listening on unix:/here, unix:/late"
        self.assertEqual(self.systemd.notifications[0], ("READY=1", status))

    def test_the_end_is_told_when_it_begins(self) -> None:
        """Signs of life go on for as long as answers are due."""
        self.start_service()
        self.reactor.start_running()
        client = self.start_search()
        status = f"STATUS=Shutting down: {len(self.web.outstanding)} outstanding."
        finished = self.start_shutdown()
        self.assertEqual(self.systemd.notifications[2:], [("STOPPING=1", status)])
        self.reactor.advance(5)
        self.assertEqual(self.systemd.notifications[3:], [("WATCHDOG=1",)])
        self.finish_searches(client)
        client.half_close()
        self.assert_ended(finished)
        self.assertEqual(len(self.systemd.notifications), 4)

    def test_a_service_that_ends_before_the_reactor_runs_is_never_ready(self) -> None:
        """Nothing would take back the signs of life."""
        finished = self.start_service().stopService()
        self.reactor.advance(0)
        self.assert_ended(finished)
        self.reactor.start_running()
        self.assertNotIn("READY=1", [each[0] for each in self.systemd.notifications])
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class ShutdownTests(ServiceTestCase):
    """Tests of an end that nothing hurries."""

    def test_with_nothing_under_way_it_ends_at_once(self) -> None:
        """Who waits for nothing has nothing to wait for."""
        self.start_service()
        self.assertFalse(self.web.readiness.draining)
        finished = self.start_shutdown()
        self.assertTrue(self.web.readiness.draining)
        self.assert_ended(finished)

    def test_the_reactor_is_given_a_deferred_list(self) -> None:
        """The reactor waits for the list of all that is outstanding."""
        self.start_service()
        [finished] = self.reactor.fire_shutdown()
        self.assertIsInstance(finished, DeferredList)

    def test_the_end_waits_for_the_answer_and_for_its_delivery(self) -> None:
        """A search under way is answered in full before anything is over."""
        self.start_service()
        client = self.start_search()
        finished = self.start_shutdown()
        self.assertNoResult(finished)
        self.finish_searches()
        self.assertNoResult(finished)
        client.deliver()
        self.assertNoResult(finished)
        client.half_close()
        self.assert_ended(finished)
        [answer] = client.responses()
        self.assertEqual(answer.json["results"], ["All is love."])
        self.assertTrue(answer.closes_connection)

    def test_a_wrapped_connection_is_waited_for_too(self) -> None:
        """The whole answer is in the transport when all is over."""
        self.start_service()
        protocol = self.web.build_protocol()
        transport = StringTransportWithDisconnection()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        protocol.dataReceived(query_request())
        finished = self.start_shutdown()
        self.assertNoResult(finished)
        self.finish_searches()
        self.assert_ended(finished)
        [answer] = read_responses(transport.value())
        self.assertEqual(answer.json["results"], ["All is love."])
        self.assertTrue(answer.closes_connection)

    def test_a_client_that_does_not_close_is_not_waited_for_long(self) -> None:
        """Two seconds after its answer it is let go."""
        self.start_service()
        client = self.start_search()
        finished = self.start_shutdown()
        self.finish_searches(client)
        self.reactor.advance(1.9)
        self.assertNoResult(finished)
        self.reactor.advance(0.2)
        self.assert_ended(finished)
        self.assertFalse(client.aborted)

    def test_the_end_waits_for_a_grep_that_nobody_waits_for(self) -> None:
        """No grep outlives the service, not even one that is dying."""
        self.start_service()
        client = self.start_search()
        client.disconnect()
        finished = self.start_shutdown()
        self.assertNoResult(finished)
        self.web.running_processes()[0].end(signal=9)
        self.assert_ended(finished)

    def test_it_says_once_that_no_more_requests_are_taken(self) -> None:
        """While some are not answered yet, so that what ends then is waited for."""
        self.start_service()
        client = self.start_search()
        finished = self.start_shutdown()
        self.assertEqual(self.outstanding_at_close, [len(self.web.outstanding)])
        self.finish_searches(client)
        client.half_close()
        self.assert_ended(finished)
        self.assertEqual(len(self.outstanding_at_close), 1)

    def test_the_end_waits_for_those_who_wait_for_a_place(self) -> None:
        """A search whose grep has not even started is answered."""
        self.web = self.make_web(reactor=self.reactor, running=1)
        self.start_service()
        first, second = self.start_search(), self.start_search()
        finished = self.start_shutdown()
        self.finish_searches(first)
        self.finish_searches(second)
        for client in (first, second):
            self.assertEqual([each.code for each in client.responses()], [200])
            client.half_close()
        self.assert_ended(finished)

    def test_listening_ends_first(self) -> None:
        """Nobody new is let in while the last ones are answered."""
        self.start_service()
        self.start_search()
        self.assertTrue(self.reactor.ports[0].listening)
        self.start_shutdown()
        self.assertFalse(self.reactor.ports[0].listening)

    def test_idle_connections_are_closed(self) -> None:
        """Kept-alive connections do not hold up the end."""
        self.start_service()
        idle = self.web.connect()
        idle.send(get_request())
        self.reactor.advance(NEXT_REQUEST_TIMEOUT)
        finished = self.start_shutdown()
        idle.deliver()
        self.assertTrue(idle.disconnected)
        self.assertFalse(idle.aborted)
        self.assert_ended(finished)

    def test_a_new_request_on_a_connection_is_refused(self) -> None:
        """Who asks again during the end is told to try elsewhere, and closed."""
        self.start_service()
        client = self.start_search()
        finished = self.start_shutdown()
        client.send(get_request())
        self.finish_searches(client)
        self.assertEqual(client.responses()[0].code, 200)
        self.assert_refused(client, response_count=2)
        client.half_close()
        self.assert_ended(finished)

    def test_a_pipelined_request_that_had_arrived_is_answered(self) -> None:
        """Whose headers had arrived before the end began is answered in full."""
        self.start_service()
        client = self.web.connect()
        client.send(query_request() + query_request())
        finished = self.start_shutdown()
        self.finish_searches(client)
        self.assertNoResult(finished)
        self.finish_searches(client)
        self.assertEqual([each.code for each in client.responses()], [200, 200])
        self.assertEqual(
            [each.closes_connection for each in client.responses()], [False, True]
        )
        client.half_close()
        self.assert_ended(finished)

    def test_what_arrives_while_listening_ends_is_answered(self) -> None:
        """Until the service closes, a request is like any other."""
        self.start_service()
        client = self.web.connect()
        [finished] = self.reactor.fire_shutdown()
        client.send(get_request())
        self.reactor.advance(0)
        client.deliver()
        self.assertEqual([each.code for each in client.responses()], [200])
        self.reactor.advance(NEXT_REQUEST_TIMEOUT)
        client.deliver()
        self.assert_ended(finished)

    def test_half_a_head_does_not_hold_up_the_end(self) -> None:
        """Who has not asked is not waited for."""
        self.start_service()
        client = self.web.connect()
        client.send(b"GET / HTTP/1.1\r\nHo")
        self.assert_ended(self.start_shutdown())
        self.assertTrue(client.disconnected)

    def test_the_access_log_stays_open(self) -> None:
        """Those who are answered during the end have their line."""
        self.start_service()
        client = self.start_search()
        finished = self.start_shutdown()
        self.assertFalse(self.reactor.ports[0].listening)
        client.send(get_request())
        with captured_events() as events:
            self.finish_searches(client)
        client.half_close()
        self.assert_ended(finished)
        lines = self.log.read_text().splitlines()
        self.assertIn('" 200 ', lines[0])
        self.assertIn('" 503 ', lines[1])
        self.assertEqual(len(lines), 2)
        self.assertEqual([each["code"] for each in request_events(events)], [200, 503])

    def test_asking_twice_for_the_end_ends_once(self) -> None:
        """All who ask get the same list."""
        service = self.start_service()
        [finished] = self.reactor.fire_shutdown()
        self.assertIs(service.start_shutdown(), finished)
        self.assertIs(service.stopService(), finished)

    def test_what_goes_wrong_is_logged_and_holds_up_nothing(self) -> None:
        """An end that fails is over, too, and does not vanish in silence."""
        service = self.start_service()

        def broken() -> None:
            raise ZeroDivisionError

        service.site_closed = broken
        with captured_events() as events:
            self.successResultOf(self.start_shutdown())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("The shutdown failed.", [each["log_format"] for each in events])


class SignalTests(ServiceTestCase):
    """Tests of what signals do."""

    def setUp(self) -> None:
        """Have a reactor that ends when it is asked to, a turn later."""
        super().setUp()
        self.stops: list[int] = []
        self.reactor.stop = lambda: self.stops.append(1)  # type: ignore[method-assign]

    def start_serving(self, delay: float = 0.0, hangup_ends: bool = False) -> None:
        """Have a service serve."""
        service = self.make_service(delay=delay)
        service.stops_on_hangup = hangup_ends
        service.startService()
        self.reactor.start_running()

    def exit_signal(self) -> object:
        """The signal that C{twist} is going to end the process by."""
        return getattr(self.reactor, "_exitSignal", None)

    def test_the_first_stops_the_reactor(self) -> None:
        """The process is to end by that signal, and the log says so."""
        self.start_serving()
        with captured_events() as events:
            self.signals.send(SIGINT)
        self.assertEqual((self.stops, self.exit_signal()), ([1], SIGINT))
        self.assertIn(
            "Received SIGINT, shutting down.", [formatEvent(each) for each in events]
        )

    def test_the_second_in_the_same_turn_forces_the_end(self) -> None:
        """Though the reactor has not begun to stop, and as the first is what counts."""
        self.start_serving(delay=20)
        client = self.start_search()
        self.signals.send(SIGTERM, SIGINT)
        self.assertEqual((self.stops, self.exit_signal()), ([1], SIGTERM))
        finished = self.start_shutdown()
        client.deliver()
        self.assert_refused(client)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)

    def test_a_reactor_that_stops_already_is_no_error(self) -> None:
        """Something else may have stopped it in the same turn."""

        def stop() -> None:
            raise ReactorNotRunning

        self.start_serving()
        self.reactor.stop = stop  # type: ignore[method-assign]
        self.signals.send(SIGTERM)

    def test_one_that_comes_late_does_nothing(self) -> None:
        """Handlers stay where the reactor stops, and have nothing left to do."""
        self.start_serving()
        finished = self.start_shutdown()
        self.assert_ended(finished)
        self.assertEqual(self.signals.restore_count, 0)
        self.signals.send(SIGTERM, SIGINT)
        self.assert_ended(finished)

    def test_a_hangup_ends_nothing_where_there_is_no_terminal(self) -> None:
        """The access log is opened anew, with one line in the log."""
        self.start_serving()
        self.log.rename(self.temporary_folder / "old.log")
        with captured_events() as events:
            self.signals.send(SIGHUP, SIGHUP)
        self.assertTrue(self.log.exists())
        self.assertEqual(self.stops, [])
        self.assertEqual(len(events), 2)
        self.assertIn("SIGHUP, going on", formatEvent(events[0]))
        client = self.start_search()
        self.finish_searches(client)
        self.assertEqual(client.responses()[0].code, 200)

    def test_a_hangup_of_the_terminal_ends_and_never_forces(self) -> None:
        """A terminal that closes sends two."""
        self.start_serving(hangup_ends=True)
        client = self.start_search()
        self.signals.send(SIGHUP, SIGHUP)
        self.assertEqual((self.stops, self.exit_signal()), ([1], SIGHUP))
        finished = self.start_shutdown()
        self.signals.send(SIGHUP)
        self.finish_searches(client)
        self.assertEqual(client.responses()[0].code, 200)
        client.half_close()
        self.assert_ended(finished)


class StopServiceTests(ServiceTestCase):
    """Tests of an end that has nothing to do with the reactor's."""

    def test_stopping_the_service_waits_like_a_shutdown(self) -> None:
        """A service that is stopped answers what is under way, and lets signals go."""
        service = self.start_service()
        self.reactor.start_running()
        client = self.start_search()
        finished = service.stopService()
        self.reactor.advance(0)
        self.assertFalse(service.running)
        self.assertNoResult(finished)
        self.finish_searches(client)
        client.half_close()
        self.assert_ended(finished)
        self.assertEqual([each.code for each in client.responses()], [200])

    def test_a_stopped_service_leaves_the_reactor_alone(self) -> None:
        """The reactor's own end has nothing to wait for any more."""
        service = self.start_service()
        service.stopService()
        self.assertEqual(self.reactor.fire_shutdown(), [])


class DrainDelayTests(ServiceTestCase):
    """Tests of the time for load balancers to look elsewhere."""

    def test_it_goes_on_serving(self) -> None:
        """New and old connections are served as if nothing were."""
        self.start_service(delay=5)
        idle_client = self.web.connect()
        idle_client.send(get_request())
        finished = self.start_shutdown()
        self.assertTrue(self.web.readiness.draining)
        self.assertTrue(self.reactor.ports[0].listening)
        self.reactor.advance(4.9)
        idle_client.send(get_request())
        new = self.start_search()
        self.finish_searches(new)
        for answer in (*idle_client.responses(), *new.responses()):
            self.assertEqual((answer.code, answer.closes_connection), (200, False))
        self.reactor.advance(0.1)
        self.reactor.advance(NEXT_REQUEST_TIMEOUT)
        for client in (idle_client, new):
            client.deliver()
            self.assertTrue(client.disconnected)
        self.assert_ended(finished)

    def test_a_signal_cuts_the_delay_short(self) -> None:
        """Who asks twice does not want to wait."""
        self.start_service(delay=20)
        self.reactor.start_running()
        finished = self.start_shutdown()
        self.signals.send(SIGTERM)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)


class ForcedShutdownTests(ServiceTestCase):
    """Tests of an end that is hurried, by a second signal or the drain timeout."""

    def start_forced_shutdown(self, timeout: float = 30.0) -> Deferred[Any]:
        """Begin the end, and then hurry it."""
        self.reactor.start_running()
        finished = self.start_shutdown()
        self.assertNoResult(finished)
        self.signals.send(SIGTERM)
        return finished

    def test_a_second_signal_kills_and_refuses(self) -> None:
        """Greps are killed, and those who wait for them are told."""
        self.start_service()
        client = self.start_search()
        [process] = self.web.running_processes()
        finished = self.start_forced_shutdown()
        client.deliver()
        self.assertEqual(process.signals, ["KILL"])
        self.assert_refused(client)
        self.assertNoResult(finished)
        process.end(signal=9)
        client.half_close()
        self.assert_ended(finished)

    def test_the_drain_timeout_does_the_same(self) -> None:
        """It is counted from when the end began."""
        self.start_service(timeout=7)
        client = self.start_search()
        [process] = self.web.running_processes()
        finished = self.start_shutdown()
        self.reactor.advance(6.9)
        self.assertEqual(process.signals, [])
        self.reactor.advance(0.1)
        client.deliver()
        self.assertEqual(process.signals, ["KILL"])
        self.assert_refused(client)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)

    def test_the_drain_delay_counts_towards_the_timeout(self) -> None:
        """How long the end takes in all is limited."""
        self.start_service(delay=5, timeout=7)
        self.start_search()
        self.start_shutdown()
        self.reactor.advance(5)
        self.assertEqual(self.web.running_processes()[0].signals, [])
        self.reactor.advance(2)
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])

    def test_a_wait_is_killed_too(self) -> None:
        """What blocks on purpose is no exception."""
        self.start_service()
        client = self.web.connect()
        client.send(get_request("/wait"))
        self.start_forced_shutdown()
        client.deliver()
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])
        self.assert_refused(client)

    def test_who_waits_for_a_place_is_refused(self) -> None:
        """No grep is started any more."""
        self.web = self.make_web(reactor=self.reactor, running=1)
        self.start_service()
        clients = [self.start_search(), self.start_search()]
        [process] = self.web.running_processes()
        self.start_forced_shutdown()
        for client in clients:
            client.deliver()
            self.assert_refused(client)
        process.end(signal=9)
        self.assertEqual(self.web.running_processes(), [])

    def test_half_a_body_is_refused(self) -> None:
        """Who has not sent all is told, too."""
        self.start_service()
        client = self.web.connect()
        client.send(query_request()[:-1])
        self.start_forced_shutdown()
        client.deliver()
        self.assert_refused(client)

    def test_a_process_that_never_ends_does_not_hold_up_the_end(self) -> None:
        """What even a kill cannot end is left to the kernel."""
        self.start_service()
        self.start_search()
        finished = self.start_forced_shutdown()
        self.reactor.advance(FLUSH_TIMEOUT - 0.1)
        self.assertNoResult(finished)
        self.reactor.advance(0.1)
        self.assert_ended(finished)

    def test_a_client_that_does_not_read_is_cut(self) -> None:
        """What cannot be handed over in time is lost."""
        self.start_service()
        client = self.start_search()
        client.stalled = True
        finished = self.start_forced_shutdown()
        self.web.running_processes()[0].end(signal=9)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assertTrue(client.aborted)
        self.assert_ended(finished)

    def test_a_client_that_has_read_is_not_reset(self) -> None:
        """A connection on which all was written is closed in good order."""
        self.start_service()
        client = self.start_search()
        finished = self.start_forced_shutdown()
        client.deliver()
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assertTrue(client.disconnected)
        self.assertFalse(client.aborted)
        self.assert_ended(finished)

    def test_a_third_signal_changes_nothing(self) -> None:
        """The end is hurried once."""
        service = self.start_service()
        self.start_search()
        finished = self.start_forced_shutdown()
        with captured_events() as events:
            service.force()
        self.assertEqual(events, [])
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)

    def test_stopping_the_service_can_be_hurried_too(self) -> None:
        """A service that is stopped takes no longer than a shutdown may."""
        service = self.start_service(timeout=3)
        client = self.start_search()
        finished = service.stopService()
        self.reactor.advance(3)
        client.deliver()
        self.assert_refused(client)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)


@implementer(IReadDescriptor)
class BacklogPort(FakePort):
    """
    A port on which clients that have connected wait to be let in.

    @ivar accepted: how many were let in.
    """

    def __init__(self, reactor: FakeReactor, factory: IProtocolFactory) -> None:
        super().__init__(reactor, factory, IPv4Address("TCP", "127.0.0.1", 8000))
        self.connected = True
        self.accepted = 0
        self.is_endless = False
        self.read_fd, self.write_fd = os.pipe()

    def close(self) -> None:
        """Give up the pipe."""
        os.close(self.read_fd)
        os.close(self.write_fd)

    def fileno(self) -> int:
        """What is readable while somebody waits."""
        return self.read_fd

    def doRead(self) -> None:
        """Let one in."""
        self.accepted += 1
        if not self.is_endless:
            os.read(self.read_fd, 1)

    def connectionLost(self, reason: object) -> None:
        """Nothing is lost here."""

    def logPrefix(self) -> str:
        """A name for the log."""
        return "port"


class AcceptBacklogTests(ServiceTestCase):
    """Tests of those who have connected, but were not let in yet."""

    def shut_down_with(
        self, port: BacklogPort, clients: int, description: str = ENDPOINT
    ) -> None:
        """End while so many clients wait on a port."""
        self.addCleanup(port.close)
        os.write(port.write_fd, b"." * clients)
        service = self.make_service((description, FakeEndpoint(succeed(port))))
        port.startListening()
        service.startService()
        self.assert_ended(self.start_shutdown())

    def test_all_who_have_connected_are_let_in(self) -> None:
        """Closing the socket would have reset them."""
        port = BacklogPort(self.reactor, self.web.site)
        self.shut_down_with(port, 3)
        self.assertEqual(port.accepted, 3)

    def test_on_a_socket_that_stays_open_they_are_left_to_the_next(self) -> None:
        """Nothing resets them there, and the next service has all its time."""
        port = BacklogPort(self.reactor, self.web.site)
        self.shut_down_with(port, 3, "systemd:domain=INET:index=0")
        self.assertEqual(port.accepted, 0)

    def test_nobody_is_waited_for(self) -> None:
        """Where nobody has connected, nothing blocks."""
        port = BacklogPort(self.reactor, self.web.site)
        self.shut_down_with(port, 0)
        self.assertEqual(port.accepted, 0)

    def test_letting_in_comes_to_an_end(self) -> None:
        """Clients that keep connecting do not hold up the end."""
        port = BacklogPort(self.reactor, self.web.site)
        port.is_endless = True
        self.shut_down_with(port, 1)
        self.assertEqual(port.accepted, 2 * MAX_ACCEPT_BATCHES)

    def test_a_port_that_has_closed_is_left_alone(self) -> None:
        """A port that lost its socket lets nobody in."""
        port = BacklogPort(self.reactor, self.web.site)
        port.connected = False
        self.shut_down_with(port, 3)
        self.assertEqual(port.accepted, 0)
