"""
Tests of the service: how it starts, and how it shuts down.
"""

from __future__ import annotations

import os
from errno import EACCES, EADDRINUSE
from signal import SIGHUP, SIGINT, SIGTERM
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import (
    IProtocolFactory,
    IReadDescriptor,
)
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface import implementer

from twisted_quotes.listening.sockets import MAX_ACCEPT_BATCHES
from twisted_quotes.service.quotes_service import FLUSH_TIMEOUT
from twisted_quotes.service.startup import CannotStart
from twisted_quotes.web.server.channel import NEXT_REQUEST_TIMEOUT

from ..fakes import FakeReactor
from ..web.clients import (
    FakeSocket,
    captured_events,
    get_request,
    query_request,
    read_responses,
    request_events,
)
from .cases import (
    ENDPOINT,
    FakeEndpoint,
    FakePort,
    FakeSystemdNotifier,
    ServiceTestCase,
)


class StartTests(ServiceTestCase):
    """Tests of starting."""

    def test_it_listens_on_its_endpoints(self) -> None:
        """With the site as the factory."""
        reactor: Any = self.reactor
        self.make_service(
            *((each, serverFromString(reactor, each)) for each in ("tcp:1", "tcp:2"))
        ).startService()
        self.assertEqual([each[0] for each in self.reactor.tcpServers], [1, 2])
        self.assertIs(self.reactor.tcpServers[0][1], self.web.site)

    def test_the_address_of_each_port_is_logged(self) -> None:
        """In a form that scripts can use, in a line for each port."""
        self.reactor.hasRun = True
        for description, address, expected in (
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
            self.assertEqual(formatEvent(event), f"Listening on {expected}")

    def test_an_error_in_listening_stops_the_start(self) -> None:
        """The error is one line with the address and the reason."""
        in_use = OSError(EADDRINUSE, os.strerror(EADDRINUSE))
        self.reactor.listen_error = CannotListenError("127.0.0.1", 8000, in_use)
        with self.assertRaises(CannotStart) as raised:
            self.start_service()
        message = str(raised.exception)
        self.assertIn("127.0.0.1:8000", message)
        self.assertIn(os.strerror(EADDRINUSE), message)
        self.assertEqual(len(message.splitlines()), 1)
        self.assertEqual(self.reactor.fire_shutdown(), [])

    def test_an_error_in_listening_names_the_endpoint(self) -> None:
        """The error of the lock of a UNIX socket does not."""
        denied = PermissionError(
            EACCES, os.strerror(EACCES), "29666", None, b"/run/quotes.lock"
        )
        with self.assertRaises(CannotStart) as raised:
            self.make_service(
                (ENDPOINT, FakeEndpoint(succeed(self.make_port()))),
                ("unix:/run/quotes", FakeEndpoint(fail(denied))),
            ).startService()
        self.assertEqual(
            str(raised.exception),
            "twist quotes: --listen 'unix:/run/quotes' cannot be used: "
            "Permission denied; the folder of the socket must exist and be writable",
        )

    def test_a_unix_socket_in_use_stops_the_start(self) -> None:
        """The error is not about the lock of Twisted."""
        in_use = CannotListenError(None, "/run/quotes", "Cannot acquire lock")
        service = self.make_service(("unix:/run/quotes", FakeEndpoint(fail(in_use))))
        error = self.assertRaises(CannotStart, service.startService)
        self.assertTrue(str(error).endswith("another process listens on it"), error)

    def make_port(self) -> FakePort:
        """Make a port."""
        address = IPv4Address("TCP", "127.0.0.1", 8000)
        return FakePort(self.reactor, self.web.site, address)

    def test_a_later_error_in_listening_stops_the_reactor(self) -> None:
        """The service does not go on with some of its endpoints."""
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
    """Tests of the notifications to systemd."""

    def test_the_service_is_ready_once_the_reactor_runs(self) -> None:
        """Before that, a signal does not start a graceful shutdown."""
        self.start_service()
        self.assertEqual(self.systemd.notifications, [])
        self.reactor.start_running()
        status = "STATUS=Listening on http://127.0.0.1:8000/"
        self.assertEqual(
            self.systemd.notifications, [("READY=1", status), ("WATCHDOG=1",)]
        )

    def test_it_is_not_ready_before_it_listens_on_all_endpoints(self) -> None:
        """An endpoint can take longer than another."""
        listening: Deferred[Any] = Deferred()
        address = UNIXAddress("/run/quotes")
        early, late = (FakePort(self.reactor, self.web.site, address) for _ in range(2))
        self.make_service(
            ("unix:/late", FakeEndpoint(listening)),
            ("unix:/early", FakeEndpoint(succeed(early))),
        ).startService()
        self.reactor.hasRun = True
        self.reactor.start_running()
        self.assertEqual(self.systemd.notifications, [])
        listening.callback(late)
        status = "STATUS=Listening on unix:/early, unix:/late"
        self.assertEqual(self.systemd.notifications[0], ("READY=1", status))

    def test_systemd_is_notified_when_the_shutdown_starts(self) -> None:
        """Watchdog notifications go on until the shutdown is complete."""
        self.start_service()
        self.reactor.start_running()
        client = self.start_search()
        status = f"STATUS=Shutting down: {len(self.web.outstanding)} outstanding."
        finished = self.start_shutdown()
        self.assertEqual(self.systemd.notifications[2:], [("STOPPING=1", status)])
        self.reactor.advance(5)
        self.assertEqual(self.systemd.notifications[3:], [("WATCHDOG=1",)])
        self.complete(client, finished)
        self.assertEqual(len(self.systemd.notifications), 4)

    def test_a_service_that_stops_before_the_reactor_runs_is_never_ready(self) -> None:
        """Watchdog notifications would never end."""
        finished = self.start_service().stopService()
        self.reactor.advance(0)
        self.assert_ended(finished)
        self.reactor.start_running()
        self.assertNotIn("READY=1", [each[0] for each in self.systemd.notifications])
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class ShutdownTests(ServiceTestCase):
    """Tests of a shutdown that is not forced."""

    def test_with_nothing_outstanding_it_is_complete_at_once(self) -> None:
        self.start_service()
        self.assertFalse(self.web.readiness.draining)
        finished = self.start_shutdown()
        self.assertTrue(self.web.readiness.draining)
        self.assert_ended(finished)

    def test_it_waits_until_the_client_has_the_response(self) -> None:
        """A running search is completed."""
        client, finished = self.shut_down_while_searching()
        self.assertNoResult(finished)
        self.finish_searches()
        self.assertNoResult(finished)
        client.deliver()
        self.assertNoResult(finished)
        client.half_close()
        self.assert_ended(finished)
        [response] = client.responses()
        self.assertEqual(response.json["results"], ["All is love."])
        self.assertTrue(response.closes_connection)

    def test_it_waits_for_a_wrapped_connection(self) -> None:
        """The transport has the whole response."""
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
        [response] = read_responses(transport.value())
        self.assertEqual(response.json["results"], ["All is love."])
        self.assertTrue(response.closes_connection)

    def test_it_waits_two_seconds_for_a_client_to_close(self) -> None:
        """After the response. Then it closes the connection."""
        client, finished = self.shut_down_while_searching()
        self.finish_searches(client)
        self.reactor.advance(1.9)
        self.assertNoResult(finished)
        self.reactor.advance(0.2)
        self.assert_ended(finished)
        self.assertFalse(client.aborted)

    def test_it_waits_for_a_grep_whose_client_has_left(self) -> None:
        """No grep outlives the service."""
        self.start_service()
        client = self.start_search()
        client.disconnect()
        finished = self.start_shutdown()
        self.assertNoResult(finished)
        self.web.running_processes()[0].end(signal=9)
        self.assert_ended(finished)

    def test_the_callback_for_the_closed_site_is_called_once(self) -> None:
        """While requests are outstanding."""
        client, finished = self.shut_down_while_searching()
        self.assertEqual(self.outstanding_at_close, [len(self.web.outstanding)])
        self.complete(client, finished)
        self.assertEqual(len(self.outstanding_at_close), 1)

    def test_it_waits_for_searches_that_wait_for_a_slot(self) -> None:
        """They are completed."""
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

    def test_it_stops_listening_first(self) -> None:
        """While requests are outstanding."""
        self.start_service()
        self.start_search()
        self.assertTrue(self.reactor.ports[0].listening)
        self.start_shutdown()
        self.assertFalse(self.reactor.ports[0].listening)

    def test_idle_connections_are_closed(self) -> None:
        """They do not delay the shutdown."""
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
        """With a 503, and the connection is closed."""
        client, finished = self.shut_down_while_searching()
        client.send(get_request())
        self.finish_searches(client)
        self.assertEqual(client.responses()[0].code, 200)
        self.assert_shutting_down(client, response_count=2)
        client.half_close()
        self.assert_ended(finished)

    def test_a_pipelined_request_that_has_arrived_is_completed(self) -> None:
        """Its headers had arrived before the shutdown started."""
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

    def test_a_request_that_arrives_while_ports_close_is_completed(self) -> None:
        """Requests are refused when all ports are closed."""
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

    def test_an_incomplete_head_does_not_delay_the_shutdown(self) -> None:
        """It is not a request yet."""
        self.start_service()
        client = self.web.connect()
        client.send(b"GET / HTTP/1.1\r\nHo")
        self.assert_ended(self.start_shutdown())
        self.assertTrue(client.disconnected)

    def test_the_access_log_stays_open(self) -> None:
        """It has the requests during the shutdown."""
        client, finished = self.shut_down_while_searching()
        self.assertFalse(self.reactor.ports[0].listening)
        client.send(get_request())
        with captured_events() as events:
            self.complete(client, finished)
        lines = self.log.read_text().splitlines()
        self.assertIn('" 200 ', lines[0])
        self.assertIn('" 503 ', lines[1])
        self.assertEqual(len(lines), 2)
        self.assertEqual([each["code"] for each in request_events(events)], [200, 503])

    def test_it_is_started_once(self) -> None:
        """Further calls return the DeferredList that the reactor waits for."""
        service = self.start_service()
        [finished] = self.reactor.fire_shutdown()
        self.assertIsInstance(finished, DeferredList)
        self.assertIs(service.start_shutdown(), finished)
        self.assertIs(service.stopService(), finished)

    def test_an_error_is_logged_and_ends_the_shutdown(self) -> None:
        """The reactor does not wait for ever."""
        service = self.start_service()

        service.site_closed = lambda: 1 // 0
        with captured_events() as events:
            self.successResultOf(self.start_shutdown())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("The shutdown failed.", [each["log_format"] for each in events])


class SignalTests(ServiceTestCase):
    """Tests of signals."""

    def setUp(self) -> None:
        """Have a reactor that does not stop in the same turn."""
        super().setUp()
        self.stops: list[int] = []
        self.reactor.stop = lambda: self.stops.append(1)  # type: ignore[method-assign]

    def start_serving(self, delay: float = 0.0, stops_on_hangup: bool = False) -> None:
        """Make a service, and run the reactor."""
        service = self.make_service(delay=delay)
        service.stops_on_hangup = stops_on_hangup
        service.startService()
        self.reactor.start_running()

    def exit_signal(self) -> object:
        """Return the signal by which C{twist} will end the process."""
        return getattr(self.reactor, "_exitSignal", None)

    def test_the_first_one_stops_the_reactor(self) -> None:
        """The process will end by that signal, and it is logged."""
        self.start_serving()
        with captured_events() as events:
            self.signals.send(SIGINT)
        self.assertEqual((self.stops, self.exit_signal()), ([1], SIGINT))
        self.assertIn(
            "Received SIGINT, shutting down.", [formatEvent(each) for each in events]
        )

    def test_a_second_one_in_the_same_turn_forces_the_shutdown(self) -> None:
        """Before the reactor has started to stop. The process ends by the first one."""
        self.start_serving(delay=20)
        client = self.start_search()
        self.signals.send(SIGTERM, SIGINT)
        self.assertEqual((self.stops, self.exit_signal()), ([1], SIGTERM))
        finished = self.start_shutdown()
        client.deliver()
        self.assert_shutting_down(client)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)

    def test_a_reactor_that_has_stopped_is_not_an_error(self) -> None:
        """It can have been stopped in the same turn."""

        def stop() -> None:
            raise ReactorNotRunning

        self.start_serving()
        self.reactor.stop = stop  # type: ignore[method-assign]
        self.signals.send(SIGTERM)

    def test_one_after_the_shutdown_has_no_effect(self) -> None:
        """The handlers stay if the reactor stops."""
        self.start_serving()
        finished = self.start_shutdown()
        self.assert_ended(finished)
        self.assertEqual(self.signals.restore_count, 0)
        self.signals.send(SIGTERM, SIGINT)
        self.assert_ended(finished)

    def test_a_hangup_without_a_terminal_does_not_stop_the_service(self) -> None:
        """The access log is reopened, the library too, and each hangup is logged."""
        self.start_serving()
        self.log.rename(self.temporary_folder / "old.log")
        with captured_events() as events:
            self.signals.send(SIGHUP, SIGHUP)
        self.assertTrue(self.log.exists())
        self.assertEqual(self.stops, [])
        self.assertEqual((len(events), len(self.reloads)), (2, 2))
        self.assertIn("SIGHUP, going on", formatEvent(events[0]))
        client = self.start_search()
        self.finish_searches(client)
        self.assertEqual(client.responses()[0].code, 200)

    def test_a_hangup_of_the_terminal_never_forces_the_shutdown(self) -> None:
        """A terminal that is closed sends two."""
        self.start_serving(stops_on_hangup=True)
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
    """Tests of a service that is stopped while the reactor goes on."""

    def test_stopping_the_service_waits_like_a_shutdown(self) -> None:
        """Then the signal handlers are restored."""
        service = self.start_service()
        self.reactor.start_running()
        client = self.start_search()
        finished = service.stopService()
        self.reactor.advance(0)
        self.assertFalse(service.running)
        self.assertNoResult(finished)
        self.complete(client, finished)
        self.assertEqual([each.code for each in client.responses()], [200])

    def test_a_stopped_service_leaves_the_reactor_alone(self) -> None:
        """The reactor has nothing to wait for when it stops later."""
        service = self.start_service()
        service.stopService()
        self.assertEqual(self.reactor.fire_shutdown(), [])


