"""
Tests for L{twisted_quotes.processes.signals}.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Thread
from typing import Any
from unittest.mock import patch

from twisted.internet import process
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_quotes.processes.process import Command, spawn
from twisted_quotes.processes.signals import (
    ABORT_START_SIGNAL,
    block_terminal_signals,
    simplify_handler_scan,
    subscribe_to_signals,
)

from ..fakes import FakeReactor

TERMINAL_SIGNALS = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
}
HANDLED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def blocked_signals() -> set[int]:
    """Return the signals that are blocked now."""
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


class HandlerScanTests(TestCase):
    """Tests of the signals that child processes ignore."""

    async def test_children_ignore_no_signal(self) -> None:
        """They do not inherit what the service ignores."""
        from twisted.internet import reactor

        module: Any = process
        self.patch(module, "signal", module.signal)
        simplify_handler_scan()
        # Python ignores SIGPIPE.
        previous = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGUSR1, previous)
        with patch.object(signal, "getsignal", None):
            child = spawn(reactor, Command("/bin/cat", ("/proc/self/status",), {}))
        outcome = await child.result
        ignored = int(outcome.stdout.split(b"SigIgn:")[1].split()[0], 16)
        # The C library ignores two signals of its own.
        for number in signal.valid_signals():
            self.assertEqual(ignored >> (number - 1) & 1, 0, number)


class BlockedSignalsTests(SynchronousTestCase):
    """Tests of signals while a child process is started."""

    def setUp(self) -> None:
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL_SIGNALS)
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)

    def test_signals_are_blocked_for_as_long_as_the_block_runs(self) -> None:
        """The mask is restored after an error, too."""
        before = blocked_signals()
        with block_terminal_signals():
            self.assertEqual(blocked_signals() - before, TERMINAL_SIGNALS)
        self.assertEqual(blocked_signals(), before)
        with self.assertRaises(OSError), block_terminal_signals():
            raise OSError("no such program")
        self.assertEqual(blocked_signals(), before)

    def test_a_signal_that_was_blocked_before_stays_blocked(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        with block_terminal_signals():
            pass
        self.assertIn(signal.SIGHUP, blocked_signals())

    def test_a_signal_that_arrives_meanwhile_is_delivered_afterwards(self) -> None:
        received: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda n, _: received.append(n))
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        with block_terminal_signals():
            signal.raise_signal(signal.SIGTERM)
            self.assertEqual(received, [])
        self.assertEqual(received, [signal.SIGTERM])


class SubscribeToSignalsTests(SynchronousTestCase):
    """Tests of signals that are handled in turns of the reactor."""

    def setUp(self) -> None:
        self.received: list[object] = []
        for number in HANDLED_SIGNALS:
            handler = signal.signal(number, lambda *_: self.received.append("old"))
            self.addCleanup(signal.signal, number, handler)
        self.reactor = FakeReactor()

    def subscribe(self, in_worker: bool = False) -> Callable[[], None]:
        """Record signals, until what is returned is called."""
        restore = subscribe_to_signals(self.reactor, self.received.append, in_worker)
        self.addCleanup(restore)
        return restore

    def test_each_signal_is_handled_in_the_next_turn(self) -> None:
        self.subscribe()
        sent = [*HANDLED_SIGNALS, signal.SIGINT]
        for number in sent:
            signal.raise_signal(number)
        self.assertEqual(self.received, [])
        self.reactor.advance(0)
        self.assertEqual(self.received, sent)

    def test_an_ignored_signal_stays_ignored(self) -> None:
        """nohup ignores SIGHUP, and a script SIGINT in what it starts with &."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.subscribe()
        signal.raise_signal(signal.SIGINT)
        self.reactor.advance(0)
        self.assertEqual(self.received, [])

    def test_other_signals_are_not_changed(self) -> None:
        before = signal.getsignal(signal.SIGUSR1)
        self.subscribe()
        self.assertEqual(signal.getsignal(signal.SIGUSR1), before)

    def test_the_previous_handlers_are_restored(self) -> None:
        self.subscribe()()
        for number in HANDLED_SIGNALS:
            signal.raise_signal(number)
        self.assertEqual(self.received, ["old"] * 3)

    def test_nothing_is_changed_outside_the_main_thread(self) -> None:
        def subscribe_and_restore() -> None:
            self.subscribe()()
            self.received.append("returned")

        thread = Thread(target=subscribe_and_restore)
        thread.start()
        thread.join()
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.received, ["returned", "old"])

    def test_a_worker_handles_sigterm_and_keeps_the_rest_blocked(self) -> None:
        """
        A SIGTERM that arrived before is not lost. Ctrl-Z stops the process, and the
        signal that ends the start has no effect any more.
        """
        previous = signal.getsignal(ABORT_START_SIGNAL)
        self.addCleanup(signal.signal, ABORT_START_SIGNAL, previous)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
        signal.raise_signal(signal.SIGTERM)
        self.subscribe(in_worker=True)
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.received, [])
        self.reactor.advance(0)
        self.assertEqual(self.received, [signal.SIGTERM] * 2)
        signal.raise_signal(ABORT_START_SIGNAL)
        still_blocked = TERMINAL_SIGNALS - {signal.SIGTERM, signal.SIGTSTP}
        self.assertEqual(blocked_signals() & TERMINAL_SIGNALS, still_blocked)
