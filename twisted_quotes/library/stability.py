"""
Dictionaries that are being written to, and waiting until they are not.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from .dictionary import Dictionary, FileState

MAX_ATTEMPTS = 5
"""How often an answer is begun anew because the file it is from has changed."""

_STABLE_TIME = 0.02
_STABLE_TIME_NS = _STABLE_TIME * 1e9
_MAX_WAITS = 3


def is_recently_changed(now: float, *states: FileState) -> bool:
    """
    Return whether any of some files could change again and have the same state.

    The kernel's clock for file times advances in steps of some milliseconds. A time
    in the future comes from another clock and is not recent.

    @param now: the time, in seconds since 1970.
    """
    now_ns = now * 1e9
    for _, _, _, modified, changed in states:
        if (
            0 <= now_ns - changed < _STABLE_TIME_NS
            or 0 <= now_ns - modified < _STABLE_TIME_NS
        ):
            return True
    return False


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
        if not is_recently_changed(now(), dictionary.state):
            return dictionary
        await deferLater(reactor, _STABLE_TIME)
        dictionary.refresh_state()
    return dictionary
