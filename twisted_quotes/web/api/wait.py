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

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import TooBusy, TooManyRequests
from twisted_quotes.grep.runner import ReactorForProcesses
from twisted_quotes.processes.process import Command, spawn
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import query_string
from twisted_quotes.web.http.responses import render_json

_MAX_SECONDS = 60

_Seconds = Annotated[
    int,
    Meta(
        ge=0,
        le=_MAX_SECONDS,
        description="how long the process blocks",
    ),
]


class SleepFailed(Exception):
    """The blocking process ended otherwise than it should."""


class WaitParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of the URL."""

    seconds: _Seconds = 10


class WaitBody(msgspec.Struct, frozen=True):
    """The body of the answer: how long it was waited for, in seconds."""

    waited: int


class WaitRoute:
    """
    The route that waits.

    @param reactor: starts the processes.
    @param executable: the absolute path of C{sleep}.
    @param limiter: where they run; not those of the searches.
    @param outstanding: is told of each wait and each process.
    @param max_waits_per_client: how many places one client may have while others have
        some.
    """

    def __init__(
        self,
        reactor: ReactorForProcesses,
        executable: str,
        limiter: ConcurrencyLimiter,
        outstanding: Outstanding,
        max_waits_per_client: int,
    ) -> None:
        self._reactor = reactor
        self._executable = executable
        self._limiter = limiter
        self._outstanding = outstanding
        self._max_waits_per_client = max_waits_per_client
        self._active_waits = Counter[str | None]()
        self._contended_until = 0.0

    async def wait(self, request: IRequest) -> bytes:
        """Answer when the process has ended."""
        seconds = parse_parameters(query_string(request), WaitParameters).seconds
        client_key = client_key_for_request(request)
        now = self._reactor.seconds()
        is_contended = len(self._active_waits) > 1 or now < self._contended_until
        if (
            self._active_waits[client_key] >= self._max_waits_per_client
            and is_contended
        ):
            raise TooManyRequests()
        self._active_waits[client_key] += 1
        try:
            finished = Deferred.fromCoroutine(self._sleep(seconds))
            await self._outstanding.add(finished, finished.cancel)
        except TooBusy:
            if len(self._active_waits) > 1:
                # Leave places to others until all that wait now have ended.
                self._contended_until = now + _MAX_SECONDS
            raise
        finally:
            self._active_waits[client_key] -= 1
            if not self._active_waits[client_key]:
                del self._active_waits[client_key]
        return render_json(request, WaitBody(seconds))

    async def _sleep(self, seconds: int) -> None:
        with await self._limiter.acquire() as slot:
            child = spawn(self._reactor, Command(self._executable, (str(seconds),), {}))
            slot.hold_until(self._outstanding.add(child.ended))
            outcome = await child.result
        if outcome.exit_code != 0:
            raise SleepFailed(f"sleep ended with {outcome}")
