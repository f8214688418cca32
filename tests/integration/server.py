"""
The real thing: C{twist quotes} as a child process, and ways to talk to it.
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
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from .http_connection import TIMEOUT, HTTPConnection, Response

ROOT = Path(__file__).parents[2]
METRICS_LIFETIME = 1.0
MONITOR_ADDRESS = "127.0.0.98"
"""The address of those who read the metrics: they have a share of their own."""
# How many workers a server has, if a test says nothing else; with several, it
# shares and keeps answers as well, as it does unless it is told not to.
WORKER_COUNT = int(os.environ.get("QUOTES_TEST_WORKERS", "1"))
# Root reads every file; without these capabilities it is as anyone else.
UNPRIVILEGED_PREFIX = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if os.geteuid() == 0
    else ()
)


def wait_until(
    condition: Callable[[], Any], description: str, timeout: float = TIMEOUT
) -> Any:
    """Wait for a condition, and return what it returned."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {description}")
        time.sleep(0.005)
    return result


@contextmanager
def default_signals() -> Iterator[None]:
    """
    Have processes that are started meanwhile ignore no signal.

    C{nohup}, cron, and C{&} in a script leave some ignored, and that is inherited.
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

    @param workers: how many workers it has.

    @ivar process: its process.
    @ivar lines: what it logged so far.
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
        }
        if WORKER_COUNT == 1:
            # Most tests are about greps, of which there would be fewer.
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
            found = self.wait_for_log_line(r"Listening on (\S+)")
            tcp = re.fullmatch(r"https?://([\d.]+):(\d+)/", found[1])
            if tcp:
                self.address = (tcp[1], int(tcp[2]))
            # One for each process.
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
        """Wait for a line of the log, and return what matched."""

        def found() -> re.Match[str] | None:
            if self.process.poll() is not None and not self._reader.is_alive():
                raise AssertionError(f"ended without {pattern!r}: {self.lines}")
            matches = (re.search(pattern, line) for line in list(self.lines))
            return next((match for match in matches if match), None)

        match = wait_until(found, pattern)
        assert isinstance(match, re.Match)
        return match

    def wait_until_ports_closed(self) -> None:
        """Wait until each of its processes has closed the listening socket."""

        def closed() -> bool:
            lines = [each for each in self.lines if re.search("Port .* Closed", each)]
            return len(lines) > self._worker_count

        wait_until(closed, "closed ports")

    @property
    def url(self) -> str:
        """The URL of the server, without a final slash."""
        return f"http://{self.address[0]}:{self.address[1]}"

    def connect(
        self, receive_buffer: int | None = None, source_address: str | None = None
    ) -> HTTPConnection:
        """Open a connection, which is closed with the server if not before."""
        connection = HTTPConnection(self.address, receive_buffer, source_address)
        self._connections.append(connection)
        return connection

    def get(self, path: str = "/", *headers: str, method: str = "GET") -> Response:
        """Ask for a URL on a connection of its own."""
        with self.connect() as connection:
            connection.send_get(path, *headers, method=method)
            return connection.read_response(head_only=method == "HEAD")

    def read_metrics(self) -> str:
        """All metrics, as they are by now: the service makes them once a second."""
        time.sleep(
            max(0.0, self._metrics_read_at + METRICS_LIFETIME - time.monotonic())
        )
        with self.connect(source_address=MONITOR_ADDRESS) as connection:
            answer = connection.send_get("/metrics").read_response()
        self._metrics_read_at = time.monotonic()
        assert answer.status == 200, answer
        return answer.body.decode()

    def post_query(self, query: dict[str, Any] | bytes) -> Response:
        """Ask API v1 on a connection of its own."""
        with self.connect() as connection:
            return connection.send_query(query).read_response()

    def query_results(self, **fields: object) -> list[str]:
        """Ask API v1 something that must succeed, and return the results."""
        response = self.post_query(fields)
        assert response.status == 200, response
        answer = response.json()
        assert list(answer) == ["nr of entries", "results"], answer
        results = answer["results"]
        assert answer["nr of entries"] == len(results), answer
        assert isinstance(results, list)
        return results

    def search_pids(self) -> list[int]:
        """
        The process ids of what it runs now, less its workers and its reapers, and
        less the greps that were started ahead.
        """
        workers = set(self.worker_pids())
        return [
            pid
            for pid in self.all_child_pids()
            if not (pid in workers or is_reaper(pid) or is_prestarted(pid))
        ]

    def prestarted_pids(self) -> list[int]:
        """The process ids of the greps that it started ahead."""
        return [pid for pid in self.all_child_pids() if is_prestarted(pid)]

    @property
    def serving_pids(self) -> list[int]:
        """The process ids of those that serve: its workers, or itself."""
        return self.worker_pids() or [self.process.pid]

    @property
    def helper_count(self) -> int:
        """How many of its processes are workers, or reapers."""
        return 1 + 2 * self._worker_count

    def all_child_pids(self) -> list[int]:
        """The process ids of its processes, and of those of its workers."""
        found = child_pids_of(self.process.pid)
        if self._worker_count:
            found += [each for pid in self.worker_pids() for each in child_pids_of(pid)]
        return found

    def worker_pids(self) -> list[int]:
        """The process ids of its workers."""
        if not self._worker_count:
            return []
        child_pids = child_pids_of(self.process.pid)
        return [pid for pid in child_pids if b"quotes\0" in command_line(pid)]

    def wait_for_search_pids(self, count: int) -> list[int]:
        """Wait until it runs so many processes."""
        wait_until(lambda: len(self.search_pids()) == count, f"{count} children")
        return self.search_pids()

    def send_signal(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait_for_exit(self, timeout: float = TIMEOUT) -> int:
        """Wait for its end, and return its exit status."""
        status = self.process.wait(timeout)
        self._reader.join(timeout)
        return status

    def kill(self) -> None:
        """End it for good, if it has not ended."""
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
    """Run a server, and end it whatever happens."""
    server = Server(*options, **kwargs)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def open_terminal() -> Iterator[tuple[int, dict[str, Any]]]:
    """
    Open a terminal.

    Give its open file, and how to start a server that it signals.
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
    """The process ids of the children of a process; none if it is gone."""
    try:
        child_list = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(each) for each in child_list.split()]


def command_line(pid: int) -> bytes:
    """The command line of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_reaper(pid: int) -> bool:
    """Whether a process is the one that outlives a service that was killed."""
    return b"twisted_quotes.processes.reaper" in command_line(pid)


def is_prestarted(pid: int) -> bool:
    """Whether a process is a grep that was started ahead."""
    return b"-f\0/proc/self/fd/" in command_line(pid)


def has_exited(pid: int) -> bool:
    """Whether a process is no more; one that is dead but not reaped is gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
