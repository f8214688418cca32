"""
Faults of the machine: no descriptors, no processes, no room, no time.
"""

from __future__ import annotations

import os
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EAGAIN, EMFILE, ENOMEM
from pathlib import Path
from time import monotonic

from ..integration.cases import single_process_only
from ..integration.http_connection import HTTPConnection, Response
from ..integration.server import UNPRIVILEGED_PREFIX, is_reaper, wait_until
from .cases import (
    BOOK_TEXT,
    LOVE_QUERY,
    QUOTES_QUERY,
    Fault,
    count_statuses,
    parse_metrics,
    read_responses,
)

MAX_RUNNING = 8
UNIT_QUERIES = (LOVE_QUERY, QUOTES_QUERY)

# Becomes part of the server as it starts: see the documentation of site.
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

    def send_searches(self, count: int = 4) -> list[HTTPConnection]:
        """Look so many times for lines and for quotes, all at once."""
        return [
            self.server.connect().send_query({**query, "dictionary": "book"})
            for query in UNIT_QUERIES
            for _ in range(count)
        ]

    @contextmanager
    def lowered_limit(self, resource_number: int, soft: int) -> Iterator[None]:
        """Lower a limit of the server, then raise it again."""
        before = self.set_limit(resource_number, soft)
        try:
            yield
        finally:
            self.set_limit(resource_number, before)

    def set_limit(self, resource_number: int, soft: int) -> int:
        """Set a limit of the server; return what it was."""
        for pid in self.server.serving_pids:
            before, hard = resource.prlimit(pid, resource_number)
            resource.prlimit(pid, resource_number, (soft, hard))
        return before


@single_process_only("how many files are open is told of one process")
class DescriptorTests(MachineFault):
    """Tests of file descriptors that become few."""

    fault_description = "RLIMIT_NOFILE lowered to what is open and a few more"
    expected_behavior = "whole answers, 200 or 503, to who is connected; no other hangs"

    def limit_for_free_descriptors(self, free: int) -> int:
        """The limit that leaves so many descriptors."""
        folder = f"/proc/{self.server.process.pid}/fd"
        open_descriptors = {int(name) for name in os.listdir(folder)}
        limit = 0
        while free >= 0 or limit in open_descriptors:
            free -= limit not in open_descriptors
            limit += 1
        return limit - 1

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Have few of them for those who are connected."""
        conversations = [self.server.connect().send_get("/livez") for _ in range(8)]
        for each in conversations:
            each.read_response()
        self.set_limit(resource.RLIMIT_NOFILE, self.limit_for_free_descriptors(3))
        return [
            each.send_query({**LOVE_QUERY, "dictionary": "book"})
            for each in conversations
        ]

    def inject_and_check(self) -> str:
        """Ask with fewer and fewer of them."""
        answers: list[Response] = []
        connections = [self.server.connect().send_get("/livez") for _ in range(8)]
        for each in connections:
            each.read_response()
        closed = 0
        for free in (20, 10, 6, 4, 3, 2, 1, 0):
            limit = self.limit_for_free_descriptors(free)
            with self.lowered_limit(resource.RLIMIT_NOFILE, limit):
                answers += self.search_on(connections)
                closed += self.count_rejected(free + 4)
        for each in connections:
            each.close()
        self.assertGreater(closed, 0)
        for answer in answers:
            if answer.status != 200:
                self.check_error(answer, 503)
                self.assertIn("retry-after", answer.headers)
        self.server.wait_for_log_line(
            "failed, out of system resources: .*Too many open files"
        )
        return f"{count_statuses(answers)}, {closed} closed that came too many"

    def search_on(self, connections: list[HTTPConnection]) -> Iterator[Response]:
        """Ask questions of all kinds at once, and see that what is found is all."""
        queries: list[tuple[dict[str, object], int]] = [
            ({"action": "list"}, 2),
            ({**LOVE_QUERY, "dictionary": "book"}, 40),
            ({**QUOTES_QUERY, "dictionary": "book"}, 40),
            ({**LOVE_QUERY, "dictionary": "*"}, 41),
        ]
        pending = [
            (conversation.send_query(question), count)
            for conversation, (question, count) in zip(
                connections, queries * 2, strict=True
            )
        ]
        for conversation, count in pending:
            answer = conversation.read_response()
            if answer.status == 200:
                self.assertEqual(answer.json()["nr of entries"], count)
            yield answer

    def count_rejected(self, count: int) -> int:
        """Have more clients come at once; count those who are closed at once."""
        closed = 0
        for conversation in [self.server.connect() for _ in range(count)]:
            try:
                conversation.send_query({**LOVE_QUERY, "dictionary": "book"})
                answer = conversation.read_response()
            except ConnectionError:
                closed += 1
            else:
                if answer.status != 200:
                    self.check_error(answer, 503)
            conversation.close()
        return closed


class SpawnTests(MachineFault):
    """Tests of processes that cannot be had."""

    fault_description = "spawning a process fails with EAGAIN, ENOMEM, EMFILE"
    expected_behavior = "503 with Retry-After, counted and logged, no place lost"
    options = (
        f"--max-running={MAX_RUNNING}",
        "--cache-bytes=0",
        "--search-together=no",
    )

    def prepare_server(self) -> None:
        """Write what makes spawning fail."""
        self.errno_file = self.folder / "failing"
        self.hook_folder = self.folder / "seam"
        self.hook_folder.mkdir()
        code = SPAWN_HOOK.format(path=str(self.errno_file))
        (self.hook_folder / "sitecustomize.py").write_text(code)

    def server_environment(self) -> dict[str, str]:
        """Have the server find that."""
        return {"PYTHONPATH": str(self.hook_folder)}

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Have it fail while greps run and searches wait."""
        self.grep.replace_with_hanging()
        before = self.send_searches(MAX_RUNNING)
        self.grep.wait_for_hanging_count(MAX_RUNNING)
        self.errno_file.write_text(str(EAGAIN))
        for pid in self.server.search_pids():
            os.kill(pid, signal.SIGKILL)
        return before + self.send_searches()

    def inject_and_check(self) -> str:
        """Search more often than there are places."""
        answers = []
        for number in (EAGAIN, ENOMEM, EMFILE):
            before = self.failure_count()
            self.errno_file.write_text(str(number))
            answers += read_responses(self.send_searches(MAX_RUNNING))
            answers.append(self.server.get("/wait?seconds=0"))
            self.errno_file.unlink()
            self.assertEqual(self.failure_count() - before, 2 * MAX_RUNNING)
            self.server.wait_for_log_line(
                f"failed, out of system resources: .*{os.strerror(number)}"
            )
        for answer in answers:
            self.check_error(answer, 503)
            self.assertIn("retry-after", answer.headers)
        return f"{count_statuses(answers)}, searches and a /wait each"

    def failure_count(self) -> int:
        """How many processes could not be started so far."""
        return int(parse_metrics(self.server)["quotes_spawn_failures_total"])


