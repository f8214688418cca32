"""
Faults of the machine: it lacks descriptors, processes, disk space or time.
"""

from __future__ import annotations

import os
import resource
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EAGAIN, EMFILE, ENOMEM
from itertools import count, filterfalse, islice
from pathlib import Path
from time import monotonic

from ..integration.cases import LOVE_QUERY, single_process_only
from ..integration.http_connection import HTTPConnection, Response
from ..integration.server import UNPRIVILEGED_PREFIX, is_reaper, wait_until
from .cases import (
    BOOK_QUERY,
    BOOK_TEXT,
    QUOTES_QUERY,
    UNIT_QUERIES,
    Fault,
    count_statuses,
    read_responses,
)

MAX_RUNNING = 8
# Runs at the start of the server as sitecustomize; see the documentation of site.
SPAWN_HOOK = """
import os
spawn = os.posix_spawnp
def spawn_or_fail(*arguments, **more):
    try:
        with open({path!r}) as file:
            number = int(file.read())
    except FileNotFoundError:
        return spawn(*arguments, **more)
    raise OSError(number, os.strerror(number))
os.posix_spawnp = spawn_or_fail
"""


class MachineFault(Fault):
    """A fault of the machine that the server runs on."""

    def set_limit(self, resource_number: int, soft: int) -> int:
        """Set a limit of the server; return the previous limit."""
        for pid in self.server.serving_pids:
            before, hard = resource.prlimit(pid, resource_number)
            resource.prlimit(pid, resource_number, (soft, hard))
        return before

    def check_unavailable(self, responses: Iterable[Response]) -> None:
        """Check that all responses without results are a 503."""
        for response in responses:
            if response.status != 200:
                self.check_error(response, 503)
                self.assertIn("retry-after", response.headers)