class DrainDelayTests(ServiceTestCase):
    """Tests of the drain delay."""

    def test_it_goes_on_serving(self) -> None:
        """On new and old connections."""
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
        for response in (*idle_client.responses(), *new.responses()):
            self.assertEqual((response.code, response.closes_connection), (200, False))
        self.reactor.advance(0.1)
        self.reactor.advance(NEXT_REQUEST_TIMEOUT)
        for client in (idle_client, new):
            client.deliver()
            self.assertTrue(client.disconnected)
        self.assert_ended(finished)

    def test_a_signal_cuts_the_delay_short(self) -> None:
        self.start_service(delay=20)
        self.reactor.start_running()
        finished = self.start_shutdown()
        self.signals.send(SIGTERM)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)


class ForcedShutdownTests(ServiceTestCase):
    """Tests of a shutdown forced by a second signal or the drain timeout."""

    def start_forced_shutdown(self, timeout: float = 30.0) -> Deferred[Any]:
        """Start the shutdown, then force it."""
        self.reactor.start_running()
        finished = self.start_shutdown()
        self.assertNoResult(finished)
        self.signals.send(SIGTERM)
        return finished

    def force_while_searching(self) -> tuple[FakeSocket, Deferred[Any]]:
        """Start a service, and force it to shut down while a client waits."""
        self.start_service()
        return self.start_search(), self.start_forced_shutdown()

    def test_a_second_signal_kills_greps(self) -> None:
        """Their clients get a 503."""
        self.start_service()
        client = self.start_search()
        [process] = self.web.running_processes()
        finished = self.start_forced_shutdown()
        client.deliver()
        self.assertEqual(process.signals, ["KILL"])
        self.assert_shutting_down(client)
        self.assertNoResult(finished)
        process.end(signal=9)
        client.half_close()
        self.assert_ended(finished)

    def test_the_drain_timeout_does_the_same(self) -> None:
        """It counts from the start of the shutdown."""
        self.start_service(timeout=7)
        client = self.start_search()
        [process] = self.web.running_processes()
        finished = self.start_shutdown()
        self.reactor.advance(6.9)
        self.assertEqual(process.signals, [])
        self.reactor.advance(0.1)
        client.deliver()
        self.assertEqual(process.signals, ["KILL"])
        self.assert_shutting_down(client)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)

    def test_the_drain_delay_counts_towards_the_timeout(self) -> None:
        self.start_service(delay=5, timeout=7)
        self.start_search()
        self.start_shutdown()
        self.reactor.advance(5)
        self.assertEqual(self.web.running_processes()[0].signals, [])
        self.reactor.advance(2)
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])

    def test_a_wait_is_killed(self) -> None:
        self.start_service()
        client = self.web.connect()
        client.send(get_request("/wait"))
        self.start_forced_shutdown()
        client.deliver()
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])
        self.assert_shutting_down(client)

    def test_a_search_that_waits_for_a_slot_is_refused(self) -> None:
        """Its grep is not started."""
        self.web = self.make_web(reactor=self.reactor, running=1)
        self.start_service()
        clients = [self.start_search(), self.start_search()]
        [process] = self.web.running_processes()
        self.start_forced_shutdown()
        for client in clients:
            client.deliver()
            self.assert_shutting_down(client)
        process.end(signal=9)
        self.assertEqual(self.web.running_processes(), [])

    def test_an_incomplete_request_is_refused(self) -> None:
        """Its body has not arrived."""
        self.start_service()
        client = self.web.connect()
        client.send(query_request()[:-1])
        self.start_forced_shutdown()
        client.deliver()
        self.assert_shutting_down(client)

    def test_it_does_not_wait_for_a_process_that_does_not_die(self) -> None:
        """Longer than for clients to read."""
        self.start_service()
        self.start_search()
        finished = self.start_forced_shutdown()
        self.reactor.advance(FLUSH_TIMEOUT - 0.1)
        self.assertNoResult(finished)
        self.reactor.advance(0.1)
        self.assert_ended(finished)

    def test_a_client_that_does_not_read_is_disconnected(self) -> None:
        """After a time limit."""
        self.start_service()
        client = self.start_search()
        client.stalled = True
        finished = self.start_forced_shutdown()
        self.web.running_processes()[0].end(signal=9)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assertTrue(client.aborted)
        self.assert_ended(finished)

    def test_a_client_that_has_read_is_not_reset(self) -> None:
        """Its connection is closed, not aborted."""
        client, finished = self.force_while_searching()
        client.deliver()
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assertTrue(client.disconnected)
        self.assertFalse(client.aborted)
        self.assert_ended(finished)

    def test_a_third_signal_has_no_effect(self) -> None:
        service = self.start_service()
        self.start_search()
        finished = self.start_forced_shutdown()
        with captured_events() as events:
            service.force()
        self.assertEqual(events, [])
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)

    def test_the_timeout_applies_to_a_stopped_service(self) -> None:
        """Also while the reactor goes on."""
        service = self.start_service(timeout=3)
        client = self.start_search()
        finished = service.stopService()
        self.reactor.advance(3)
        client.deliver()
        self.assert_shutting_down(client)
        self.reactor.advance(FLUSH_TIMEOUT)
        self.assert_ended(finished)


