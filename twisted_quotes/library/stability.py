"""
Detecting dictionaries that are being written to, and waiting until they are not.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from .dictionary import Dictionary

MAX_ATTEMPTS = 5
"""The maximum number of starts of a search whose files change meanwhile."""

_STABLE_TIME, _STABLE_NANOSECONDS = 0.02, 20_000_000
_MAX_WAITS = 3


def is_recently_changed(now: float, *change_times: int) -> bool:
    """
    Return whether a further change of a file could leave its state the same.

    The kernel's clock for file times advances in steps of some milliseconds.

    @param now: the time, in seconds since 1970.
    @param change_times: when the file, or any of several, changed, in nanoseconds
        since 1970. A time in the future comes from another clock and is not recent.
    """
    now_ns = now * 1e9
    start = now_ns - _STABLE_NANOSECONDS
    # Each request calls this: a loop is faster than any().
    for each in change_times:  # noqa: SIM110
        if start < each <= now_ns:
            return True
    return False


async def wait_until_stable(
    reactor: IReactorTime, now: Callable[[], float], dictionary: Dictionary
) -> None:
    """
    Wait until a dictionary has not been written to for a moment; refresh its state.

    The wait is bounded. A file that is written to all the time is used as it is;
    errors that this causes last only for a moment.

    @param now: returns the time, in seconds since 1970.
    """
    for _ in range(_MAX_WAITS):
        state = dictionary.state
        if not is_recently_changed(now(), state.modified, state.changed):
            return
        await deferLater(reactor, _STABLE_TIME)
        dictionary.refresh_state()
