"""
What systemd does with the real process: watch over it, and hand it a socket.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Event

from twisted_quotes import __version__
from twisted_quotes.option_checks import ENVIRONMENT_PREFIX
from twisted_quotes.options import QuotesOptions

from ..faults.test_shutdown_rounds import RepeatingClient
from .cases import LibraryTestCase, find_program
from .fake_grep import GatedGrep
from .http_connection import TIMEOUT, HTTPConnection
from .server import ROOT, Server, wait_until

DEPLOY = ROOT / "deploy"
UNITS = ("twisted_quotes.service", "twisted_quotes.socket")
LOVE_QUERY = {"action": "search", "term": "love"}

# Hands a socket over as systemd does (sd_listen_fds(3)).
ACTIVATE = """
import fcntl, os, sys
names, sockets = sys.argv[1], map(int, sys.argv[2].split(","))
sockets = [fcntl.fcntl(each, fcntl.F_DUPFD, 100) for each in sockets]
for number, each in enumerate(sockets, 3):
    os.dup2(each, number)
os.environ.update(LISTEN_FDS=str(len(sockets)), LISTEN_PID=str(os.getpid()))
if names:
    os.environ["LISTEN_FDNAMES"] = names
os.execv(sys.argv[3], sys.argv[3:])
"""


def settings(unit: str) -> dict[str, list[str]]:
    """The settings of a unit; each may be there several times."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / unit).read_text().splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def environment(unit: str) -> dict[str, str]:
    """What a unit puts into the environment."""
    pairs = (each.partition("=") for each in settings(unit)["Environment"])
    return {name: value for name, _, value in pairs}