@implementer(IReadDescriptor)
class BacklogPort(FakePort):
    """
    A port with pending connections, as bytes in a pipe.

    @ivar accepted: the number of connections that were accepted.
    """

    def __init__(self, reactor: FakeReactor, factory: IProtocolFactory) -> None:
        super().__init__(reactor, factory, IPv4Address("TCP", "127.0.0.1", 8000))
        self.connected = True
        self.accepted = 0
        self.is_endless = False
        self.read_fd, self.write_fd = os.pipe()

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.read_fd)
        os.close(self.write_fd)

    def fileno(self) -> int:
        """Return what is readable while a connection is pending."""
        return self.read_fd

    def doRead(self) -> None:
        """Accept a connection."""
        self.accepted += 1
        if not self.is_endless:
            os.read(self.read_fd, 1)

    def connectionLost(self, reason: object) -> None:
        """Do nothing."""

    def logPrefix(self) -> str:
        """Return a name for the log."""
        return "port"


class AcceptBacklogTests(ServiceTestCase):
    """Tests of connections that are pending when the shutdown starts."""

    def test_pending_connections_are_accepted(self) -> None:
        """Closing the socket would reset them, unless it is one of systemd."""
        for clients, description, accepted in (
            (3, ENDPOINT, 3),
            (0, ENDPOINT, 0),
            (3, "systemd:domain=INET:index=0", 0),
        ):
            self.setUp()
            port = BacklogPort(self.reactor, self.web.site)
            self.shut_down_with(port, clients, description)
            self.assertEqual(port.accepted, accepted)

    def test_accepting_is_limited(self) -> None:
        """Clients that keep connecting do not delay the shutdown for ever."""
        port = BacklogPort(self.reactor, self.web.site)
        port.is_endless = True
        self.shut_down_with(port, 1)
        self.assertEqual(port.accepted, 2 * MAX_ACCEPT_BATCHES)

    def test_a_closed_port_is_not_read(self) -> None:
        """It has no socket."""
        port = BacklogPort(self.reactor, self.web.site)
        port.connected = False
        self.shut_down_with(port, 3)
        self.assertEqual(port.accepted, 0)

    def shut_down_with(
        self, port: BacklogPort, clients: int, description: str = ENDPOINT
    ) -> None:
        """Shut down with a number of pending connections."""
        self.addCleanup(port.close)
        os.write(port.write_fd, b"." * clients)
        service = self.make_service((description, FakeEndpoint(succeed(port))))
        port.startListening()
        service.startService()
        self.assert_ended(self.start_shutdown())
