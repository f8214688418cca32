"""
C{/wait}: runs a process that blocks, to show that the service does not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from twisted_quotes.concurrency.capacity import Capacity
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.errors import TooBusy, TooManyRequests
from twisted_quotes.processes.process import Command, ReactorForProcesses, spawn
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.request_log import query_string
from twisted_quotes.web.http.responses import render_json

_MAX_SECONDS = 60


class SleepFailed(Exception):
    """The process was killed or failed."""


class WaitParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of the URL."""

    seconds: Annotated[
        int,
        Meta(ge=0, le=_MAX_SECONDS, description="how long the process blocks"),
    ] = 10


class WaitBody(Struct, frozen=True):
    """
    The body of a response.

    @ivar waited: how long the process has blocked, in seconds.
    """

    waited: int


@dataclass
class WaitRoute:
    """
    The route of C{/wait}.

    @ivar executable: the absolute path of C{sleep}.
    @ivar capacity: limits the processes, of all workers together.
    @ivar max_waits_per_client: the maximum number of waits of one client while there
        are waits of other clients.
    """

    reactor: ReactorForProcesses
    executable: str
    capacity: Capacity
    outstanding: Outstanding
    max_waits_per_client: int
    _active_waits: Counter[str | None] = field(default_factory=Counter, init=False)
    _contended_until: float = field(default=0.0, init=False)

    async def wait(self, request: IRequest) -> bytes:
        """Respond when the process has ended."""
        seconds = parse_parameters(query_string(request), WaitParameters).seconds
        client_key = client_key_for_request(request)
        now = self.reactor.seconds()
        is_contended = len(self._active_waits) > 1 or now < self._contended_until
        waits_of_client = self._active_waits[client_key]
        if is_contended and waits_of_client >= self.max_waits_per_client:
            raise TooManyRequests()
        self._active_waits[client_key] += 1
        try:
            finished = Deferred.fromCoroutine(self._sleep(seconds))
            await self.outstanding.add(finished, cancellable=True)
        except TooBusy:
            if len(self._active_waits) > 1:
                # Leave slots to other clients until all current waits have ended.
                self._contended_until = now + _MAX_SECONDS
            raise
        finally:
            # This also deletes the count when it is zero.
            self._active_waits -= Counter([client_key])
        return render_json(request, WaitBody(seconds))

    async def _sleep(self, seconds: int) -> None:
        if not self.capacity.try_acquire():
            raise TooBusy()
        try:
            child = spawn(self.reactor, Command(self.executable, (str(seconds),), {}))
        except BaseException:
            self.capacity.release()
            raise
        child.ended.addCallback(lambda _: self.capacity.release())
        self.outstanding.add(child.ended)
        outcome = await child.result
        if outcome.exit_code != 0:
            raise SleepFailed(f"sleep ended with {outcome}")