@single_process_only("it counts the descriptors of one process")
class DescriptorTests(MachineFault):
    fault_description = "RLIMIT_NOFILE lowered to a few more than the open descriptors"
    expected_behavior = (
        "200 or 503 for clients that are connected; new clients do not wait without end"
    )

    def find_limit(self, free: int) -> int:
        """Return the limit that leaves a number of descriptors free."""
        folder = f"/proc/{self.server.process.pid}/fd"
        used = {int(name) for name in os.listdir(folder)}
        return next(islice(filterfalse(used.__contains__, count()), free, None))

    @contextmanager
    def lowered_limit(self, free: int) -> Iterator[None]:
        """Lower the limit, then restore it."""
        before = self.set_limit(resource.RLIMIT_NOFILE, self.find_limit(free))
        try:
            yield
        finally:
            self.set_limit(resource.RLIMIT_NOFILE, before)

    def connect_clients(self) -> list[HTTPConnection]:
        """Connect eight clients, and wait until the server has accepted them."""
        connections = [self.server.connect().send_get("/livez") for _ in range(8)]
        for each in connections:
            each.read_response()
        return connections

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Lower the limit, and then search."""
        connections = self.connect_clients()
        self.set_limit(resource.RLIMIT_NOFILE, self.find_limit(3))
        return [each.send_query(BOOK_QUERY) for each in connections]

    def inject_and_check(self) -> str:
        responses: list[Response] = []
        connections = self.connect_clients()
        closed = 0
        for free in (20, 10, 6, 4, 3, 2, 1, 0):
            with self.lowered_limit(free):
                responses += self.search_on(connections)
                closed += self.count_rejected(free + 4)
        for each in connections:
            each.close()
        self.assertGreater(closed, 0)
        self.check_unavailable(responses)
        self.server.wait_for_log_line(
            "failed, out of system resources: .*Too many open files"
        )
        return f"{count_statuses(responses)}, {closed} new connections closed"

    def search_on(self, connections: list[HTTPConnection]) -> Iterator[Response]:
        """Send queries of several kinds at once, and check the results."""
        queries: list[tuple[dict[str, object], int]] = [
            ({"action": "list"}, 2),
            ({**BOOK_QUERY}, 40),
            ({**QUOTES_QUERY, "dictionary": "book"}, 40),
            ({**LOVE_QUERY, "dictionary": "*"}, 41),
        ] * 2
        for connection, (query, _) in zip(connections, queries, strict=True):
            connection.send_query(query)
        for connection, (_, expected) in zip(connections, queries, strict=True):
            response = connection.read_response()
            if response.status == 200:
                self.assertEqual(response.json()["nr of entries"], expected)
            yield response

    def count_rejected(self, number: int) -> int:
        """Connect more clients at once; return how many connections are closed."""
        closed = 0
        for connection in [self.server.connect() for _ in range(number)]:
            with connection:
                try:
                    response = connection.send_query(BOOK_QUERY).read_response()
                except ConnectionError:
                    closed += 1
                else:
                    if response.status != 200:
                        self.check_error(response, 503)
        return closed


class SpawnTests(MachineFault):
    fault_description = "starting a process fails with EAGAIN, ENOMEM, EMFILE"
    expected_behavior = "503 with Retry-After, a metric and a log line; no slot is lost"
    options = (
        f"--max-running={MAX_RUNNING}",
        "--cache-bytes=0",
        "--search-together=no",
    )

    def prepare_server(self) -> None:
        """Write a module that makes C{posix_spawnp} fail."""
        self.errno_file = self.folder / "errno"
        self.hook_folder = self.folder / "hook"
        self.hook_folder.mkdir()
        code = SPAWN_HOOK.format(path=str(self.errno_file))
        (self.hook_folder / "sitecustomize.py").write_text(code)

    def server_environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.hook_folder)}

    def inject_with_requests(self) -> list[HTTPConnection]:
        self.grep.replace_with_hanging()
        running = self.send_searches(MAX_RUNNING)
        self.grep.wait_for_hanging_count(MAX_RUNNING)
        self.errno_file.write_text(str(EAGAIN))
        for pid in self.server.search_pids():
            os.kill(pid, signal.SIGKILL)
        return running + self.send_searches(4)

    def inject_and_check(self) -> str:
        """Send more searches than there are slots."""
        responses = []
        metric = "quotes_spawn_failures_total"
        for number in (EAGAIN, ENOMEM, EMFILE):
            before = self.metric_increase(metric)
            self.errno_file.write_text(str(number))
            responses += read_responses(self.send_searches(MAX_RUNNING))
            responses.append(self.server.get("/wait?seconds=0"))
            self.errno_file.unlink()
            self.assertEqual(self.metric_increase(metric) - before, 2 * MAX_RUNNING)
            self.server.wait_for_log_line(
                f"failed, out of system resources: .*{os.strerror(number)}"
            )
        self.check_unavailable(responses)
        self.assertEqual({each.status for each in responses}, {503})
        return f"{count_statuses(responses)}, for searches and /wait"


class CacheFault(MachineFault):
    """
    A fault of the folder of indexes.

    The book has an index already; two new dictionaries, a small and a large one,
    have none.

    @cvar reason: the expected reason in the log.
    """

    options = ("--cache-bytes=0",)
    reason = ""

    def server_environment(self) -> dict[str, str]:
        """Set the folder of the indexes."""
        self.cache = self.folder / "cache"
        return {"TWISTED_QUOTES_CACHE_DIR": str(self.cache)}

    def break_cache(self) -> None:
        """Make it impossible to write indexes."""
        raise NotImplementedError

    def restore_cache(self) -> None:
        """Make it possible to write indexes again."""
        raise NotImplementedError

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Search for lines and quotes in the new dictionaries."""
        self.break_cache()
        for name, factor in (("small", 1), ("large", 5000)):
            new = self.folder / "new"
            new.write_text(BOOK_TEXT * factor)
            new.rename(self.library / name)
        self.assertGreater((self.library / "large").stat().st_size, 4 * 2**20)
        return [
            self.server.connect().send_query(
                {**query, "nresults": 1, "dictionary": name}
            )
            for name in ("small", "large")
            for query in UNIT_QUERIES
        ]

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        self.check_results()
        self.assertEqual([each.status for each in responses], [200, 503, 200, 503])
        self.check_unavailable(responses)
        for response in responses[1::2]:
            self.assertIn("an index of that dictionary", response.json()["message"])
        self.server.wait_for_log_line("No index was made: .*(small|large).* left out")
        self.server.wait_for_log_line(self.reason)
        self.check_no_partial_index()
        self.restore_cache()
        for name in ("small", "large"):
            response = self.server.post_query(
                {**QUOTES_QUERY, "nresults": 1, "dictionary": name}
            )
            self.assertEqual(response.status, 200, response)
        self.check_no_partial_index()
        for name in ("small", "large"):
            (self.library / name).unlink()
        return f"lines and quotes, small and large: {count_statuses(responses)}"

    def check_no_partial_index(self) -> None:
        """Check that the folder has no incomplete index."""
        names = os.listdir(self.cache)
        self.assertEqual([name for name in names if "building" in name], [])