class CacheFault(MachineFault):
    """
    A fault of the folder of indexes. There is one of the book, and of none of two
    dictionaries that are new each time: a small and a large one.
    """

    options = ("--cache-bytes=0",)

    def server_environment(self) -> dict[str, str]:
        """Say where the folder is."""
        self.cache = self.folder / "cache"
        return {"TWISTED_QUOTES_CACHE_DIR": str(self.cache)}

    def write_new(self) -> list[str]:
        """Write the two; return their names."""
        for name, times in (("small", 1), ("large", 5000)):
            new = self.folder / "new"
            new.write_text(BOOK_TEXT * times)
            new.rename(self.library / name)
        self.assertGreater((self.library / "large").stat().st_size, 4 * 2**20)
        return ["small", "large"]

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Ask for indexes that cannot be made."""
        self.break_cache()
        return [
            self.server.connect().send_query(
                {**query, "nresults": 1, "dictionary": name}
            )
            for name in self.write_new()
            for query in UNIT_QUERIES
        ]

    def break_cache(self) -> None:
        """Have no index be made."""
        raise NotImplementedError

    def restore_cache(self) -> None:
        """Have them be made again."""
        raise NotImplementedError

    def inject_and_check(self) -> str:
        """Look what each gets, and look again when it is over."""
        answers = read_responses(self.inject_with_requests())
        self.check_answers()
        for answer, unit in zip(answers, ("line", "quote") * 2, strict=True):
            if unit == "line":
                self.assertEqual(answer.status, 200, answer)
            else:
                self.check_error(answer, 503)
                self.assertIn("an index of that dictionary", answer.json()["message"])
                self.assertIn("retry-after", answer.headers)
        self.server.wait_for_log_line("No index was made.")
        self.server.wait_for_log_line(self.reason)
        self.assertEqual(self.leftovers(), [])
        self.restore_cache()
        for name in ("small", "large"):
            answer = self.server.post_query(
                {**QUOTES_QUERY, "nresults": 1, "dictionary": name}
            )
            self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.leftovers(), [])
        for name in ("small", "large"):
            (self.library / name).unlink()
        return f"lines and quotes, small and large: {count_statuses(answers)}"

    reason = ""

    def leftovers(self) -> list[str]:
        """What is in the folder that is no index."""
        return [each for each in os.listdir(self.cache) if "building" in each]


class FullDiskTests(CacheFault):
    """Tests of a disk that has no room for an index."""

    fault_description = "no room for indexes (RLIMIT_FSIZE)"
    expected_behavior = (
        "lines as ever, 503 for quotes, the log has the reason, no leftovers"
    )
    reason = "File too large"

    def break_cache(self) -> None:
        """Have room for some hundred bytes."""
        self.previous_limit = self.set_limit(resource.RLIMIT_FSIZE, 100)

    def restore_cache(self) -> None:
        """Have as much room as before."""
        self.set_limit(resource.RLIMIT_FSIZE, self.previous_limit)


class UnwritableCacheTests(CacheFault):
    """Tests of a folder of indexes that may not be written to."""

    fault_description = "the folder of indexes made unwritable"
    expected_behavior = (
        "lines as ever, indexes that are there used, else a 503 for quotes"
    )
    prefix = UNPRIVILEGED_PREFIX
    reason = "Permission denied"

    def break_cache(self) -> None:
        """Take the right to write to it away."""
        self.cache.chmod(0o500)
        self.addCleanup(self.cache.chmod, 0o700)

    def restore_cache(self) -> None:
        """Give it back."""
        self.cache.chmod(0o700)


class RemovedCacheTests(CacheFault):
    """Tests of a folder of indexes that is removed."""

    fault_description = "the folder of indexes removed"
    expected_behavior = "it is made again, and so are the indexes"

    def break_cache(self) -> None:
        """Remove it."""
        self.cache.rename(self.folder / f"cache-{monotonic()}")

    def inject_and_check(self) -> str:
        """Look whether all are made anew."""
        answers = read_responses(self.inject_with_requests())
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
        self.check_answers()
        self.assertEqual(len(os.listdir(self.cache)), 3)
        return count_statuses(answers)


class SuspendedTests(MachineFault):
    """Tests of a service that stands still for a while."""

    fault_description = (
        "SIGSTOP for 2 s, then SIGCONT; 8 running, 8 waiting, 18 ask meanwhile"
    )
    expected_behavior = (
        "all answered; of all limits, of 1.5 s, only --timeout has run out"
    )
    options = (
        *(f"--max-running={MAX_RUNNING}", "--cache-bytes=0"),
        *(f"--{name}timeout=1.5" for name in ("", "request-", "idle-")),
    )

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Stop it, have clients begin to ask, or go on with that, and continue it."""
        self.grep.replace_with_hanging()
        connections = self.send_searches(MAX_RUNNING)
        self.grep.wait_for_hanging_count(MAX_RUNNING)
        self.grep.restore_real_grep()
        idle, incomplete = self.server.connect(), self.server.connect()
        idle.send_get("/livez").read_response()
        incomplete.send(b"GET /livez HTTP/1.1\r\n")
        # What it has been sent before is read before this is answered.
        self.assertEqual(self.server.get("/livez").status, 200)
        self.send_signal(signal.SIGSTOP)
        wait_until(self.is_stopped, "its standing still")
        deadline = monotonic() + 2
        connections += [
            *self.send_searches(MAX_RUNNING),
            idle.send_get("/livez"),
            incomplete.send(b"Host: localhost\r\n\r\n"),
        ]
        wait_until(lambda: monotonic() > deadline, "two seconds")
        self.send_signal(signal.SIGCONT)
        return connections

    def send_signal(self, number: int) -> None:
        """Send a signal to all that serve, and to who looks after them."""
        for pid in {self.server.process.pid, *self.server.serving_pids}:
            os.kill(pid, number)

    def is_stopped(self) -> bool:
        """Whether it is stopped."""
        stats = (Path(f"/proc/{pid}/stat") for pid in self.server.serving_pids)
        states = (each.read_text().rpartition(")")[2].split()[0] for each in stats)
        return set(states) == {"T"}

    def inject_and_check(self) -> str:
        """Look what each gets."""
        answers = read_responses(self.inject_with_requests())
        codes = Counter(each.status for each in answers)
        self.assertEqual(codes, {200: 3 * MAX_RUNNING + 2, 504: MAX_RUNNING})
        return count_statuses(answers)


class ReaperTests(MachineFault):
    """Tests of the process that outlives the service, should that be killed."""

    fault_description = "the reaper killed"
    expected_behavior = "an error in the log, and the service goes on"

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Kill it while searches are under way."""
        connections = self.send_searches()
        for pid in filter(is_reaper, self.server.all_child_pids()):
            os.kill(pid, signal.SIGKILL)
        return connections + self.send_searches()

    def inject_and_check(self) -> str:
        """Look for the error."""
        answers = read_responses(self.inject_with_requests())
        self.assertEqual({each.status for each in answers}, {200})
        error = (
            r"error\] Child processes may go on if the service is killed: .*signal=9"
        )
        self.server.wait_for_log_line(error)
        return f"{count_statuses(answers)}, logged"
