"""
What a process has of the limits and the listening sockets: all, or a part.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamServerEndpoint

from twisted_quotes import startup
from twisted_quotes.concurrency.capacity import Room
from twisted_quotes.concurrency.limiter import ANYBODY, Claim, Place, Places
from twisted_quotes.concurrency.shared_counters import Column, Scoreboard, SharedRoom
from twisted_quotes.errors import TooBusy
from twisted_quotes.listening.socket_activation import (
    FIRST_SOCKET,
    handed_over,
    initial_environment,
)
from twisted_quotes.monitoring.metrics import Family
from twisted_quotes.processes.descriptors import Allowance

from .inherited_fds import Inheritance
from .worker_sockets import AdoptingReactor, know_systemd, stand_ins


@dataclass(frozen=True)
class Part:
    """
    What a process has.

    Places for searches, those who may wait for one, and the bytes of answers
    that are kept are shared out. Connections and C{/wait} are not: there is room
    for any of them as long as all workers together have fewer than may be.

    @ivar running: how many greps it may run at one time.
    @ivar waiting: how many searches may wait for a place.
    @ivar cache_bytes: how many bytes of answers it may keep.
    @ivar room: room for connections.
    @ivar waits: places for C{/wait}.
    @ivar waits_share: how many of them one client may have while others have some.
    @ivar max_unsent: how many bytes of answers clients may have yet to read.
    @ivar allowance: what may be open in this process.
    @ivar endpoints: where to listen, each with its description.
    @ivar everywhere: collects the metrics of all workers; L{None} where this is
        the only process.
    """

    running: int
    waiting: int
    cache_bytes: int
    room: Room
    waits: Places
    waits_share: int
    max_unsent: int
    allowance: Allowance
    endpoints: list[tuple[str, IStreamServerEndpoint]]
    everywhere: Callable[[], Awaitable[Sequence[Family]]] | None = None


def with_sockets(
    options: Mapping[str, Any], inheritance: Inheritance | None
) -> Mapping[str, Any]:
    """
    The options, with the sockets of systemd named by their indexes.

    @raise CannotStart: one is named that was not handed over.
    """
    if inheritance is not None:
        sockets = inheritance.from_systemd
        return {**options, "listen": startup.listen(options["listen"], sockets)}
    sockets = handed_over(initial_environment(), os.getpid())
    know_systemd(range(FIRST_SOCKET, FIRST_SOCKET + len(sockets)))
    listen = startup.listen(options["listen"], sockets)
    startup.tell_unused(listen, sockets)
    return {**options, "listen": listen, "from_systemd": sockets}


def whole(reactor: Any, options: Mapping[str, Any]) -> Part:
    """
    All that the options say, for the only process.

    @raise CannotStart: there is not so much, or an endpoint is none.
    """
    allowance = startup.allowance(options)
    return Part(
        startup.running(options),
        options["max-waiting"],
        options["cache-bytes"],
        Room(allowance.connections),
        Places(allowance.waits, 0),
        allowance.waits // 2,
        options["max-unsent-bytes"],
        allowance,
        startup.endpoints(reactor, options["listen"]),
    )


def inherited(
    reactor: Any,
    options: Mapping[str, Any],
    inheritance: Inheritance,
    scoreboard: Scoreboard,
    everywhere: Callable[[], Awaitable[Sequence[Family]]],
) -> Part:
    """
    The part of a worker.

    @param inheritance: tells which.
    @param scoreboard: tells what the others have.
    @param everywhere: collects the metrics of all workers.
    """
    allowance = startup.allowance(options)
    know_systemd(stand_ins(len(inheritance.from_systemd)))

    def room(most: int, column: Column) -> SharedRoom:
        return SharedRoom(most, scoreboard, inheritance.row, column)

    return Part(
        inheritance.part_of(startup.running(options)),
        inheritance.part_of(options["max-waiting"]),
        inheritance.part_of(options["cache-bytes"]),
        room(inheritance.connections, Column.CONNECTIONS),
        SharedPlaces(room(allowance.waits, Column.WAITS)),
        inheritance.part_of(allowance.waits) // 2,
        inheritance.part_of(options["max-unsent-bytes"]),
        allowance,
        [
            (each, startup.endpoint(AdoptingReactor(reactor, socket), each))
            for each, socket in zip(options["listen"], inheritance.sockets, strict=True)
        ],
        everywhere,
    )


class SharedPlaces(Places):
    """
    Places of which all workers together have so many; nobody waits for one.

    @param room: has how many are taken.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room.most, 0)
        self._room = room

    def take(self, claim: Claim = ANYBODY) -> Deferred[Place]:
        """
        Take a place.

        @return: fires with the place; or fails with L{TooBusy} where all are taken.
        """
        if not self._room.enter():
            return fail(TooBusy())
        return super().take(claim)

    def _give_back(self, claim: Claim) -> None:
        self._room.leave()
        super()._give_back(claim)
