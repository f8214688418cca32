"""
Servers as child processes: started, asked, watched, and ended.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from .children import ROOT, last_line
from .errors import BenchmarkError, RunFailed
from .queries import Query, encode_query
from .rounds import Numbers
from .subjects import API, Command, ServerConfiguration, Subject

_TIMEOUT = 30.0
"""No wait is longer, in seconds, but for an answer."""
_RESPONSE_TIMEOUT = 120.0


def free_port() -> int:
    """A port on 127.0.0.1 that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_until(condition: Callable[[], Any], description: str) -> None:
    """
    Wait for a condition.

    @raise BenchmarkError: it takes too long.
    """
    deadline = time.monotonic() + _TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{description} took more than {_TIMEOUT:g} s.")
        time.sleep(0.01)


class Server:
    """
    A server that runs.

    @param subject: what it is.
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
        Start it, and wait until it answers.

        @raise BenchmarkError: it does not.
        """
        for command in self.subject.commands(self.configuration):
            self.run_command(command)
        wait_until(lambda: self._is_ready(query), f"The start of {self.subject.name}")

    def run_command(self, command: Command) -> None:
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
                # Its process group is its own, to be ended as a whole.
                start_new_session=True,
            )
        self._processes.append(process)

    def _is_ready(self, query: Query) -> bool:
        if any(process.poll() is not None for process in self._processes):
            message = last_line(self._log.read_text("utf-8", "replace"))
            raise BenchmarkError(f"{self.subject.name} ended, saying {message}")
        try:
            self.post_query(query)
        except (OSError, HTTPException, RunFailed):
            return False
        return True

    def pids(self) -> list[int]:
        """The ids of its processes, without those that they started."""
        return [process.pid for process in self._processes]

    def url(self, action: str = "search") -> str:
        """The URL that is asked to do something."""
        return f"http://127.0.0.1:{self.configuration.port}{self._path(action)}"

    def _path(self, action: str) -> str:
        return self.subject.paths.get(action, API)

    def post_query(self, query: Query) -> bytes:
        """
        Ask on a connection of its own.

        @return: the body of the answer.
        @raise RunFailed: it is not a good one.
        """
        connection = HTTPConnection(
            "127.0.0.1", self.configuration.port, timeout=_RESPONSE_TIMEOUT
        )
        try:
            connection.request(
                "POST",
                self._path(str(query["action"])),
                encode_query(query),
                {"Content-Type": "application/json"},
            )
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RunFailed(f"status {response.status}")
        return answer

    def query_lines(self, query: Query) -> list[str]:
        """
        Ask, and read the answer.

        @raise BenchmarkError: it is not a good one.
        """
        try:
            return self.subject.parse_lines(self.post_query(query))
        except (OSError, HTTPException, RunFailed, ValueError) as error:
            raise BenchmarkError(
                f"{self.subject.name} cannot answer {encode_query(query)}: {error}"
            ) from error

    def stop(self) -> None:
        """End it, with all that it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes:
                # One that has been waited for may have left others behind.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            for process in self._processes:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(5)


@contextmanager
def running_servers(
    subjects: Sequence[Subject], folder: Path, library: Path, query: Query
) -> Iterator[dict[str, Server]]:
    """
    Run servers, and end them whatever happens.

    @param folder: where each has a folder.
    @param query: what all of them can answer.
    @return: the servers by name.
    """
    servers: dict[str, Server] = {}
    try:
        for subject in subjects:
            server = Server(subject, Path(mkdtemp(dir=folder)), library)
            servers[subject.name] = server
            server.start(query)
        yield servers
    finally:
        for server in servers.values():
            server.stop()


Contestants = tuple[dict[str, Callable[[int], Numbers]], list[str]]
"""What measures each, and who cannot be measured."""


def select_contestants(
    names: Sequence[str],
    servers: Mapping[str, Server],
    measure: Callable[[Server, int], Numbers],
) -> Contestants:
    """
    Have some servers measured, as far as they run.

    @param names: whom to measure.
    @param servers: those that run.
    @param measure: measures one, in a round.
    """
    entries = {
        name: partial(measure, servers[name]) for name in names if name in servers
    }
    return dict(entries), [name for name in names if name not in servers]


def check_same_results(
    servers: Sequence[Server], query: Query, expected: Sequence[str]
) -> None:
    """
    Make sure that all give the right answer before anything is measured.

    @raise BenchmarkError: one does not.
    """
    for server in servers:
        found = server.query_lines(query)
        if found != expected:
            raise BenchmarkError(
                f"{server.subject.name} answers {encode_query(query)} with "
                f"{len(found)} "
                f"lines that are not the {len(expected)} right ones."
            )
