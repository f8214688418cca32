"""
Servers as child processes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import mkdtemp

from .errors import BenchmarkError, RunFailed, last_line
from .queries import Query, encode_query
from .rounds import Numbers
from .subjects import API, Command, ServerConfiguration, Subject

ROOT = Path(__file__).parents[1]
_START_TIMEOUT = 30.0
_RESPONSE_TIMEOUT = 120.0


def free_port() -> int:
    """Return a free port on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


class Server:
    """
    A running server.

    @param folder: the folder for its files.
    @param library: the folder of the dictionaries.
    """

    def __init__(self, subject: Subject, folder: Path, library: Path) -> None:
        self.subject = subject
        self.configuration = ServerConfiguration(folder, library, free_port())
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = folder / "log"

    def start(self, query: Query) -> None:
        """
        Start the server, and wait until it responds to a query.

        @raise BenchmarkError: it exits, or does not respond in time.
        """
        for command in self.subject.commands(self.configuration):
            self.run_command(command)
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._is_ready(query):
            if time.monotonic() > deadline:
                raise BenchmarkError(
                    f"{self.subject.name} did not start within {_START_TIMEOUT:g} s."
                )
            time.sleep(0.01)

    def run_command(self, command: Command) -> None:
        """Start one of its processes."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={
                    **os.environ,
                    "LC_ALL": "C",
                    "LIBRARY": str(self.configuration.library),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A process group of its own, so that stop() ends its children too.
                start_new_session=True,
            )
        self._processes.append(process)

    def _is_ready(self, query: Query) -> bool:
        if any(process.poll() is not None for process in self._processes):
            message = last_line(self._log.read_text("utf-8", "replace"))
            raise BenchmarkError(f"{self.subject.name} exited: {message}")
        try:
            self.post_query(query)
        except (OSError, HTTPException, RunFailed):
            return False
        return True

    def pids(self) -> list[int]:
        """Return the ids of its processes, without their children."""
        return [process.pid for process in self._processes]

    def url(self, action: str = "search") -> str:
        """Return the URL for an action."""
        path = self.subject.paths.get(action, API)
        return f"http://127.0.0.1:{self.configuration.port}{path}"

    def post_query(self, query: Query) -> bytes:
        """
        Send a query on a new connection.

        @return: the body of the response.
        @raise RunFailed: the status is not 200.
        """
        path = self.subject.paths.get(str(query["action"]), API)
        return self._send("POST", path, encode_query(query))

    def get(self, path: str) -> bytes:
        """
        Get a path on a new connection.

        @return: the body of the response.
        @raise RunFailed: the status is not 200.
        """
        return self._send("GET", path)

    def _send(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = HTTPConnection(
            "127.0.0.1", self.configuration.port, timeout=_RESPONSE_TIMEOUT
        )
        headers = {"Content-Type": "application/json"} if body else {}
        with closing(connection):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        if response.status != 200:
            raise RunFailed(f"status {response.status}")
        return content

    def query_lines(self, query: Query) -> list[str]:
        """
        Send a query, and parse the response.

        @raise BenchmarkError: there is no valid response.
        """
        try:
            return self.subject.parse_lines(self.post_query(query))
        except (OSError, HTTPException, RunFailed, ValueError) as error:
            raise BenchmarkError(
                f"{self.subject.name} failed on {encode_query(query)}: {error}"
            ) from error

    def stop(self) -> None:
        """End its processes and all their children."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes:
                # The process may have exited before its children.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            for process in self._processes:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(5)


@contextmanager
def running_server(
    subject: Subject, folder: Path, library: Path, query: Query
) -> Iterator[Server]:
    """
    Run a server during a C{with} statement.

    @param folder: the folder for its files.
    @param query: a query that it supports.
    """
    server = Server(subject, folder, library)
    try:
        server.start(query)
        yield server
    finally:
        server.stop()


@contextmanager
def running_servers(
    subjects: Sequence[Subject], folder: Path, library: Path, query: Query
) -> Iterator[dict[str, Server]]:
    """
    Run servers during a C{with} statement.

    @param folder: the parent of the folders of the servers.
    @param query: a query that all of them support.
    @return: the servers by name.
    """
    servers: dict[str, Server] = {}
    with ExitStack() as stack:
        for subject in subjects:
            own_folder = Path(mkdtemp(dir=folder))
            servers[subject.name] = stack.enter_context(
                running_server(subject, own_folder, library, query)
            )
        yield servers


def select_contestants(
    names: Sequence[str],
    servers: Mapping[str, Server],
    measure: Callable[[Server, int], Numbers],
) -> tuple[dict[str, Callable[[int], Numbers]], list[str]]:
    """
    Select the servers that are to be measured under a load.

    @param names: the names of the servers.
    @param servers: those that run.
    @param measure: measures a server once; takes the number of the round.
    @return: the functions that measure the servers by name, and the absent servers.
    """
    present = [name for name in names if name in servers]
    absent = [name for name in names if name not in servers]
    return {name: partial(measure, servers[name]) for name in present}, absent


def check_same_results(
    servers: Sequence[Server], query: Query, expected: Sequence[str]
) -> None:
    """
    Check that servers give the expected results.

    @raise BenchmarkError: one gives different results.
    """
    for server in servers:
        lines = server.query_lines(query)
        if lines != expected:
            raise BenchmarkError(
                f"{server.subject.name} gives {len(lines)} lines for "
                f"{encode_query(query)}, not the {len(expected)} that are expected."
            )
