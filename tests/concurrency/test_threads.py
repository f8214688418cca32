"""
Tests of threads that run what may block.
"""

from __future__ import annotations

from threading import Event, Semaphore

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from twisted_quotes.concurrency.threads import ThreadRunner


class ThreadsTests(TestCase):
    """Tests with two threads, and functions that block for a test."""

    def setUp(self) -> None:
        """Have two threads, and a function that blocks."""
        from twisted.internet import reactor

        pool = ThreadPool(2, 2)
        pool.start()
        self.addCleanup(pool.stop)
        self.threads = ThreadRunner(reactor, pool, 2)  # type: ignore[arg-type]
        self.started_numbers: list[int] = []
        self.gate = Event()
        self.started = Semaphore(0)
        self.addCleanup(self.gate.set)

    def block(self, number: int) -> int:
        """Block until the test says so."""
        self.started_numbers.append(number)
        self.started.release()
        self.gate.wait(30)
        return number

    async def test_what_it_returns_is_the_result(self) -> None:
        """And what it raises fails it."""
        self.assertEqual(await self.threads(divmod, 7, 3), (2, 1))
        with self.assertRaises(ZeroDivisionError):
            await self.threads(divmod, 7, 0)

    async def test_so_many_run_at_a_time(self) -> None:
        """The others follow in the order of asking."""
        results = [self.threads(self.block, number) for number in range(5)]
        self.assertNoResult(results[4])
        self.gate.set()
        self.assertEqual([await each for each in results], list(range(5)))

    async def test_one_that_is_given_up_counts_until_it_has_ended(self) -> None:
        """However many are given up, no more run than may, and none queue up."""
        running = [self.threads(self.block, number) for number in range(2)]
        for _ in running:
            self.assertTrue(self.started.acquire(timeout=30))
        given_up = [self.threads(self.block, 100 + number) for number in range(50)]
        for each in (*running, *given_up):
            each.cancel()
            self.failureResultOf(each, CancelledError)
        late: Deferred[int] = self.threads(self.block, 7)
        self.assertNoResult(late)
        self.gate.set()
        self.assertEqual(await late, 7)
        self.assertEqual(sorted(self.started_numbers), [0, 1, 7])
