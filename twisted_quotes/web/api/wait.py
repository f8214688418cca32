"""
C{/wait}: an external process that blocks, to see what goes on meanwhile.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from twisted_quotes.concurrency.limiter import Places
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import TooBusy, TooManyRequests
from twisted_quotes.grep.runner import ReactorForProcesses
from twisted_quotes.processes.process import Command, run
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.web.http.clients import client_asking
from twisted_quotes.web.http.request_log import query_of
from twisted_quotes.web.http.responses import send_json

_MAX_SECONDS = 60

_Seconds = Annotated[
    int,
    Meta(
        ge=0,
        le=_MAX_SECONDS,
        description="how long the process blocks",
        extra={"allowed": "a whole number from 0 to 60"},
    ),
]


class SleepFailed(Exception):
    """The blocking process ended otherwise than it should."""


class Wait(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of the URL."""

    seconds: _Seconds = 10


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
        reactor: ReactorForProcesses,
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
        self._others_ask_until = 0.0

    async def wait(self, request: IRequest) -> bytes:
        """Answer when the process has ended."""
        seconds = parse_parameters(query_of(request), Wait).seconds
        client = client_asking(request)
        now = self._reactor.seconds()
        others_ask = len(self._held) > 1 or now < self._others_ask_until
        if self._held[client] >= self._share and others_ask:
            raise TooManyRequests()
        self._held[client] += 1
        try:
            waited = Deferred.fromCoroutine(self._sleep(seconds))
            await self._outstanding.add(waited, waited.cancel)
        except TooBusy:
            if len(self._held) > 1:
                # Leave places to others until all that wait now have ended.
                self._others_ask_until = now + _MAX_SECONDS
            raise
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
