"""
Tests for L{twisted_quotes.processes.signals}.
"""

from __future__ import annotations

import signal
from threading import Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.processes.signals import (
    block_terminal_signals,
    make_signal_subscriber,
    make_sigterm_subscriber,
)

TERMINAL_SIGNALS = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
}
HANDLED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def blocked_signals() -> set[int]:
    """The signals that are blocked now."""
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


class BlockedSignalsTests(SynchronousTestCase):
    """Signals while a child is being started."""

    def setUp(self) -> None:
        """Put the mask back in the end, whatever a test does to it."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL_SIGNALS)

    def test_what_a_terminal_sends_is_blocked(self) -> None:
        """Within, all that a terminal can send waits."""
        before = blocked_signals()
        with block_terminal_signals():
            self.assertEqual(blocked_signals() - before, TERMINAL_SIGNALS)

    def test_the_mask_is_put_back(self) -> None:
        """Afterwards all is as it was."""
        before = blocked_signals()
        with block_terminal_signals():
            pass
        self.assertEqual(blocked_signals(), before)

    def test_the_mask_is_put_back_after_an_error(self) -> None:
        """A child that cannot be started leaves nothing blocked."""
        before = blocked_signals()
        with self.assertRaises(OSError), block_terminal_signals():
            raise OSError("no such program")
        self.assertEqual(blocked_signals(), before)

    def test_what_was_blocked_stays_blocked(self) -> None:
        """A mask of the caller's own is not undone."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        with block_terminal_signals():
            pass
        self.assertIn(signal.SIGHUP, blocked_signals())

    def test_a_signal_meanwhile_is_not_lost(self) -> None:
        """One that comes meanwhile is delivered afterwards."""
        came: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        with block_terminal_signals():
            signal.raise_signal(signal.SIGTERM)
            self.assertEqual(came, [])
        self.assertEqual(came, [signal.SIGTERM])


class FakeReactor:
    """A reactor whose turn comes when a test has it come."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def callFromThread(self, *call: Any) -> None:
        """Call a function in the next turn."""
        self.calls.append(call)

    def turn(self) -> None:
        """Call all that is due."""
        calls, self.calls = self.calls, []
        for function, *arguments in calls:
            function(*arguments)


class OnSignalsTests(SynchronousTestCase):
    """Signals that are handled in turns of the reactor."""

    def setUp(self) -> None:
        """Have handlers that nobody means to lose."""
        self.received: list[object] = []
        for number in HANDLED_SIGNALS:
            handler = signal.signal(number, lambda *_: self.received.append("old"))
            self.addCleanup(signal.signal, number, handler)
        self.reactor = FakeReactor()
        self.install = make_signal_subscriber(self.reactor)  # type: ignore[arg-type]

    def test_each_is_handled_each_time(self) -> None:
        """In the next turn of the reactor, in the order in which they came."""
        self.addCleanup(self.install(self.received.append))
        sent = [*HANDLED_SIGNALS, signal.SIGINT]
        for number in sent:
            signal.raise_signal(number)
        self.assertEqual(self.received, [])
        self.reactor.turn()
        self.assertEqual(self.received, sent)

    def test_one_that_is_ignored_stays_ignored(self) -> None:
        """nohup ignores SIGHUP, and a script SIGINT in what it starts with &."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.addCleanup(self.install(self.received.append))
        signal.raise_signal(signal.SIGINT)
        self.reactor.turn()
        self.assertEqual(self.received, [])

    def test_others_are_left(self) -> None:
        """No other signal changes its meaning."""
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(self.install(self.received.append))
        self.assertEqual(signal.getsignal(signal.SIGUSR1), before)

    def test_what_was_there_is_put_back(self) -> None:
        """After that the former handlers are called again."""
        self.install(self.received.append)()
        for number in HANDLED_SIGNALS:
            signal.raise_signal(number)
        self.assertEqual(self.received, ["old"] * 3)

    def test_elsewhere_than_in_the_main_thread_nothing_is_done(self) -> None:
        """Where Python allows no handlers, there is no error and no change."""

        def set_and_restore() -> None:
            self.install(self.received.append)()
            self.received.append("returned")

        thread = Thread(target=set_and_restore)
        thread.start()
        thread.join()
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.received, ["returned", "old"])


class OnSigtermTests(SynchronousTestCase):
    """SIGTERM in a process that was started with signals blocked."""

    def setUp(self) -> None:
        """Block what a terminal sends, as in a child."""
        before = signal.getsignal(signal.SIGTERM)
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
        self.reactor = FakeReactor()
        self.install = make_sigterm_subscriber(self.reactor)  # type: ignore[arg-type]

    def test_it_is_handled(self) -> None:
        """Each time, and one too that came while it was blocked."""
        came: list[int] = []
        signal.raise_signal(signal.SIGTERM)
        self.install(came.append)
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(came, [])
        self.reactor.turn()
        self.assertEqual(came, [signal.SIGTERM] * 2)

    def test_the_rest_is_left_to_others(self) -> None:
        """But Ctrl-Z, which stops whoever shares the terminal."""
        self.install(lambda number: None)
        left = TERMINAL_SIGNALS - {signal.SIGTERM, signal.SIGTSTP}
        self.assertEqual(blocked_signals() & TERMINAL_SIGNALS, left)
