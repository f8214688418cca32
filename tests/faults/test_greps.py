"""
Faults of grep: it is killed, missing, hangs, prints too much, or crashes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from functools import partial
from statistics import median
from typing import ClassVar

from ..integration.cases import LOVE_QUERY, single_process_only
from ..integration.http_connection import HTTPConnection, Response
from ..integration.server import has_exited, wait_until
from .cases import BOOK_QUERY, Fault, count_statuses, read_responses

MAX_RUNNING, TIMEOUT = 8, 4
FLOODING_SCRIPT = (
    "try:",
    "    while True: sys.{stream}.write('1:love\\n' * 1000)",
    "except: pass",
)


class GrepFault(Fault):
    """A fault of grep while all slots are in use."""

    options: ClassVar[tuple[str, ...]] = (
        f"--max-running={MAX_RUNNING}",
        *("--timeout=60", "--cache-bytes=0", "--search-together=no"),
    )

    def send_line_searches(self, count: int = MAX_RUNNING) -> list[HTTPConnection]:
        """Send searches for lines, all at once."""
        return self.send_searches(count, [LOVE_QUERY])

    def fill_slots(self, count: int = MAX_RUNNING) -> list[HTTPConnection]:
        """
        Send searches until each slot is used by a grep that hangs.

        @param count: how many searches to send at once. On a busy machine one worker
            may get more of them than it has slots, and another one too few.
        """
        self.grep.replace_with_hanging()
        connections = self.send_line_searches(count)
        for _ in range(4 * MAX_RUNNING):
            with contextlib.suppress(AssertionError):
                wait_until(
                    lambda: self.grep.hanging_count >= MAX_RUNNING, "used slots", 2
                )
                return connections
            connections += self.send_line_searches(1)
        raise AssertionError(
            f"{self.grep.hanging_count} of {MAX_RUNNING} slots are used"
        )

    def check_statuses(self, responses: list[Response], *codes: int) -> str:
        """Check the statuses in any order, and the errors; return them as text."""
        self.assertEqual(sorted(each.status for each in responses), sorted(codes))
        for response in responses:
            if response.status != 200:
                self.check_error(response, response.status)
        return count_statuses(responses)

    def format_killed(self, reason: str) -> str:
        """Return how many greps were killed for a reason, as text."""
        name = f'quotes_greps_killed_total{{reason="{reason}"}}'
        return f"metrics: {self.metric_increase(name)} killed ({reason})"


class EndlessFault(GrepFault):
    """A grep that does not end before the timeout."""

    options = (*GrepFault.options, f"--timeout={TIMEOUT}")


class KilledTests(GrepFault):
    fault_description = "kill -9 of 8 running greps while 8 searches wait"
    expected_behavior = "500 for the running searches, results for the waiting ones"

    def inject_with_requests(self) -> list[HTTPConnection]:
        connections = self.fill_slots(2 * MAX_RUNNING)
        pids = self.server.search_pids()
        self.grep.restore_real_grep()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return connections

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        waiting = len(responses) - MAX_RUNNING
        statuses = self.check_statuses(
            responses, *[200] * waiting, *[500] * MAX_RUNNING
        )
        return f"{statuses}, {self.format_killed('outside')}"


class KilledPrestartedTests(GrepFault):
    fault_description = "kill -9 of the prestarted grep before a search, 50 times"
    expected_behavior = "results for each search"
    options = ("--timeout=60", "--cache-bytes=0")

    def inject_with_requests(self) -> list[HTTPConnection]:
        connection = self.server.connect()

        def is_prestarted() -> bool:
            connection.send_query(BOOK_QUERY).read_response()
            return bool(self.server.prestarted_pids())

        wait_until(is_prestarted, "a prestarted grep")
        for pid in self.server.prestarted_pids():
            # It may have reached its time limit.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return [connection.send_query(BOOK_QUERY)]

    def inject_and_check(self) -> str:
        responses = [
            each
            for _ in range(50)
            for each in read_responses(self.inject_with_requests())
        ]
        return self.check_statuses(responses, *[200] * 50)


@single_process_only("each worker has a slot, and batches its own searches")
class KilledBatchTests(GrepFault):
    fault_description = "kill -9 of a grep, then of the next one with 7 searches"
    expected_behavior = "500 for the two searches that started them, results for others"
    options = ("--max-running=1", "--timeout=60", "--cache-bytes=0")

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Kill the grep of one search, and then the grep of the batch."""
        self.grep.replace_with_hanging()
        connections = self.send_line_searches(8)
        self.grep.wait_for_hanging_count(1)
        [first] = self.server.search_pids()
        os.kill(first, signal.SIGKILL)
        self.grep.wait_for_hanging_count(2)
        [second] = self.server.search_pids()
        self.grep.restore_real_grep()
        os.kill(second, signal.SIGKILL)
        return connections

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        statuses = self.check_statuses(responses, *[200] * 6, *[500] * 2)
        return f"{statuses}, {self.format_killed('outside')}"


class RemovedTests(EndlessFault):
    fault_description = "grep removed, then installed again"
    expected_behavior = "500 for searches and 503 from /readyz until it is installed"

    def disable_grep(self) -> None:
        """Make it impossible to start grep."""
        self.grep.path.unlink()

    def inject_with_requests(self) -> list[HTTPConnection]:
        connections = self.fill_slots(2 * MAX_RUNNING)
        self.disable_grep()
        return connections

    def inject_and_check(self) -> str:
        self.disable_grep()
        responses = [self.search_book() for _ in range(10)]
        statuses = self.check_statuses(responses, *[500] * 10)
        self.check_error(self.server.get("/readyz"), 503)
        self.assertEqual(self.server.get("/livez").status, 200)
        self.grep.restore_real_grep()
        self.assertEqual(self.server.get("/readyz").status, 200)
        return f"{statuses}, /readyz 503, then 200"


