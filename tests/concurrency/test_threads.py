"""
Tests for L{twisted_quotes.concurrency.threads}.
"""

from __future__ import annotations

from errno import EAGAIN
from threading import Event, Semaphore
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from twisted_quotes.concurrency.threads import ThreadRunner


class ThreadRunnerTests(TestCase):
    """Tests with two real threads."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.pool = ThreadPool(0, 2)
        self.pool.start()
        self.addCleanup(self.pool.stop)
        self.runner = ThreadRunner(reactor, self.pool, 2)  # type: ignore[arg-type]
        self.started_numbers: list[int] = []
        self.gate = Event()
        self.started = Semaphore(0)
        self.addCleanup(self.gate.set)

    def block(self, number: int) -> int:
        """Block until the gate opens."""
        self.started_numbers.append(number)
        self.started.release()
        self.gate.wait(30)
        return number

    async def test_the_result_is_that_of_the_function(self) -> None:
        self.assertEqual(await self.runner(divmod, 7, 3), (2, 1))
        with self.assertRaises(ZeroDivisionError):
            await self.runner(divmod, 7, 0)

    async def test_functions_fail_while_no_thread_can_be_started(self) -> None:
        """They do not count towards the limit, and thousands in a row do not nest."""

        def start_thread(**arguments: Any) -> None:
            # The interpreter raises this if the system refuses another thread.
            raise RuntimeError("can't start new thread")

        patch = self.patch(self.pool, "threadFactory", start_thread)
        for failing in [self.runner(divmod, 7, 3) for _ in range(2000)]:
            with self.assertRaises(OSError) as caught:
                await failing
            self.assertEqual(caught.exception.errno, EAGAIN)
        patch.restore()
        self.assertEqual(await self.runner(divmod, 7, 3), (2, 1))

    async def test_functions_beyond_the_limit_wait_in_order(self) -> None:
        results = [self.runner(self.block, number) for number in range(5)]
        self.assertNoResult(results[4])
        self.gate.set()
        self.assertEqual([await each for each in results], list(range(5)))

    async def test_a_cancelled_function_counts_until_it_has_ended(self) -> None:
        """Functions that are cancelled while they wait never start."""
        running = [self.runner(self.block, number) for number in range(2)]
        for _ in running:
            self.assertTrue(self.started.acquire(timeout=30))
        waiting = [self.runner(self.block, 100 + number) for number in range(50)]
        for each in (*running, *waiting):
            each.cancel()
            self.failureResultOf(each, CancelledError)
        late: Deferred[int] = self.runner(self.block, 7)
        self.assertNoResult(late)
        self.gate.set()
        self.assertEqual(await late, 7)
        self.assertEqual(sorted(self.started_numbers), [0, 1, 7])
