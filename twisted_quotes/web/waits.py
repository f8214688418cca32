"""
C{/wait}: an external process that blocks, to see what goes on meanwhile.
"""

from __future__ import annotations

from collections import Counter
from re import compile

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorProcess
from twisted.web.iweb import IRequest

from ..errors import BadRequest, TooManyRequests
from ..outstanding import Outstanding
from ..places import Places
from ..process import Command, run
from .answers import send_json
from .client import client_asking

_SECONDS = compile(rb"[0-9]{1,2}")
_DEFAULT, _LONGEST = 10, 60


class SleepFailed(Exception):
    """The blocking process ended otherwise than it should."""


class Waited(msgspec.Struct, frozen=True):
    """The body of the answer: how long it was waited for, in seconds."""

    waited: int


class Waits:
    """
    The route that waits.

    @param reactor: starts the processes.
    @param executable: the absolute path of C{sleep}.
    @param places: where they run; not those of the searches.
    @param outstanding: is told of each wait and each process.
    @param share: how many places one client may have while others have some.
    """

    def __init__(
        self,
        reactor: IReactorProcess,
        executable: str,
        places: Places,
        outstanding: Outstanding,
        share: int,
    ) -> None:
        self._reactor = reactor
        self._executable = executable
        self._places = places
        self._outstanding = outstanding
        self._share = share
        self._held = Counter[str | None]()

    async def wait(self, request: IRequest) -> bytes:
        """Answer when the process has ended."""
        seconds = _seconds(request)
        client = client_asking(request)
        if self._held[client] >= self._share and len(self._held) > 1:
            raise TooManyRequests()
        self._held[client] += 1
        try:
            waited = Deferred.fromCoroutine(self._sleep(seconds))
            await self._outstanding.add(waited, waited.cancel)
        finally:
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]
        return send_json(request, Waited(seconds))

    async def _sleep(self, seconds: int) -> None:
        with await self._places.take() as place:
            child = run(self._reactor, Command(self._executable, (str(seconds),), {}))
            place.hold_until(self._outstanding.add(child.ended))
            outcome = await child.answered
        if outcome.status != 0:
            raise SleepFailed(f"sleep ended with {outcome}")


def _seconds(request: IRequest) -> int:
    given = request.args.get(b"seconds", [b"%d" % _DEFAULT])
    if (
        set(request.args) - {b"seconds"}
        or len(given) != 1
        or not _SECONDS.fullmatch(given[0])
    ):
        raise _wrong_seconds()
    seconds = int(given[0])
    if seconds > _LONGEST:
        raise _wrong_seconds()
    return seconds


def _wrong_seconds() -> BadRequest:
    return BadRequest(
        'This URL takes one query parameter, "seconds", '
        f"a whole number from 0 to {_LONGEST}, such as /wait?seconds=2."
    )
