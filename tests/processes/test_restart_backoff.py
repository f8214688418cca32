"""
Tests of how soon the place of a worker is filled.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.processes.restart_backoff import MIN_UPTIME, RestartBackoff


class RestartBackoffTests(SynchronousTestCase):
    """Tests of the time between a death and the next start."""

    def test_one_that_has_served_is_replaced_at_once(self) -> None:
        """However many of them there are."""
        backoff = RestartBackoff()
        self.assertEqual(
            [backoff.next_delay(MIN_UPTIME) for _ in range(50)], [0.0] * 50
        )

    def test_those_that_die_soon_are_waited_for(self) -> None:
        """Longer and longer, but never for more than half a minute."""
        backoff = RestartBackoff()
        delays = [backoff.next_delay(2) for _ in range(2000)]
        self.assertEqual(delays[:5], [0, 0, 0.25, 0.5, 1])
        self.assertEqual(delays, sorted(delays))
        self.assertEqual(delays[-1], 30)

    def test_one_that_serves_puts_an_end_to_that(self) -> None:
        """The next one to die is replaced at once again."""
        backoff = RestartBackoff()
        for _ in range(10):
            backoff.next_delay(0)
        self.assertEqual(backoff.next_delay(MIN_UPTIME), 0)
        self.assertEqual(backoff.next_delay(0), 0)
