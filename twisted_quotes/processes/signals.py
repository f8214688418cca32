"""
Signals: blocked in child processes, and handled in turns of the reactor.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import current_thread, main_thread
from types import ModuleType
from typing import Any

from twisted.internet import process
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorFromThreads

_TERMINAL_SIGNALS = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
}
_SERVICE_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_WORKER_SIGNALS = (signal.SIGTERM,)

ABORT_START_SIGNAL = signal.SIGUSR1
"""Ends a worker that is still starting. One that serves ignores it."""

# The functions that those of L{signal} wrap. They return plain numbers, which is many
# times faster than to look up the enumeration members for these.
_plain_signal: Any = import_module("_signal")

SignalSubscriber = Callable[[Callable[[int], object]], Callable[[], None]]
"""Makes signals call a function with their number; returns what undoes that."""


@contextmanager
def block_terminal_signals() -> Iterator[None]:
    """
    Block the signals that a terminal sends while a child process is started.

    The child inherits the mask. So Ctrl-C, which signals the whole process group,
    does not end it, and only SIGKILL does.
    """
    set_mask = _plain_signal.pthread_sigmask
    previous_mask = set_mask(signal.SIG_BLOCK, _TERMINAL_SIGNALS)
    try:
        yield
    finally:
        set_mask(signal.SIG_SETMASK, previous_mask)


def simplify_handler_scan() -> None:
    """
    Make C{spawnProcess} look up the handlers of signals as plain numbers.

    It looks up those of all signals for each process.
    """
    faster = ModuleType(signal.__name__)
    vars(faster).update(vars(signal), getsignal=_plain_signal.getsignal)
    vars(process)["signal"] = faster


def subscribe_to_signals(
    reactor: IReactorFromThreads,
    callback: Callable[[int], object],
    in_worker: bool = False,
) -> Callable[[], None]:
    """
    Handle SIGHUP, SIGINT and SIGTERM in turns of a running reactor.

    A signal that is ignored stays ignored: C{nohup} ignores SIGHUP, and C{&} in a
    script SIGINT. Outside the main thread, where Python allows no handlers, nothing
    is done.

    @param callback: called with the number of each signal.
    @param in_worker: whether this process was started by the supervisor, within
        L{block_terminal_signals}. Then only SIGTERM is handled, Ctrl-Z stops the
        process, and L{ABORT_START_SIGNAL} is ignored from now on. The rest stays
        blocked: the supervisor decides when a worker ends.
    @return: restores the previous handlers.
    """
    if current_thread() is not main_thread():
        return lambda: None

    def handle(number: int, frame: object) -> None:
        reactor.callFromThread(callback, number)

    signals = _WORKER_SIGNALS if in_worker else _SERVICE_SIGNALS
    previous = {
        number: signal.signal(number, handle)
        for number in signals
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    if in_worker:
        signal.signal(ABORT_START_SIGNAL, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*signals, signal.SIGTSTP})

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    return restore


def has_controlling_terminal() -> bool:
    """
    Return whether this process has a controlling terminal (tty(4)).

    Call this at the start: a terminal that closes is gone when SIGHUP arrives.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def stop_by_signal(reactor: Any, signal_number: int) -> None:
    """
    Stop the reactor as Twisted's own signal handlers do: C{twist} then ends the process
    by the same signal.
    """
    reactor._exitSignal = signal_number
    # The reactor may have been stopped in the same turn.
    with suppress(ReactorNotRunning):
        reactor.stop()