class UnitTests(LibraryTestCase):
    """Tests of the units as they stand."""

    def setUp(self) -> None:
        """Copy the units to where the program is that they start."""
        super().setUp()
        for name in UNITS:
            text = (DEPLOY / name).read_text()
            text = text.replace("/opt/twisted_quotes/bin/twist ", f"{sys.executable} ")
            (self.folder / name).write_text(text)

    def analyze(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Have systemd look at the units."""
        return subprocess.run(
            [find_program("systemd-analyze", "systemd"), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    def test_systemd_understands_the_units(self) -> None:
        """Each setting is known, and each value allowed."""
        looked = self.analyze("verify", "--man=no", *(f"./{each}" for each in UNITS))
        about = [
            each for each in looked.stderr.splitlines() if "twisted_quotes" in each
        ]
        self.assertEqual((about, looked.returncode), ([], 0), looked.stderr)

    def test_the_service_is_shut_in(self) -> None:
        """systemd gives it at most 1.0 of 10.0 for what it could do."""
        looked = self.analyze(
            "security", "--offline=true", "--threshold=10", "./twisted_quotes.service"
        )
        self.assertEqual(looked.returncode, 0, looked.stdout)

    def test_the_service_has_the_time_that_it_may_take(self) -> None:
        """systemd does not kill what the drain timeout still allows."""
        options = QuotesOptions({})
        options.parseOptions([])
        [limit] = settings("twisted_quotes.service")["TimeoutStopSec"]
        self.assertGreater(float(limit), options["drain-timeout"] + 10)

    def test_the_command_starts_the_service(self) -> None:
        """But for where the program is, it is what anybody would type."""
        [command] = settings("twisted_quotes.service")["ExecStart"]
        _, *arguments = command.split()
        shown = subprocess.check_output(
            [sys.executable, "-m", "twisted", *arguments, "--version"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(shown, f"twisted_quotes {__version__}\n")

    def test_the_environment_sets_options_that_there_are(self) -> None:
        """With values that are allowed."""
        variables = environment("twisted_quotes.service")
        options = QuotesOptions(variables)
        options.parseOptions([])
        for name, value in variables.items():
            option = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("_", "-")
            self.assertIn(options[option], (value, [value]))


class NotifyTests(LibraryTestCase):
    """Tests of what the real process tells systemd."""

    def setUp(self) -> None:
        """Listen as systemd does."""
        super().setUp()
        (self.library / "book").write_text("love\n")
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notified.close)
        self.notified.settimeout(TIMEOUT)

    def read_notification(self) -> list[str]:
        """The lines of the next datagram."""
        return self.notified.recv(4096).decode().splitlines()

    def check_notifications(self, name: str) -> None:
        """Check what is told of a start, and of an end that follows at once."""
        server = self.serve(environment={"NOTIFY_SOCKET": name})
        ready, status = self.read_notification()
        server.send_signal()
        self.assertEqual(ready, "READY=1")
        self.assertEqual(status, f"STATUS=Listening on {server.url}/")
        stopping, status = self.read_notification()
        self.assertEqual(stopping, "STOPPING=1")
        self.assertRegex(status, "^STATUS=Shutting down")
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_the_start_and_the_end_are_told(self) -> None:
        """Each comes once, with the address, and with how many are under way."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        self.check_notifications(path)

    def test_they_are_told_to_an_abstract_socket(self) -> None:
        """The kernel makes up a name, which begins with a NUL."""
        self.notified.bind("")
        self.check_notifications(
            self.notified.getsockname().decode().replace("\0", "@")
        )

    def test_signs_of_life_are_given(self) -> None:
        """Until the last answer, and none to a process that is not meant."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        wanted = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
        self.serve(environment={**wanted, "WATCHDOG_PID": "1"}).send_signal()
        self.assertEqual(self.read_notification()[0], "READY=1")
        self.assertEqual(self.read_notification()[0], "STOPPING=1")
        server = self.serve(environment=wanted)
        self.assertEqual(self.read_notification()[0], "READY=1")
        self.assertEqual(self.read_notification(), ["WATCHDOG=1"])
        wait = server.connect().send_get("/wait?seconds=1")
        server.wait_for_search_pids(1)
        server.send_signal()
        while self.read_notification()[0] != "STOPPING=1":
            pass
        self.assertEqual(self.read_notification(), ["WATCHDOG=1"])
        self.assertEqual(wait.read_response().status, 200)
        wait.close()
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_no_other_process_is_told_of_the_socket(self) -> None:
        """Neither greps nor what waits could speak for the service."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        gated = GatedGrep(self.folder)
        server = self.serve(environment={"NOTIFY_SOCKET": path, **gated.environment})
        server.connect().send_query(LOVE_QUERY)
        server.connect().send_get("/wait?seconds=2")
        paths = [
            Path(f"/proc/{each}/environ") for each in server.wait_for_search_pids(2)
        ]

        def untold() -> bool:
            return not any(b"NOTIFY" in path.read_bytes() for path in paths)

        # A process that is just being started is a copy of the service.
        wait_until(untold, "environments of their own")
        gated.open_gate()

    def test_a_socket_that_is_gone_stops_nothing(self) -> None:
        """That is logged, and requests are answered."""
        server = self.serve(environment={"NOTIFY_SOCKET": str(self.folder / "gone")})
        server.wait_for_log_line(
            "Cannot notify systemd at '.*/gone': 'No such file or directory'"
        )
        self.assertEqual(server.query_results(**LOVE_QUERY), ["love"])
        server.send_signal()
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)


