"""
Tests of threads that run what may block.
"""

from __future__ import annotations

from threading import Event

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from twisted_quotes.threads import Threads


class ThreadsTests(TestCase):
    """Tests with the reactor's own threads, and functions that block for a test."""

    def setUp(self) -> None:
        """Have two threads, and a function that blocks."""
        from twisted.internet import reactor

        pool = reactor.getThreadPool()  # type: ignore[attr-defined]
        self.threads = Threads(reactor, pool, 2)  # type: ignore[arg-type]
        self.begun: list[int] = []
        self.gate = Event()
        self.addCleanup(self.gate.set)

    def block(self, number: int) -> int:
        """Block until the test says so."""
        self.begun.append(number)
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
        given_up = [self.threads(self.block, 100 + number) for number in range(50)]
        for each in (*running, *given_up):
            each.cancel()
            self.failureResultOf(each, CancelledError)
        late: Deferred[int] = self.threads(self.block, 7)
        self.assertNoResult(late)
        self.gate.set()
        self.assertEqual(await late, 7)
        self.assertEqual(sorted(self.begun), [0, 1, 7])
