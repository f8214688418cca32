"""
Signals: kept from the children, and taken a second time.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

_TERMINAL = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
}
_SHUTDOWN = (signal.SIGINT, signal.SIGTERM)


_FOR_A_WORKER = {signal.SIGTERM, signal.SIGTSTP}


@contextmanager
def kept_from_children() -> Iterator[None]:
    """
    Block what a terminal sends, for as long as a child is being started.

    A child inherits the mask, so Ctrl-C, which signals the whole process
    group, leaves it alone; only SIGKILL ends it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def on_shutdown_signal(call: Callable[[], object]) -> Callable[[], None]:
    """
    Have SIGINT and SIGTERM do something else from now on.

    @param call: called in the main thread, between any two instructions.
    @return: puts back what there was before.
    """
    if current_thread() is not main_thread():
        return lambda: None
    before = {number: signal.signal(number, lambda *_: call()) for number in _SHUTDOWN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def on_sigterm(call: Callable[[], object]) -> None:
    """
    Have SIGTERM call a function, in a process that was started with the signals
    of a terminal blocked.

    It stops with the others at Ctrl-Z from now on. The rest stays blocked: it is
    for those who started the process to say when it is to end.

    @param call: called in the main thread, between any two instructions.
    """
    if current_thread() is main_thread():
        signal.signal(signal.SIGTERM, lambda *_: call())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FOR_A_WORKER)