class FullDiskTests(CacheFault):
    fault_description = "no disk space for indexes (RLIMIT_FSIZE)"
    expected_behavior = (
        "searches for lines work; 503 for quotes, with the reason in the log; no "
        "incomplete files are left"
    )
    reason = "File too large"

    def break_cache(self) -> None:
        self.previous_limit = self.set_limit(resource.RLIMIT_FSIZE, 1500)

    def restore_cache(self) -> None:
        self.set_limit(resource.RLIMIT_FSIZE, self.previous_limit)


class UnwritableCacheTests(CacheFault):
    fault_description = "the folder of indexes made unwritable"
    expected_behavior = (
        "searches for lines work; existing indexes are used; 503 for quotes without "
        "an index"
    )
    prefix = UNPRIVILEGED_PREFIX
    reason = "Permission denied"

    def break_cache(self) -> None:
        self.cache.chmod(0o500)
        self.addCleanup(self.cache.chmod, 0o700)

    def restore_cache(self) -> None:
        self.cache.chmod(0o700)


class RemovedCacheTests(CacheFault):
    fault_description = "the folder of indexes removed"
    expected_behavior = "the folder and the indexes are created again"

    def break_cache(self) -> None:
        self.cache.rename(self.folder / f"cache-{monotonic()}")

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        self.assertEqual({each.status for each in responses}, {200})
        self.check_results()
        self.assertEqual(len(os.listdir(self.cache)), 3)
        return count_statuses(responses)


class SuspendedTests(MachineFault):
    fault_description = (
        "SIGSTOP for 4 s, then SIGCONT, with 8 running searches, 8 waiting searches "
        "and 18 new requests"
    )
    expected_behavior = (
        "each request gets a response; of all timeouts of 3 s, only --timeout applies"
    )
    options = (
        *(f"--max-running={MAX_RUNNING}", "--cache-bytes=0", "--search-together=no"),
        *(f"--{name}timeout=3" for name in ("", "request-", "idle-")),
    )

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Send new requests, and the rest of one, while the server is stopped."""
        self.grep.replace_with_hanging()
        connections = self.send_searches(MAX_RUNNING)
        self.grep.wait_for_hanging_count(MAX_RUNNING)
        self.grep.restore_real_grep()
        idle, incomplete = self.server.connect(), self.server.connect()
        idle.send_get("/livez").read_response()
        incomplete.send(b"GET /livez HTTP/1.1\r\n")
        # The server has read all of this before it sends the next response.
        self.assertEqual(self.server.get("/livez").status, 200)
        self.send_signal(signal.SIGSTOP)
        wait_until(self.is_stopped, "the server to stop")
        deadline = monotonic() + 4
        connections += [
            *self.send_searches(MAX_RUNNING),
            idle.send_get("/livez"),
            incomplete.send(b"Host: localhost\r\n\r\n"),
        ]
        wait_until(lambda: monotonic() > deadline, "four seconds")
        self.send_signal(signal.SIGCONT)
        return connections

    def send_signal(self, number: int) -> None:
        """Send a signal to the server and its workers."""
        for pid in {self.server.process.pid, *self.server.serving_pids}:
            os.kill(pid, number)

    def is_stopped(self) -> bool:
        """Return whether all processes that serve are stopped."""
        stats = (Path(f"/proc/{pid}/stat") for pid in self.server.serving_pids)
        states = (each.read_text().rpartition(")")[2].split()[0] for each in stats)
        return set(states) == {"T"}

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        codes = Counter(each.status for each in responses)
        self.assertEqual(codes, {200: 3 * MAX_RUNNING + 2, 504: MAX_RUNNING})
        return count_statuses(responses)


class ReaperTests(MachineFault):
    fault_description = "the reaper killed"
    expected_behavior = "an error in the log; the service continues"

    def inject_with_requests(self) -> list[HTTPConnection]:
        connections = self.send_searches(4)
        for pid in filter(is_reaper, self.server.all_child_pids()):
            os.kill(pid, signal.SIGKILL)
        return connections + self.send_searches(4)

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        self.assertEqual({each.status for each in responses}, {200})
        error = (
            r"error\] Child processes may go on if the service is killed: .*signal=9"
        )
        self.server.wait_for_log_line(error)
        return f"{count_statuses(responses)}, logged"
