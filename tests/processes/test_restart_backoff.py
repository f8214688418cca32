"""
Tests for L{twisted_quotes.processes.restart_backoff}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.processes.restart_backoff import MIN_UPTIME, RestartBackoff


class RestartBackoffTests(SynchronousTestCase):
    """Tests of the delay between the end of a worker and the next start."""

    def test_a_worker_that_served_is_replaced_without_delay(self) -> None:
        backoff = RestartBackoff()
        self.assertEqual([backoff.next_delay(MIN_UPTIME) for _ in range(50)], [0] * 50)

    def test_the_delay_grows_with_the_failures_up_to_half_a_minute(self) -> None:
        backoff = RestartBackoff()
        delays = [backoff.next_delay(2) for _ in range(2000)]
        self.assertEqual(delays[:5], [0, 0, 0.25, 0.5, 1])
        self.assertEqual(delays, sorted(delays))
        self.assertEqual(delays[-1], 30)

    def test_a_worker_that_served_resets_the_delay(self) -> None:
        backoff = RestartBackoff()
        for _ in range(10):
            backoff.next_delay(0)
        self.assertEqual(backoff.next_delay(MIN_UPTIME), 0)
        self.assertEqual(backoff.next_delay(0), 0)
