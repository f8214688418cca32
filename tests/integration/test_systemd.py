"""
Tests of the units of systemd, its notifications and its sockets.
"""

from __future__ import annotations

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

from .cases import LOVE_QUERY, LibraryTestCase, find_program, run_twist
from .fake_grep import GatedPrograms
from .http_connection import TIMEOUT, HTTPConnection
from .repeating_client import RepeatingClient
from .server import ROOT, Server, wait_until

DEPLOY = ROOT / "deploy"
UNITS = ("twisted_quotes.service", "twisted_quotes.socket")

# Passes sockets as systemd does; see sd_listen_fds(3).
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
    """Return the settings of a unit; each may occur several times."""
    result: dict[str, list[str]] = {}
    for line in (DEPLOY / unit).read_text().splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            result.setdefault(name, []).append(value)
    return result


def environment(unit: str) -> dict[str, str]:
    """Return the environment variables of a unit."""
    pairs = (each.partition("=") for each in settings(unit)["Environment"])
    return {name: value for name, _, value in pairs}


class UnitTests(LibraryTestCase):
    def setUp(self) -> None:
        """Copy the units, with the path of this program."""
        super().setUp()
        for name in UNITS:
            text = (DEPLOY / name).read_text()
            text = text.replace("/opt/twisted_quotes/bin/twist ", f"{sys.executable} ")
            (self.folder / name).write_text(text)

    def analyze(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [find_program("systemd-analyze", "systemd"), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    def test_systemd_accepts_the_units(self) -> None:
        """It knows each setting and accepts each value."""
        result = self.analyze("verify", "--man=no", *(f"./{each}" for each in UNITS))
        messages = [x for x in result.stderr.splitlines() if "twisted_quotes" in x]
        self.assertEqual((messages, result.returncode), ([], 0), result.stderr)

    def test_the_exposure_level_is_low(self) -> None:
        """At most 1.0 of 10.0, as computed by systemd."""
        result = self.analyze(
            "security", "--offline=true", "--threshold=10", "./twisted_quotes.service"
        )
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_the_stop_timeout_is_longer_than_the_drain_timeout(self) -> None:
        options = QuotesOptions({})
        options.parseOptions([])
        [limit] = settings("twisted_quotes.service")["TimeoutStopSec"]
        self.assertGreater(float(limit), options["drain-timeout"] + 10)

    def test_the_command_starts_the_service(self) -> None:
        """The program accepts its arguments."""
        [command] = settings("twisted_quotes.service")["ExecStart"]
        _, *arguments = command.split()
        printed = run_twist(*arguments, "--version")
        self.assertEqual(printed, f"twisted_quotes {__version__}\n")

    def test_the_environment_sets_known_options(self) -> None:
        variables = environment("twisted_quotes.service")
        options = QuotesOptions(variables)
        options.parseOptions([])
        for name, value in variables.items():
            option = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("_", "-")
            self.assertIn(options[option], (value, [value]))


class NotifyTests(LibraryTestCase):
    """Tests of notifications to systemd."""

    dictionaries = {"book": "love\n"}

    def setUp(self) -> None:
        super().setUp()
        self.notified = self.enterContext(
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        )
        self.notified.settimeout(TIMEOUT)

    def read_notification(self) -> list[str]:
        """Return the lines of the next datagram."""
        return self.notified.recv(4096).decode().splitlines()

    def check_notifications(self, name: str) -> None:
        """Check the notifications of a start and a shutdown."""
        server = self.serve(environment={"NOTIFY_SOCKET": name})
        ready, status = self.read_notification()
        server.send_signal()
        self.assertEqual(ready, "READY=1")
        self.assertEqual(status, f"STATUS=Listening on {server.url}/")
        stopping, status = self.read_notification()
        self.assertEqual(stopping, "STOPPING=1")
        self.assertRegex(status, "^STATUS=Shutting down")
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_start_and_shutdown_are_notified(self) -> None:
        """The status shows the address, and later the shutdown."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        self.check_notifications(path)

    def test_an_abstract_socket_can_be_used(self) -> None:
        """Its name starts with a NUL."""
        self.notified.bind("")
        self.check_notifications(
            self.notified.getsockname().decode().replace("\0", "@")
        )

    def test_the_watchdog_is_notified_until_the_exit(self) -> None:
        """It is not notified if WATCHDOG_PID is another process."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        variables = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
        self.serve(environment={**variables, "WATCHDOG_PID": "1"}).send_signal()
        self.assertEqual(self.read_notification()[0], "READY=1")
        self.assertEqual(self.read_notification()[0], "STOPPING=1")
        gated, server = self.serve_gated(environment=variables)
        self.assertEqual(self.read_notification()[0], "READY=1")
        self.assertEqual(self.read_notification(), ["WATCHDOG=1"])
        wait = server.connect().send_get("/wait?seconds=0")
        server.wait_for_search_pids(1)
        server.send_signal()
        while self.read_notification()[0] != "STOPPING=1":
            pass
        self.assertEqual(self.read_notification(), ["WATCHDOG=1"])
        gated.open_gate()
        self.assertEqual(wait.read_response().status, 200)
        wait.close()
        self.assertEqual(server.wait_for_exit(), -signal.SIGTERM)

    def test_child_processes_do_not_get_the_socket(self) -> None:
        """They cannot send notifications for the service."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        gated, server = self.serve_gated(environment={"NOTIFY_SOCKET": path})
        server.connect().send_query(LOVE_QUERY)
        server.connect().send_get("/wait?seconds=0")
        paths = [Path(f"/proc/{pid}/environ") for pid in server.wait_for_search_pids(2)]
        # Before it calls exec, a child has the environment of the service.
        wait_until(
            lambda: not any(b"NOTIFY" in path.read_bytes() for path in paths),
            "the environments of the child processes",
        )
        gated.open_gate()

    def test_a_missing_socket_is_only_logged(self) -> None:
        server = self.serve(environment={"NOTIFY_SOCKET": str(self.folder / "gone")})
        server.wait_for_log_line(
            "Cannot notify systemd at '.*/gone': 'No such file or directory'"
        )
        self.assertEqual(server.query_results(**LOVE_QUERY), ["love"])
        server.stop()


class ActivationTests(LibraryTestCase):
    """Tests of sockets that systemd opens and passes."""

    dictionaries = {"book": "love\n" * 50}

    def setUp(self) -> None:
        super().setUp()
        self.socket = self.enterContext(
            socket.create_server(("127.0.0.1", 0), backlog=500)
        )

    def activate(self, *options: str, **variables: str) -> Server:
        """Start a service on the socket as the unit does."""
        descriptor = self.socket.fileno()
        return self.serve(
            *options,
            listen=environment("twisted_quotes.service")[f"{ENVIRONMENT_PREFIX}LISTEN"],
            prefix=(sys.executable, "-c", ACTIVATE, "quotes", str(descriptor)),
            environment=variables,
            pass_fds=(descriptor,),
        )

    def connect(self) -> HTTPConnection:
        """Connect to the socket; a service may accept later."""
        return self.enterContext(HTTPConnection(self.socket.getsockname()))

    def test_the_service_uses_the_socket(self) -> None:
        """Its address is logged."""
        server = self.activate()
        self.assertEqual(server.address, self.socket.getsockname())
        self.assertEqual(server.query_results(**LOVE_QUERY), ["love"] * 50)

    def serve_on_two_sockets(self, listen: str, names: str, workers: int = 1) -> Server:
        """Start a service on two sockets, with names separated by colons."""
        self.other = self.enterContext(
            socket.create_server(("127.0.0.1", 0), backlog=500)
        )
        numbers = self.socket.fileno(), self.other.fileno()
        return self.serve(
            listen=f"systemd:domain=INET:{listen}",
            prefix=(sys.executable, "-c", ACTIVATE, names, ",".join(map(str, numbers))),
            pass_fds=numbers,
            workers=workers,
        )

    def test_sockets_can_be_selected_by_name_or_index(self) -> None:
        """Several can have the same name; an unused socket is logged once."""
        for listen, names, unused, workers in (
            *(("name=web", "web:web", 0, workers) for workers in (1, 2)),
            *(("index=1", "", 1, workers) for workers in (1, 2)),
        ):
            server = self.serve_on_two_sockets(listen, names, workers)
            for each in (self.socket, self.other)[unused:]:
                with HTTPConnection(each.getsockname()) as client:
                    response = client.send_get("/livez").read_response()
                    self.assertEqual(response.status, 200)
            lines = [each for each in server.lines if "No --listen names" in each]
            self.assertEqual(len(lines), unused, lines)
            self.assertEqual("socket 0 (without a name)" in "".join(lines), unused > 0)
            server.stop()

    def test_an_unknown_socket_stops_the_start(self) -> None:
        """The message lists the sockets that were passed."""
        with self.assertRaises(AssertionError) as raised:
            self.serve_on_two_sockets("name=x", "web:admin")
        self.assertIn(
            "there is no socket 'x': systemd handed over 0 (web), 1 (admin)",
            str(raised.exception),
        )

    def test_a_restart_loses_no_request(self) -> None:
        """
        The old service responds to requests that were sent before it closed its ports,
        the new service to later ones.
        """
        gated = GatedPrograms(self.folder)
        first = self.activate(
            "--max-running=40",
            "--cache-bytes=0",
            "--search-together=no",
            **gated.environment,
        )
        connections = [self.connect().send_query(LOVE_QUERY) for _ in range(20)]
        waits = [self.connect().send_get("/wait?seconds=0") for _ in range(5)]
        first.wait_for_search_pids(25)
        first.send_signal()
        first.wait_until_ports_closed()
        late = [self.connect().send_query(LOVE_QUERY) for _ in range(100)]
        gated.open_gate()
        for client in connections:
            self.assertEqual(client.read_response().json()["results"], ["love"] * 50)
            client.close()
        for client in waits:
            self.assertEqual(client.read_response().json(), {"waited": 0})
            client.close()
        self.assertEqual(first.wait_for_exit(), -signal.SIGTERM)
        for client in late:
            client.socket.setblocking(False)
            self.assertRaises(BlockingIOError, client.socket.recv, 1)
            client.socket.settimeout(TIMEOUT)
        self.activate()
        for client in late:
            self.assertEqual(client.read_response().json()["results"], ["love"] * 50)

    def test_restarts_under_load_lose_no_request(self) -> None:
        stop_event = Event()
        server = self.activate()
        clients = [
            RepeatingClient(server, keep_alive, stop_event)
            for keep_alive in (False, True) * 16
        ]

        def wait_for_responses(count: int) -> None:
            start = sum(client.counts["200"] for client in clients)
            wait_until(
                lambda: sum(client.counts["200"] for client in clients) > start + count,
                "responses under load",
            )

        for _ in range(3):
            wait_for_responses(100)
            server.stop()
            server = self.activate()
        # Only a running service responds to the connections in the backlog.
        stop_event.set()
        for client in clients:
            client.thread.join(TIMEOUT)
        counts = sum((client.counts for client in clients), Counter[str]())
        self.assertEqual(set(counts) - {"200", "503"}, set(), counts)