class ActivationTests(LibraryTestCase):
    """Tests of a socket that systemd has opened, and keeps."""

    def setUp(self) -> None:
        """Open the socket."""
        super().setUp()
        (self.library / "book").write_text("love\n" * 50)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.addCleanup(self.socket.close)

    def activate(self, *options: str, **variables: str) -> Server:
        """Start a service on the socket, as the unit does."""
        handed = self.socket.fileno()
        return self.serve(
            *options,
            listen=environment("twisted_quotes.service")[f"{ENVIRONMENT_PREFIX}LISTEN"],
            prefix=(sys.executable, "-c", ACTIVATE, "quotes", str(handed)),
            environment=variables,
            pass_fds=(handed,),
        )

    def connect(self) -> HTTPConnection:
        """Connect to whoever listens on the socket, now or later."""
        client = HTTPConnection(self.socket.getsockname())
        self.addCleanup(client.close)
        return client

    def test_the_service_answers_on_the_socket(self) -> None:
        """Its address is logged as any other."""
        server = self.activate()
        self.assertEqual(server.address, self.socket.getsockname())
        self.assertEqual(server.query_results(**LOVE_QUERY), ["love"] * 50)

    def serve_on_two_sockets(self, listen: str, names: str, workers: int = 1) -> Server:
        """Start a service on two sockets, with names separated by colons."""
        self.other = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.addCleanup(self.other.close)
        numbers = self.socket.fileno(), self.other.fileno()
        handed = ",".join(map(str, numbers))
        return self.serve(
            listen=listen,
            prefix=(sys.executable, "-c", ACTIVATE, names, handed),
            pass_fds=numbers,
            workers=workers,
        )

    def test_sockets_of_one_name_are_all_served(self) -> None:
        """A unit with two ListenStream= gives both the same name."""
        for workers in (1, 2):
            server = self.serve_on_two_sockets(
                "systemd:domain=INET:name=web", "web:web", workers
            )
            for each in (self.socket, self.other):
                with HTTPConnection(each.getsockname()) as client:
                    self.assertEqual(
                        client.send_get("/livez").read_response().status, 200
                    )
            server.send_signal()
            server.wait_for_exit()

    def test_an_index_is_enough_where_sockets_have_no_names(self) -> None:
        """A socket that nobody listens on is told, once."""
        for workers in (1, 2):
            server = self.serve_on_two_sockets(
                "systemd:domain=INET:index=1", "", workers
            )
            with HTTPConnection(self.other.getsockname()) as client:
                self.assertEqual(client.send_get("/livez").read_response().status, 200)
            lines = [each for each in server.lines if "No --listen names" in each]
            self.assertEqual(len(lines), 1, lines)
            self.assertIn("socket 0 (without a name)", lines[0])
            server.send_signal()
            server.wait_for_exit()

    def test_a_socket_that_was_not_handed_over_stops_the_start(self) -> None:
        """With a line that says which ones were."""
        with self.assertRaises(AssertionError) as raised:
            self.serve_on_two_sockets("systemd:domain=INET:name=x", "web:admin")
        self.assertIn(
            "there is no socket 'x': systemd handed over 0 (web), 1 (admin)",
            str(raised.exception),
        )

    def test_a_restart_loses_nobody(self) -> None:
        """
        Who had asked is answered by the service that ends; who comes after that
        waits on the socket, and is answered by the next.
        """
        gated = GatedGrep(self.folder)
        first = self.activate(
            *("--max-running=40", "--cache-bytes=0", "--search-together=no"),
            **gated.environment,
        )
        connections = [self.connect().send_query(LOVE_QUERY) for _ in range(20)]
        waits = [self.connect().send_get("/wait?seconds=1") for _ in range(5)]
        first.wait_for_search_pids(25)
        first.send_signal()
        first.wait_until_ports_closed()
        late = [self.connect().send_query(LOVE_QUERY) for _ in range(100)]
        gated.open_gate()
        for client in connections:
            self.assertEqual(client.read_response().json()["results"], ["love"] * 50)
            client.close()
        for client in waits:
            self.assertEqual(client.read_response().json(), {"waited": 1})
            client.close()
        self.assertEqual(first.wait_for_exit(), -signal.SIGTERM)
        for client in late:
            client.socket.setblocking(False)
            self.assertRaises(BlockingIOError, client.socket.recv, 1)
            client.socket.settimeout(TIMEOUT)
        self.activate()
        for client in late:
            self.assertEqual(client.read_response().json()["results"], ["love"] * 50)

    def test_no_request_is_lost_under_load(self) -> None:
        """Whoever asks while services follow one another gets a whole answer."""
        stop_event = Event()
        server = self.activate()
        closing_clients, keep_alive_clients = (
            [RepeatingClient(server, keeps, stop_event) for _ in range(16)]
            for keeps in (False, True)
        )
        for _ in range(2):
            stop_event.wait(0.3)
            server.send_signal()
            server.wait_for_exit()
            server = self.activate()
        stop_event.wait(0.3)
        stop_event.set()
        for client in closing_clients:
            client.thread.join(TIMEOUT)
        # Who keeps a connection asks on until it is told that this was the last.
        server.send_signal()
        for client in keep_alive_clients:
            client.thread.join(TIMEOUT)
        counts = sum(
            (client.counts for client in (*closing_clients, *keep_alive_clients)),
            Counter[str](),
        )
        self.assertEqual(set(counts) - {"200", "503"}, set(), counts)
        self.assertGreater(counts["200"], 100)
