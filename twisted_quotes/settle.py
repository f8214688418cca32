"""
Dictionaries that are being written to, and waiting until they are not.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from .dictionary import Dictionary

ATTEMPTS = 5
"""How often an answer is begun anew because the file it is from has changed."""

_SETTLED = 0.02
_MOST_WAITS = 3


def is_fresh(now: float, written: int) -> bool:
    """
    Whether a file that was written to could be written to again, and look the same.

    The kernel tells the time of a write in steps of some milliseconds.

    @param now: in seconds since 1970.
    @param written: in nanoseconds since 1970. What was written in the future, by
        another clock, is not fresh.
    """
    return 0 <= now - written / 1e9 < _SETTLED


async def settled(
    reactor: IReactorTime, now: Callable[[], float], dictionary: Dictionary
) -> Dictionary:
    """
    Wait until nobody has written to a dictionary for a moment.

    One that is written to all the time is not waited for any longer: what is
    wrong about it is so for a moment only.

    @param now: tells the time, in seconds since 1970.
    @return: the dictionary, with its state as it is then.
    """
    for _ in range(_MOST_WAITS):
        if not is_fresh(now(), dictionary.state.modified):
            return dictionary
        await deferLater(reactor, _SETTLED)
        dictionary.look_again()
    return dictionary
