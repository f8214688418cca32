"""
C{twist quotes} as a child process.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from ..metrics import parse_metrics
from .http_connection import TIMEOUT, HTTPConnection, Response

ROOT = Path(__file__).parents[2]
METRICS_LIFETIME = 1.0
"""How long the service keeps rendered metrics, in seconds."""
MONITOR_ADDRESS = "127.0.0.98"
"""The source address of requests for metrics, which need their own share of limits."""
# The default number of workers; with several, responses are cached too.
WORKER_COUNT = int(os.environ.get("QUOTES_TEST_WORKERS", "1"))
# Without these capabilities, root cannot read files of others either.
UNPRIVILEGED_PREFIX = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if os.geteuid() == 0
    else ()
)


def wait_until(
    condition: Callable[[], Any], description: str, timeout: float = TIMEOUT
) -> Any:
    """
    Wait until a condition is true; return its value.

    The condition is evaluated at least once after the timeout: this process may have
    been suspended meanwhile.
    """
    deadline = time.monotonic() + timeout
    is_expired = False
    while not (result := condition()):
        if is_expired:
            raise AssertionError(f"not within {timeout} s: {description}")
        time.sleep(0.005)
        is_expired = time.monotonic() > deadline
    return result


@contextmanager
def default_signals() -> Iterator[None]:
    """
    Reset ignored signals, so that new child processes do not inherit them as ignored.

    C{nohup}, cron, and C{&} in a script make child processes ignore some signals.
    """
    ignored = [
        number
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


class Server:
    """
    A running C{twist quotes}.

    @param workers: the number of workers.
    @ivar process: the process.
    @ivar lines: the lines of its log so far.
    @ivar address: the host and port it listens on.
    """

    address: tuple[str, int]

    def __init__(
        self,
        *options: str,
        listen: str = "tcp:0:interface=127.0.0.1",
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        twist_options: tuple[str, ...] = (),
        new_session: bool = True,
        folder: Path = ROOT,
        workers: int = WORKER_COUNT,
        **popen: Any,
    ) -> None:
        self.lines: list[str] = []
        self._connections: list[HTTPConnection] = []
        self._metrics_read_at = -METRICS_LIFETIME
        self._cache = TemporaryDirectory()
        self._worker_count = workers if workers > 1 else 0
        variables = {
            "TWISTED_QUOTES_CACHE_DIR": self._cache.name,
            "TWISTED_QUOTES_WORKERS": str(workers),
            # Tests of timeouts set their own; others may be slow.
            "TWISTED_QUOTES_TIMEOUT": str(TIMEOUT),
        }
        if WORKER_COUNT == 1:
            # Most tests are about greps, which a cache would avoid.
            variables["TWISTED_QUOTES_CACHE_BYTES"] = "0"
        with default_signals():
            self.process = subprocess.Popen(
                [
                    *prefix,
                    sys.executable,
                    "-m",
                    "twisted",
                    *("--log-format=text", *twist_options),
                    *("quotes", f"--listen={listen}", *options),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **variables, **(environment or {})},
                start_new_session=new_session,
                **popen,
            )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            url = self.wait_for_log_line(r"Listening on (\S+)")[1]
            tcp = re.fullmatch(r"https?://([\d.]+):(\d+)/", url)
            if tcp:
                self.address = (tcp[1], int(tcp[2]))
            reapers = 1 + self._worker_count
            wait_until(
                lambda: sum(map(is_reaper, self.all_child_pids())) == reapers,
                f"{reapers} reapers",
            )
        except BaseException:
            self.kill()
            raise

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def wait_for_log_line(self, pattern: str) -> re.Match[str]:
        """Wait for a line of the log; return the match."""

        def find() -> re.Match[str] | None:
            # Before the search: the last line may come just before the exit.
            has_exited = self.process.poll() is not None and not self._reader.is_alive()
            matches = (re.search(pattern, line) for line in list(self.lines))
            match = next(filter(None, matches), None)
            if match is None and has_exited:
                raise AssertionError(f"exited without {pattern!r}: {self.lines}")
            return match

        match = wait_until(find, pattern)
        assert isinstance(match, re.Match)
        return match

    def wait_until_ports_closed(self) -> None:
        """Wait until each process has closed its listening sockets."""

        def are_closed() -> bool:
            lines = [each for each in self.lines if re.search("Port .* Closed", each)]
            return len(lines) > self._worker_count

        wait_until(are_closed, "closed ports")

    @property
    def url(self) -> str:
        """The URL of the server, without a final slash."""
        return f"http://{self.address[0]}:{self.address[1]}"

    def connect(
        self, receive_buffer: int | None = None, source_address: str | None = None
    ) -> HTTPConnection:
        """Open a connection, which is closed when the server is killed."""
        connection = HTTPConnection(self.address, receive_buffer, source_address)
        self._connections.append(connection)
        return connection

    def get(self, path: str = "/", *headers: str, method: str = "GET") -> Response:
        """Send a request on a new connection."""
        with self.connect() as connection:
            connection.send_get(path, *headers, method=method)
            return connection.read_response(head_only=method == "HEAD")

    def _request_metrics(self) -> Response | None:
        """Request the metrics; return L{None} if a busy worker has not sent its own."""
        with self.connect(source_address=MONITOR_ADDRESS) as connection:
            response = connection.send_get("/metrics").read_response()
        is_late = response.status == 503 and b"metrics of the workers" in response.body
        return None if is_late else response

    def read_metrics(self) -> dict[str, float]:
        """
        Return all metrics by name and labels; the service updates them once per second.
        """
        time.sleep(
            max(0.0, self._metrics_read_at + METRICS_LIFETIME - time.monotonic())
        )
        response = wait_until(self._request_metrics, "the metrics of all workers")
        self._metrics_read_at = time.monotonic()
        assert response.status == 200, response
        return parse_metrics(response.body)

    def post_query(self, query: dict[str, Any] | bytes) -> Response:
        """Send a query to API v1 on a new connection."""
        with self.connect() as connection:
            return connection.send_query(query).read_response()

    def query_results(self, **fields: object) -> list[str]:
        """Send a query to API v1 that must succeed; return the results."""
        response = self.post_query(fields)
        assert response.status == 200, response
        body = response.json()
        assert list(body) == ["nr of entries", "results"], body
        results = body["results"]
        assert body["nr of entries"] == len(results), body
        assert isinstance(results, list)
        return results

    def search_pids(self) -> list[int]:
        """
        Return the ids of child processes, except workers, reapers and prestarted greps.

        A process that exits has no command line even before it is a zombie.
        """
        workers = set(self.worker_pids())
        commands = {pid: command_line(pid) for pid in self.all_child_pids()}
        return [
            pid
            for pid, command in commands.items()
            if command
            and not (pid in workers or _REAPER in command or _PRESTARTED in command)
        ]

    def prestarted_pids(self) -> list[int]:
        return [pid for pid in self.all_child_pids() if is_prestarted(pid)]

    @property
    def serving_pids(self) -> list[int]:
        """The ids of the processes that serve: the workers, or the process itself."""
        return self.worker_pids() or [self.process.pid]

    @property
    def helper_count(self) -> int:
        """The number of workers and reapers."""
        return 1 + 2 * self._worker_count

    def all_child_pids(self) -> list[int]:
        """Return the ids of its child processes, and of those of its workers."""
        parents = [self.process.pid, *self.worker_pids()]
        return [child for pid in parents for child in child_pids_of(pid)]

    def worker_pids(self) -> list[int]:
        if not self._worker_count:
            return []
        child_pids = child_pids_of(self.process.pid)
        return [pid for pid in child_pids if b"quotes\0" in command_line(pid)]

    def wait_for_search_pids(self, count: int) -> list[int]:
        """Wait until a number of processes run; return their ids."""

        def find() -> tuple[list[int]] | None:
            pids = self.search_pids()
            return (pids,) if len(pids) == count else None

        [pids] = wait_until(find, f"{count} children")
        assert isinstance(pids, list)
        return pids

    def send_signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait_for_exit(self, timeout: float = TIMEOUT) -> int:
        """Wait until the server exits; return its status."""
        status = self.process.wait(timeout)
        self._reader.join(timeout)
        return status

    def stop(self) -> None:
        """Send SIGTERM, and check that the server exits as expected."""
        self.send_signal()
        status = self.wait_for_exit()
        assert status == -signal.SIGTERM, status

    def kill(self) -> None:
        """Kill the server if it runs, and free all resources."""
        for connection in self._connections:
            connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(TIMEOUT)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._cache.cleanup()


@contextmanager
def running_server(*options: str, **kwargs: Any) -> Iterator[Server]:
    """Run a server during a C{with} statement."""
    server = Server(*options, **kwargs)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def open_terminal() -> Iterator[tuple[int, dict[str, Any]]]:
    """
    Open a pseudo-terminal. Return its descriptor, and arguments that start a server in
    it.
    """
    controller_fd, terminal_fd = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    try:
        yield (
            controller_fd,
            {"new_session": False, "stdin": terminal_fd, "preexec_fn": take_terminal},
        )
    finally:
        os.close(controller_fd)
        os.close(terminal_fd)


def child_pids_of(pid: int) -> list[int]:
    """Return the ids of the children of a process; none if it has exited."""
    try:
        child_list = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(each) for each in child_list.split()]


# Parts of the command lines of the reaper, and of a prestarted grep.
_REAPER = b"twisted_quotes.processes.reaper_process"
_PRESTARTED = b"-f\0/proc/self/fd/"


def command_line(pid: int) -> bytes:
    """Return the command line of a process; empty if it has exited."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_reaper(pid: int) -> bool:
    """Return whether a process is the reaper, which outlives a killed service."""
    return _REAPER in command_line(pid)


def is_prestarted(pid: int) -> bool:
    """Return whether a process is a prestarted grep."""
    return _PRESTARTED in command_line(pid)


def has_exited(pid: int) -> bool:
    """Return whether a process has exited; a zombie counts."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def count_connections(pid: int, port: int) -> int:
    """Return how many connections a process has on a port."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{port:04X}") and fields[3] == "01":
            inodes.add(f"socket:[{fields[9]}]")
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):
            count += os.readlink(f"/proc/{pid}/fd/{name}") in inodes
    return count
