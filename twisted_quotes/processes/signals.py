"""
Signals: kept from the children, and handled in turns of the reactor.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorFromThreads

_TERMINAL_SIGNALS = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
}
_HANDLED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

_WORKER_SIGNALS = {signal.SIGTERM, signal.SIGTSTP}

SignalSubscriber = Callable[[Callable[[int], object]], Callable[[], None]]
"""Has signals call a function with their number; returns what undoes that."""


@contextmanager
def block_terminal_signals() -> Iterator[None]:
    """
    Block what a terminal sends, for as long as a child is being started.

    A child inherits the mask, so Ctrl-C, which signals the whole process
    group, leaves it alone; only SIGKILL ends it.
    """
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINAL_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def make_signal_subscriber(reactor: IReactorFromThreads) -> SignalSubscriber:
    """
    Handle SIGHUP, SIGINT and SIGTERM in turns of the reactor, once it runs.

    A signal that is ignored stays ignored: C{nohup} ignores SIGHUP, and C{&} in a
    script SIGINT.

    @return: takes the function to call with the number of each signal.
    """

    def install(call: Callable[[int], object]) -> Callable[[], None]:
        if current_thread() is not main_thread():
            return lambda: None

        def handle(number: int, frame: object) -> None:
            reactor.callFromThread(call, number)

        before = {
            number: signal.signal(number, handle)
            for number in _HANDLED_SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return restore

    return install


def make_sigterm_subscriber(reactor: IReactorFromThreads) -> SignalSubscriber:
    """
    Handle SIGTERM in turns of the reactor, in a process that was started with the
    signals of a terminal blocked.

    It stops with the others at Ctrl-Z from now on. The rest stays blocked: it is
    for those who started the process to say when it is to end.

    @return: takes the function to call with the number of the signal.
    """

    def install(call: Callable[[int], object]) -> Callable[[], None]:
        if current_thread() is main_thread():

            def handle(number: int, frame: object) -> None:
                reactor.callFromThread(call, number)

            signal.signal(signal.SIGTERM, handle)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORKER_SIGNALS)
        return lambda: None

    return install


def has_controlling_terminal() -> bool:
    """
    Whether this process has a controlling terminal (tty(4)).

    It is to be asked at the start: a terminal that closes is gone when its SIGHUP
    comes.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def stop_by_signal(reactor: Any, signal_number: int) -> None:
    """
    Stop the reactor as Twisted's own handlers do: C{twist} then ends the process by
    the same signal.

    @param signal_number: the signal.
    """
    reactor._exitSignal = signal_number
    # Something else may have stopped it in the same turn.
    with suppress(ReactorNotRunning):
        reactor.stop()
