"""
Tests of the composition of the service from its options.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from errno import EISDIR, ENOENT, ENOTDIR
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from twisted.application.service import IService
from twisted.cred.checkers import FilePasswordDB
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.testing import StringTransport, StringTransportWithDisconnection
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.concurrency.shared_counters import SharedCounters
from twisted_quotes.library.dictionary import STABLE_TIME
from twisted_quotes.library.packs.building.builder import PackBuilder
from twisted_quotes.service import composition
from twisted_quotes.service.composition import quotes_service
from twisted_quotes.service.quotes_service import FLUSH_TIMEOUT, QuotesService
from twisted_quotes.service.startup import CannotStart
from twisted_quotes.tap import Options
from twisted_quotes.web.authentication.password_hash import hash_password
from twisted_quotes.workers import worker_composition
from twisted_quotes.workers.inherited_fds import WorkerConfiguration
from twisted_quotes.workers.worker_composition import worker_service

from .fakes import FakeReactor
from .web.clients import LOVE_QUERY, get_request, query_request, read_responses


class TapTestCase(SynchronousTestCase):
    """Makes services from command lines, in memory."""

    def setUp(self) -> None:
        """Make a library with a dictionary."""
        self.temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.library = self.temporary_folder / "library"
        self.library.mkdir()
        (self.library / "alpha").write_text("love\n")
        # An old file is taken to be stable.
        os.utime(self.library / "alpha", (0, 0))
        self.reactor = FakeReactor()

    def parse_options(self, *arguments: str) -> Options:
        """Parse a command line; nothing is cached."""
        options = Options({})
        cache = f"--cache-dir={self.temporary_folder / 'cache'}", "--cache-bytes=0"
        options.parseOptions([*cache, *arguments])
        return options

    def make_service(self, *arguments: str) -> QuotesService:
        """Make a service from a command line."""
        service = quotes_service(self.reactor, self.parse_options(*arguments))
        assert isinstance(service, QuotesService)
        return service

    def start_service(self, *arguments: str) -> QuotesService:
        """Start a service from a command line."""
        service = self.make_service(*arguments)
        self.run_until_cleanup(service)
        return service

    def run_until_cleanup(self, service: IService) -> None:
        """Start a service, and stop it after the test."""
        assert isinstance(service, QuotesService)
        service.startService()
        self.addCleanup(self.stop_service, service)

    def stop_service(self, service: QuotesService) -> None:
        """Force the shutdown of a service."""
        finished = service.stopService()
        service.force()
        self.reactor.advance(FLUSH_TIMEOUT)
        for process in self.reactor.processes:
            if {"twisted_quotes.processes.reaper_process", "-f"}.intersection(
                process.arguments
            ):
                process.end(signal=9)
        self.successResultOf(finished)

    def run_turns(self) -> None:
        """Run the reactor until threads have done what a request needs."""
        for _ in range(20):
            self.reactor.advance(STABLE_TIME)

    def connect(self, factory: Any = None) -> tuple[IProtocol, StringTransport]:
        """Connect to a factory, or to the service that listens."""
        factory = factory or self.reactor.tcpServers[0][1]
        protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 31337))
        assert protocol is not None
        transport = StringTransportWithDisconnection()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return protocol, transport

    def assert_cannot_start(self, words: Sequence[str], *arguments: str) -> None:
        """Check that the start fails with a line that contains words."""
        with self.assertRaises(CannotStart) as raised:
            self.make_service(*arguments)
        message = str(raised.exception)
        self.assertEqual(len(message.splitlines()), 1, message)
        self.assertTrue(message.startswith("twist quotes: "), message)
        for word in words:
            self.assertIn(word, message)
        self.assertEqual(self.reactor.tcpServers, [])


class ServiceTests(TapTestCase):
    """Tests of services that start."""

    def test_by_default_it_listens_on_loopback(self) -> None:
        """On port 8000."""
        self.start_service()
        [(port, _, _, interface)] = self.reactor.tcpServers
        self.assertEqual((port, interface), (8000, "127.0.0.1"))

    def test_it_listens_on_all_endpoints(self) -> None:
        """When it starts."""
        arguments = "--listen=tcp:1", "--listen=tcp:2:interface=\\:\\:1"
        service = self.make_service(*arguments)
        self.assertEqual(self.reactor.tcpServers, [])
        self.run_until_cleanup(service)
        self.assertEqual([each[0] for each in self.reactor.tcpServers], [1, 2])

    def test_a_search_runs_grep(self) -> None:
        """For later searches, a grep is prestarted."""
        # If the dictionary was not modified recently.
        self.patch(composition, "time", lambda: 2.0**33)
        self.start_service(f"--dictionaries={self.library}")
        protocol, transport = self.connect()
        protocol.dataReceived(query_request())
        [process] = self.reactor.processes
        self.assertTrue(os.path.isabs(process.executable))
        self.assertEqual(os.path.basename(process.executable), "grep")
        process.print(b"love\n")
        process.end()
        [response] = read_responses(transport.value())
        self.assertEqual(response.json["results"], ["love"])
        protocol.dataReceived(query_request())
        _, process, prestarted = self.reactor.processes
        self.assertIn("-e", process.arguments)
        self.assertIn("-f", prestarted.arguments)

    def test_limits_are_those_of_the_options(self) -> None:
        """Of greps, waiting searches, connections and time."""
        self.start_service(
            f"--dictionaries={self.library}",
            "--max-running=1",
            "--max-waiting=1",
            "--timeout=2",
            "--max-connections=3",
        )
        transports = []
        for _ in range(4):
            protocol, transport = self.connect()
            transports.append(transport)
            if not transport.value():
                protocol.dataReceived(query_request())
        self.assertEqual(len(self.reactor.processes), 1)
        self.reactor.advance(2)
        codes = [[each.code for each in read_responses(t.value())] for t in transports]
        self.assertEqual(codes, [[504], [], [503], [503]])

    def test_a_worker_has_its_share_of_the_requests_that_wait_for_an_index(
        self,
    ) -> None:
        """Not counting the one that has the index built."""
        self.patch(PackBuilder, "write", lambda *_: Deferred())
        counters = SharedCounters.create(8)
        self.addCleanup(os.close, counters.descriptor)
        self.patch(worker_composition, "SharedCounters", lambda *_: counters)
        self.patch(composition, "time", lambda: 2.0**33)
        service = worker_service(
            self.reactor,
            self.parse_options(f"--dictionaries={self.library}", "--max-waiting=5"),
            WorkerConfiguration(0, 1, 2, 1),
        )
        assert isinstance(service, QuotesService)
        codes = []
        for _ in range(4):
            protocol, transport = self.connect(service.site)
            protocol.dataReceived(query_request({**LOVE_QUERY, "unit": "quote"}))
            self.run_turns()
            codes.append([each.code for each in read_responses(transport.value())])
        self.assertEqual(codes, [[], [], [], [503]])

    def test_by_default_at_least_eight_greps_run(self) -> None:
        """Or four per core."""
        self.start_service(f"--dictionaries={self.library}", "--search-together=no")
        running = max(8, 4 * len(os.sched_getaffinity(0)))
        for _ in range(running + 2):
            protocol, _ = self.connect()
            protocol.dataReceived(query_request())
        self.assertEqual(len(self.reactor.processes), running)

    def test_a_wait_takes_no_slot_of_a_search(self) -> None:
        """It has a slot of its own."""
        self.start_service(f"--dictionaries={self.library}", "--max-running=1")
        for request in (
            get_request("/wait"),
            get_request("/wait"),
            query_request(),
            query_request(),
        ):
            protocol, _ = self.connect()
            protocol.dataReceived(request)
        names = [os.path.basename(each.executable) for each in self.reactor.processes]
        self.assertEqual(names, ["sleep", "sleep", "grep"])

    def test_the_default_dictionary_can_be_chosen(self) -> None:
        (self.library / "beta").write_text("x\n")
        self.start_service(
            f"--dictionaries={self.library}", "--default-dictionary=beta"
        )
        protocol, transport = self.connect()
        protocol.dataReceived(get_request("/api/v2/dictionaries"))
        self.run_turns()
        [response] = read_responses(transport.value())
        self.assertIn(b'"name":"beta","default":true', response.body)

    def test_the_access_log_is_written(self) -> None:
        """With a line for each request."""
        log = self.temporary_folder / "access.log"
        self.start_service(f"--access-log={log}")
        protocol, _ = self.connect()
        protocol.dataReceived(get_request())
        self.assertIn('"GET /static/style.css HTTP/1.1" 200', log.read_text())

    def test_debug_is_logged_at_the_log_level_of_twist(self) -> None:
        """Also if the log level is unknown."""
        for level, expected in (
            (None, True),
            (LogLevel.debug, True),
            (LogLevel.info, False),
        ):
            options = Options({})
            if level is not None:
                options.parent = usage.Options()
                options.parent["logLevel"] = level
            options.parseOptions(["--cache-bytes=0"])
            self.assertIs(options["log-debug"], expected)

    def test_metrics_include_all_parts(self) -> None:
        """The gauges have current values."""
        self.start_service(f"--dictionaries={self.library}", "--max-running=1")
        for request in (
            get_request("/wait"),
            query_request(),
            query_request(),
            query_request(),
        ):
            protocol, _ = self.connect()
            protocol.dataReceived(request)
        self.run_turns()
        protocol, transport = self.connect()
        protocol.dataReceived(get_request("/metrics"))
        [response] = read_responses(transport.value())
        for line in (
            b"quotes_dictionaries 1.0",
            b"quotes_places_taken 1.0",
            b"quotes_searches_waiting 2.0",
            b"quotes_waits 1.0",
            b"quotes_greps_running 1.0",
            b"quotes_indexes_building 0.0",
            b"quotes_connections 5.0",
            b"quotes_requests_in_flight 5.0",
        ):
            self.assertIn(line, response.body.splitlines())

    def test_clients_are_authenticated(self) -> None:
        """By any of several password files, but for health checks."""
        arguments = [f"--dictionaries={self.library}"]
        for name in ("alice", "bob"):
            (self.temporary_folder / name).write_text(f"{name}:secret\n")
            arguments.append(f"--auth=file:{self.temporary_folder / name}")
        self.start_service(*arguments)
        codes = []
        for token in ("alice.secret", "bob.secret", "carol.secret", "alice.wrong"):
            header = f"Authorization: Bearer {token}\r\n"
            codes.append(self.read_status(get_request(headers=header)))
        self.assertEqual(codes, [200, 200, 401, 401])
        self.assertEqual(
            (self.read_status(get_request()), self.read_status(get_request("/livez"))),
            (401, 200),
        )

    def test_clients_are_authenticated_with_hashes(self) -> None:
        """In a thread. A file with plain passwords may be used, too."""
        arguments = [f"--dictionaries={self.library}"]
        for name, password in (("alice", hash_password("secret")), ("bob", "secret")):
            (self.temporary_folder / name).write_text(f"{name}:{password}\n")
            arguments.append(f"--auth=file:{self.temporary_folder / name}")
        with capturedLogs() as events:
            self.start_service(*arguments)
        texts = [formatEvent(each) or "" for each in events]
        [warning] = [each for each in texts if "password" in each]
        self.assertIn("'bob' has plain passwords: 1.", warning)
        codes = []
        for token in ("alice.secret", "bob.secret", "carol.secret", "alice.wrong"):
            header = f"Authorization: Bearer {token}\r\n"
            protocol, transport = self.connect()
            protocol.dataReceived(get_request(headers=header))
            self.reactor.advance(0)
            codes += [each.code for each in read_responses(transport.value())]
        self.assertEqual(codes, [200, 200, 401, 401])

    def test_a_missing_password_file_is_an_internal_error(self) -> None:
        """Not a wrong password."""
        passwords = self.temporary_folder / "passwords"
        passwords.write_text("alice:secret\n")
        self.start_service(f"--dictionaries={self.library}", f"--auth=file:{passwords}")
        passwords.unlink()
        header = "Authorization: Bearer alice.secret\r\n"
        self.assertEqual(self.read_status(get_request(headers=header)), 500)
        self.assertEqual(len(self.flushLoggedErrors(FileNotFoundError)), 1)

    def test_checkers_of_other_kinds_are_used_unchanged(self) -> None:
        """Such as those of plugins."""
        (self.temporary_folder / "others").write_text("alice=secret\n")
        options = Options({})
        options.parseOptions([f"--cache-dir={self.temporary_folder / 'cache'}"])
        options["auth"] = ["others:others"]
        options["credCheckers"] = [
            FilePasswordDB(self.temporary_folder / "others", delim=b"=")
        ]
        self.run_until_cleanup(quotes_service(self.reactor, options))
        header = "Authorization: Bearer alice.secret\r\n"
        self.assertEqual(self.read_status(get_request(headers=header)), 200)
        self.assertEqual(self.read_status(get_request()), 401)

    def read_status(self, request: bytes) -> int:
        """Send a request, and return the status of the response."""
        protocol, transport = self.connect()
        protocol.dataReceived(request)
        [response] = read_responses(transport.value())
        return response.code

    def test_systemd_is_notified(self) -> None:
        """The environment is read when the service is made."""
        address = str(self.temporary_folder / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(address)
            notified.setblocking(False)
            environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000"}
            self.patch(os, "environ", {**os.environ, **environment})
            self.start_service()
            self.patch(os, "environ", {})
            self.reactor.run()
            self.assertEqual(notified.recv(100).split(b"\n")[0], b"READY=1")
            self.assertEqual(notified.recv(100), b"WATCHDOG=1")
            self.reactor.advance(2)
            self.assertEqual(notified.recv(100), b"WATCHDOG=1")

    def test_a_second_signal_forces_the_shutdown(self) -> None:
        """The service handles signals once the reactor runs."""
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.start_service(f"--dictionaries={self.library}")
        self.reactor.run()
        protocol, transport = self.connect()
        protocol.dataReceived(query_request())
        self.reactor.fire_shutdown()
        on_signal: Any = signal.getsignal(signal.SIGTERM)
        on_signal(signal.SIGTERM, None)
        self.assertEqual(transport.value(), b"")
        self.reactor.pump([0, FLUSH_TIMEOUT])
        [response] = read_responses(transport.value())
        self.assertEqual(response.code, 503)


class DictionaryCountTests(SynchronousTestCase):
    """Tests of the number of dictionaries in the metrics."""

    def test_the_library_is_listed_once_at_a_time(self) -> None:
        """At the start, and however often the metrics are read meanwhile."""
        pending: list[Deferred[None]] = []

        def snapshot() -> Deferred[None]:
            pending.append(Deferred())
            return pending[-1]

        monitor: Any = SimpleNamespace(count=0, snapshot=snapshot)
        count = composition._dictionary_counter(monitor)
        self.assertEqual(len(pending), 1)
        for _ in range(5):
            count()
        self.assertEqual(len(pending), 1)
        pending[0].callback(None)
        count()
        self.assertEqual(len(pending), 2)


class CannotStartTests(TapTestCase):
    """Tests of services that cannot start."""

    def test_a_path_that_cannot_be_used(self) -> None:
        """The error names the path and the reason."""
        missing = self.temporary_folder / "missing"
        for option, path, errno in (
            ("--dictionaries=", missing, ENOENT),
            ("--dictionaries=", self.library / "alpha", ENOTDIR),
            ("--access-log=", self.library, EISDIR),
            ("--access-log=", missing / "log", ENOENT),
            ("--auth=file:", missing, ENOENT),
        ):
            words = [str(path), os.strerror(errno)]
            self.assert_cannot_start(words, f"{option}{path}")

    def test_a_library_without_the_default_dictionary(self) -> None:
        """It is missing, or outside of the library, or there is no dictionary."""
        library = f"--dictionaries={self.library}"
        for name, words in (
            ("nowhere", ['"nowhere"', '"alpha"']),
            ("../library/alpha", ["may not be read"]),
        ):
            words = ["default dictionary", *words]
            self.assert_cannot_start(words, library, f"--default-dictionary={name}")
        (self.library / "alpha").unlink()
        (self.library / ".hidden").write_text("x")
        self.assert_cannot_start(["no dictionary", str(self.library)], library)

    def test_an_invalid_endpoint(self) -> None:
        """Whatever its parser raises, the error is a line with the endpoint."""
        for endpoint in ("bogus", "bogus:1", "tcp", "tcp:", "tcp:x", "tcp:1:2:3:4:5"):
            words = [f"--listen {endpoint!r} cannot be used: ", "such as tcp:8000"]
            self.assert_cannot_start(words, f"--listen={endpoint}")
        self.assert_cannot_start(["'bogus:'"], "--listen=tcp:1", "--listen=bogus:")

    def test_an_invalid_parameter_of_an_endpoint(self) -> None:
        """The error names it without the words of Python."""
        missing = self.temporary_folder / "missing"
        for endpoint, reason in (
            ("tcp:80x", "'80x' is not a whole number; "),
            ("haproxy:tcp:80x", "'80x' is not a whole number; "),
            ("tcp:1:host=a", "its parameters are wrong; "),
            (f"ssl:1:privateKey={missing}", f"{missing}: {os.strerror(ENOENT)}; "),
        ):
            words = [f"--listen {endpoint!r} cannot be used: {reason}"]
            self.assert_cannot_start(words, f"--listen={endpoint}")

    def test_a_missing_program(self) -> None:
        """grep and sleep must be on the PATH."""
        programs = self.temporary_folder / "programs"
        programs.mkdir()
        self.patch(os, "environ", {"PATH": str(programs)})
        self.assert_cannot_start(["grep is not on the PATH"])
        (programs / "grep").write_text("")
        (programs / "grep").chmod(0o700)
        self.assert_cannot_start(["sleep is not on the PATH"])

    def test_invalid_options(self) -> None:
        """The error names the option and the help."""
        for arguments, words in (
            (["--unknown"], ["--unknown"]),
            (["--timeout"], ["--timeout"]),
            (["--timeout=x"], ["--timeout", "'x'"]),
            (["--max-running=0"], ["--max-running", "'0'"]),
            (["argument"], ["'argument' is not an option"]),
            (["--auth=nonsense:1"], ["--auth", "nonsense"]),
            (["--drain-delay=31"], ["--drain-delay"]),
        ):
            self.assert_cannot_start([*words, "--help"], *arguments)

    def test_an_invalid_variable(self) -> None:
        """The error names it."""
        with self.assertRaises(CannotStart) as raised:
            Options({"TWISTED_QUOTES_TIMEOUT": "x"}).parseOptions([])
        self.assertIn("TWISTED_QUOTES_TIMEOUT", str(raised.exception))
        self.assertEqual(len(str(raised.exception).splitlines()), 1)
