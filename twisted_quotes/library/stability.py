"""
Detecting dictionaries that are being written to, and waiting until they are not.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from .dictionary import STABLE_TIME, Dictionary, is_recently_changed

MAX_ATTEMPTS = 5
"""The maximum number of starts of a search whose files change meanwhile."""

MAX_WAITS = 3
"""The maximum number of waits for a stable state."""


async def wait_until_stable(
    reactor: IReactorTime, now: Callable[[], float], dictionary: Dictionary
) -> None:
    """
    Wait until a dictionary has not been written to for a moment; refresh its state.

    The wait is bounded. A file that is written to all the time is used as it is;
    errors that this causes last only for a moment.

    @param now: returns the time, in seconds since 1970.
    """
    for _ in range(MAX_WAITS):
        state = dictionary.state
        if not is_recently_changed(now(), state.modified, state.changed):
            return
        await deferLater(reactor, STABLE_TIME)
        dictionary.refresh_state()
