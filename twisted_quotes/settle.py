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


async def settled(
    reactor: IReactorTime, now: Callable[[], float], dictionary: Dictionary
) -> Dictionary:
    """
    Wait until nobody has written to a dictionary for a moment.

    The kernel tells the time of a write in steps of some milliseconds. A file
    that was written to just now could be written to again, and look the same.

    @param now: tells the time, in seconds since 1970.
    One that is written to all the time is not waited for any longer: what is
    wrong about it is so for a moment only.

    @return: the dictionary, with its state as it is then.
    """
    for _ in range(_MOST_WAITS):
        age = now() - dictionary.state.modified / 1e9
        # What was written in the future, by another clock, is not waited for.
        if not 0 <= age < _SETTLED:
            return dictionary
        await deferLater(reactor, _SETTLED - age)
        dictionary.look_again()
    return dictionary
