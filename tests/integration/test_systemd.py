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
from twisted_quotes.options import PREFIX, QuotesOptions

from ..faults.test_rounds import Client
from .cases import LibraryTestCase, program
from .conversation import LIMIT, Conversation
from .server import ROOT, GatedGrep, Server, until

DEPLOY = ROOT / "deploy"
UNITS = ("twisted_quotes.service", "twisted_quotes.socket")
LOVE = {"action": "search", "term": "love"}

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
            [program("systemd-analyze", "systemd"), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT,
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
            timeout=LIMIT,
        )
        self.assertEqual(shown, f"twisted_quotes {__version__}\n")

    def test_the_environment_sets_options_that_there_are(self) -> None:
        """With values that are allowed."""
        variables = environment("twisted_quotes.service")
        options = QuotesOptions(variables)
        options.parseOptions([])
        for name, value in variables.items():
            option = name.removeprefix(PREFIX).lower().replace("_", "-")
            self.assertIn(options[option], (value, [value]))


class NotifyTests(LibraryTestCase):
    """Tests of what the real process tells systemd."""

    def setUp(self) -> None:
        """Listen as systemd does."""
        super().setUp()
        (self.library / "book").write_text("love\n")
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notified.close)
        self.notified.settimeout(LIMIT)

    def news(self) -> list[str]:
        """The lines of the next datagram."""
        return self.notified.recv(4096).decode().splitlines()

    def check_news(self, name: str) -> None:
        """Check what is told of a start, and of an end that follows at once."""
        server = self.serve(environment={"NOTIFY_SOCKET": name})
        ready, status = self.news()
        server.signal()
        self.assertEqual(ready, "READY=1")
        self.assertEqual(status, f"STATUS=Listening on {server.url}/")
        stopping, status = self.news()
        self.assertEqual(stopping, "STOPPING=1")
        self.assertRegex(status, "^STATUS=Shutting down")
        self.assertEqual(server.ended(), -signal.SIGTERM)

    def test_the_start_and_the_end_are_told(self) -> None:
        """Each comes once, with the address, and with how many are under way."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        self.check_news(path)

    def test_they_are_told_to_an_abstract_socket(self) -> None:
        """The kernel makes up a name, which begins with a NUL."""
        self.notified.bind("")
        self.check_news(self.notified.getsockname().decode().replace("\0", "@"))

    def test_signs_of_life_are_given(self) -> None:
        """Until the last answer, and none to a process that is not meant."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        wanted = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
        self.serve(environment={**wanted, "WATCHDOG_PID": "1"}).signal()
        self.assertEqual(self.news()[0], "READY=1")
        self.assertEqual(self.news()[0], "STOPPING=1")
        server = self.serve(environment=wanted)
        self.assertEqual(self.news()[0], "READY=1")
        self.assertEqual(self.news(), ["WATCHDOG=1"])
        wait = server.connect().get("/wait?seconds=1")
        server.wait_for_children(1)
        server.signal()
        while self.news()[0] != "STOPPING=1":
            pass
        self.assertEqual(self.news(), ["WATCHDOG=1"])
        self.assertEqual(wait.response().status, 200)
        wait.close()
        self.assertEqual(server.ended(), -signal.SIGTERM)

    def test_no_other_process_is_told_of_the_socket(self) -> None:
        """Neither greps nor what waits could speak for the service."""
        path = str(self.folder / "notify")
        self.notified.bind(path)
        gated = GatedGrep(self.folder)
        server = self.serve(environment={"NOTIFY_SOCKET": path, **gated.environment})
        server.connect().ask(LOVE)
        server.connect().get("/wait?seconds=2")
        paths = [Path(f"/proc/{each}/environ") for each in server.wait_for_children(2)]

        def untold() -> bool:
            return not any(b"NOTIFY" in path.read_bytes() for path in paths)

        # A process that is just being started is a copy of the service.
        until(untold, "environments of their own")
        gated.open()

    def test_a_socket_that_is_gone_stops_nothing(self) -> None:
        """That is logged, and requests are answered."""
        server = self.serve(environment={"NOTIFY_SOCKET": str(self.folder / "gone")})
        server.logged("Cannot tell systemd at '.*/gone': 'No such file or directory'")
        self.assertEqual(server.results(**LOVE), ["love"])
        server.signal()
        self.assertEqual(server.ended(), -signal.SIGTERM)


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
            listen=environment("twisted_quotes.service")[f"{PREFIX}LISTEN"],
            prefix=(sys.executable, "-c", ACTIVATE, "quotes", str(handed)),
            environment=variables,
            pass_fds=(handed,),
        )

    def connect(self) -> Conversation:
        """Connect to whoever listens on the socket, now or later."""
        client = Conversation(self.socket.getsockname())
        self.addCleanup(client.close)
        return client

    def test_the_service_answers_on_the_socket(self) -> None:
        """Its address is logged as any other."""
        server = self.activate()
        self.assertEqual(server.address, self.socket.getsockname())
        self.assertEqual(server.results(**LOVE), ["love"] * 50)

    def hand_over(self, listen: str, names: str, workers: int = 1) -> Server:
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
            server = self.hand_over("systemd:domain=INET:name=web", "web:web", workers)
            for each in (self.socket, self.other):
                with Conversation(each.getsockname()) as client:
                    self.assertEqual(client.get("/livez").response().status, 200)
            server.signal()
            server.ended()

    def test_an_index_is_enough_where_sockets_have_no_names(self) -> None:
        """A socket that nobody listens on is told, once."""
        for workers in (1, 2):
            server = self.hand_over("systemd:domain=INET:index=1", "", workers)
            with Conversation(self.other.getsockname()) as client:
                self.assertEqual(client.get("/livez").response().status, 200)
            lines = [each for each in server.lines if "No --listen names" in each]
            self.assertEqual(len(lines), 1, lines)
            self.assertIn("socket 0 (without a name)", lines[0])
            server.signal()
            server.ended()

    def test_a_socket_that_was_not_handed_over_stops_the_start(self) -> None:
        """With a line that says which ones were."""
        with self.assertRaises(AssertionError) as raised:
            self.hand_over("systemd:domain=INET:name=x", "web:admin")
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
        asked = [self.connect().ask(LOVE) for _ in range(20)]
        waits = [self.connect().get("/wait?seconds=1") for _ in range(5)]
        first.wait_for_children(25)
        first.signal()
        first.wait_until_closed()
        late = [self.connect().ask(LOVE) for _ in range(100)]
        gated.open()
        for client in asked:
            self.assertEqual(client.response().json()["results"], ["love"] * 50)
            client.close()
        for client in waits:
            self.assertEqual(client.response().json(), {"waited": 1})
            client.close()
        self.assertEqual(first.ended(), -signal.SIGTERM)
        for client in late:
            client.socket.setblocking(False)
            self.assertRaises(BlockingIOError, client.socket.recv, 1)
            client.socket.settimeout(LIMIT)
        self.activate()
        for client in late:
            self.assertEqual(client.response().json()["results"], ["love"] * 50)

    def test_no_request_is_lost_under_load(self) -> None:
        """Whoever asks while services follow one another gets a whole answer."""
        over = Event()
        server = self.activate()
        once, kept = (
            [Client(server, keeps, over) for _ in range(16)] for keeps in (False, True)
        )
        for _ in range(2):
            over.wait(0.3)
            server.signal()
            server.ended()
            server = self.activate()
        over.wait(0.3)
        over.set()
        for client in once:
            client.thread.join(LIMIT)
        # Who keeps a connection asks on until it is told that this was the last.
        server.signal()
        for client in kept:
            client.thread.join(LIMIT)
        counts = sum((client.counts for client in (*once, *kept)), Counter[str]())
        self.assertEqual(set(counts) - {"200", "503"}, set(), counts)
        self.assertGreater(counts["200"], 100)
