"""
Dictionaries that are being written to, and waiting until they are not.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from .dictionary import Dictionary

MAX_ATTEMPTS = 5
"""How often an answer is begun anew because the file it is from has changed."""

_STABLE_TIME = 0.02
_STABLE_TIME_NS = _STABLE_TIME * 1e9
_MAX_WAITS = 3


def is_recently_changed(now: float, *change_times: int) -> bool:
    """
    Return whether a file could change again and have the same state.

    The kernel's clock for file times advances in steps of some milliseconds.

    @param now: the time, in seconds since 1970.
    @param change_times: when the file, or any of several, changed, in nanoseconds
        since 1970. A time in the future comes from another clock and is not recent.
    """
    now_ns = now * 1e9
    return bool([each for each in change_times if 0 <= now_ns - each < _STABLE_TIME_NS])


async def wait_until_stable(
    reactor: IReactorTime, now: Callable[[], float], dictionary: Dictionary
) -> Dictionary:
    """
    Wait until nobody has written to a dictionary for a moment.

    One that is written to all the time is not waited for any longer: what is
    wrong about it is so for a moment only.

    @param now: tells the time, in seconds since 1970.
    @return: the dictionary, with its state as it is then.
    """
    for _ in range(_MAX_WAITS):
        state = dictionary.state
        if not is_recently_changed(now(), state.modified, state.changed):
            return dictionary
        await deferLater(reactor, _STABLE_TIME)
        dictionary.refresh_state()
    return dictionary
