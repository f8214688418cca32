"""
Tests for L{twisted_quotes.signals}.
"""

from __future__ import annotations

import signal
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.signals import (
    kept_from_children,
    on_shutdown_signal,
    on_sigterm,
)

TERMINAL = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
}
SHUTDOWN = (signal.SIGINT, signal.SIGTERM)


def blocked() -> set[int]:
    """The signals that are blocked now."""
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


class KeptFromChildrenTests(SynchronousTestCase):
    """Signals while a child is being started."""

    def setUp(self) -> None:
        """Put the mask back in the end, whatever a test does to it."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL)

    def test_what_a_terminal_sends_is_blocked(self) -> None:
        """Within, all that a terminal can send waits."""
        before = blocked()
        with kept_from_children():
            self.assertEqual(blocked() - before, TERMINAL)

    def test_the_mask_is_put_back(self) -> None:
        """Afterwards all is as it was."""
        before = blocked()
        with kept_from_children():
            pass
        self.assertEqual(blocked(), before)

    def test_the_mask_is_put_back_after_an_error(self) -> None:
        """A child that cannot be started leaves nothing blocked."""
        before = blocked()
        with self.assertRaises(OSError), kept_from_children():
            raise OSError("no such program")
        self.assertEqual(blocked(), before)

    def test_what_was_blocked_stays_blocked(self) -> None:
        """A mask of the caller's own is not undone."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        with kept_from_children():
            pass
        self.assertIn(signal.SIGHUP, blocked())

    def test_a_signal_meanwhile_is_not_lost(self) -> None:
        """One that comes meanwhile is delivered afterwards."""
        came: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        with kept_from_children():
            signal.raise_signal(signal.SIGTERM)
            self.assertEqual(came, [])
        self.assertEqual(came, [signal.SIGTERM])


class OnShutdownSignalTests(SynchronousTestCase):
    """Signals that ask for the end, once it has begun."""

    def setUp(self) -> None:
        """Have handlers that nobody means to lose."""
        self.came: list[str] = []
        for number in SHUTDOWN:
            handler = signal.signal(number, lambda *_: self.came.append("old"))
            self.addCleanup(signal.signal, number, handler)

    def call(self) -> None:
        """Be called by a signal."""
        self.came.append("new")

    def test_both_are_taken(self) -> None:
        """SIGINT and SIGTERM both call, each time."""
        restore = on_shutdown_signal(self.call)
        self.addCleanup(restore)
        for number in (*SHUTDOWN, signal.SIGINT):
            signal.raise_signal(number)
        self.assertEqual(self.came, ["new"] * 3)

    def test_others_are_left(self) -> None:
        """No other signal changes its meaning."""
        before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(on_shutdown_signal(self.call))
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)

    def test_what_was_there_is_put_back(self) -> None:
        """After that the former handlers are called again."""
        on_shutdown_signal(self.call)()
        for number in SHUTDOWN:
            signal.raise_signal(number)
        self.assertEqual(self.came, ["old"] * 2)

    def test_elsewhere_than_in_the_main_thread_nothing_is_done(self) -> None:
        """Where Python allows no handlers, there is no error and no change."""

        def set_and_restore() -> None:
            on_shutdown_signal(self.call)()
            self.came.append("returned")

        thread = Thread(target=set_and_restore)
        thread.start()
        thread.join()
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.came, ["returned", "old"])


class OnSigtermTests(SynchronousTestCase):
    """SIGTERM in a process that was started with signals blocked."""

    def setUp(self) -> None:
        """Block what a terminal sends, as in a child."""
        before = signal.getsignal(signal.SIGTERM)
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL)
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)

    def test_it_is_taken(self) -> None:
        """Each time, and one too that came while it was blocked."""
        came: list[str] = []
        signal.raise_signal(signal.SIGTERM)
        on_sigterm(lambda: came.append("called"))
        self.assertEqual(came, ["called"])
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(came, ["called"] * 2)

    def test_the_rest_is_left_to_others(self) -> None:
        """But Ctrl-Z, which stops whoever shares the terminal."""
        on_sigterm(lambda: None)
        left = TERMINAL - {signal.SIGTERM, signal.SIGTSTP}
        self.assertEqual(blocked() & TERMINAL, left)