class NotExecutableTests(RemovedTests):
    fault_description = "grep made not executable, then executable again"
    expected_behavior = RemovedTests.expected_behavior

    def disable_grep(self) -> None:
        self.grep.replace_with("")
        self.grep.path.chmod(0o644)


class HangingTests(EndlessFault):
    fault_description = f"grep replaced by a program that hangs, --timeout={TIMEOUT}"
    expected_behavior = "504, and it is killed; other searches wait for a slot"

    def inject_with_requests(self) -> list[HTTPConnection]:
        connections = self.fill_slots()
        self.grep.restore_real_grep()
        return connections + self.send_line_searches()

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        # On a busy machine, another one starts if the first one reaches its timeout
        # before all slots are used.
        hanging = self.grep.hanging_count
        others = len(responses) - hanging
        self.check_statuses(responses, *[504] * hanging, *[200] * others)
        return f"{count_statuses(responses)}, {self.format_killed('timeout')}"


class FloodingTests(EndlessFault):
    fault_description = "grep replaced by a program with endless output"
    expected_behavior = "500 or 504, and it is killed; the memory is limited"

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Replace grep with a program whose output looks like matches."""
        self.grep.replace_with(
            *(line.format(stream="stdout") for line in FLOODING_SCRIPT)
        )
        return self.send_line_searches()

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        for response in (*responses, self.search_book(unit="quote")):
            self.check_error(response, 500, 504)
        self.grep.restore_real_grep()
        return f"{count_statuses(responses)}, {self.format_killed('output')}"


class FloodingErrorsTests(EndlessFault):
    fault_description = "grep replaced by a program with endless error messages"
    expected_behavior = "504 after the timeout; the memory is limited"

    def inject_with_requests(self) -> list[HTTPConnection]:
        self.grep.replace_with(
            *(line.format(stream="stderr") for line in FLOODING_SCRIPT)
        )
        return self.send_line_searches()

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        self.grep.restore_real_grep()
        return self.check_statuses(responses, *[504] * MAX_RUNNING)


class CrashingTests(GrepFault):
    fault_description = "grep replaced by a program that crashes (SIGSEGV)"
    expected_behavior = "500 with an id that is also in the log"

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Replace grep with a program that crashes after some output."""
        self.grep.replace_with("print('love')", "os.kill(os.getpid(), 11)")
        return self.send_line_searches()

    def inject_and_check(self) -> str:
        responses = read_responses(self.inject_with_requests())
        for response in responses:
            request_id = response.headers["x-request-id"]
            self.assertIn(request_id, response.json()["message"])
            self.server.wait_for_log_line(f"Request {request_id} failed")
        self.grep.restore_real_grep()
        return self.check_statuses(responses, *[500] * MAX_RUNNING)


class GarbageTests(GrepFault):
    fault_description = "grep replaced by a program that prints random bytes"
    expected_behavior = "a complete JSON response: 200 with its output, or 500"

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Replace grep with a program that exits as after a successful search."""
        self.grep.replace_with(
            "sys.stdout.buffer.write(os.urandom(9999) + b'\\n9' * 9999)"
        )
        return self.send_line_searches()

    def inject_and_check(self) -> str:
        """Send a query of each kind that runs grep."""
        connections = self.inject_with_requests()
        for fields in (
            {"n_after": 1},
            {"unit": "quote"},
            {"unit": "quote", "nresults": 1},
            {"regex": True},
            {"action": "random"},
        ):
            query = {**BOOK_QUERY, **fields}
            connections.append(self.server.connect().send_query(query))
        path = "/api/v2/quotes?dictionary=book&term=love"
        connections.append(self.server.connect().send_get(path))
        responses = read_responses(connections)
        for response in responses:
            if response.status != 200:
                self.check_error(response, 500, 503)
            response.json()
        self.grep.restore_real_grep()
        return count_statuses(responses)


class DisconnectTests(GrepFault):
    fault_description = "clients disconnect while their searches run or wait"
    expected_behavior = "grep ends within 100 ms, and its slot is free immediately"

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Disconnect the clients whose searches run while others wait."""
        running = self.fill_slots()
        self.grep.restore_real_grep()
        waiting = self.send_line_searches()
        for each in running:
            each.close()
        return waiting

    def inject_and_check(self) -> str:
        times = []
        for _ in range(10):
            self.grep.replace_with_hanging()
            [connection] = self.send_line_searches(1)
            self.grep.wait_for_hanging_count(1)
            [pid] = self.server.search_pids()
            self.grep.restore_real_grep()
            connection.close()
            start = time.monotonic()
            wait_until(partial(has_exited, pid), "the end of grep")
            times.append(1000 * (time.monotonic() - start))
        killed = self.metric_increase('quotes_greps_killed_total{reason="left"}')
        self.assertEqual(killed, len(times))
        responses = read_responses(self.inject_with_requests())
        self.check_statuses(responses, *[200] * MAX_RUNNING)
        # Not the maximum: the machine may be busy.
        self.assertLess(median(times), 100)
        return f"ended after {median(times):.0f} ms (median), {max(times):.0f} ms (max)"
