"""
The supervisor, put together from the options.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from twisted.application.service import IService

from twisted_quotes import startup
from twisted_quotes.concurrency.shared_counters import ROWS_EACH, Scoreboard
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.orphans import Reaper
from twisted_quotes.processes.signals import has_terminal, on_signals
from twisted_quotes.startup import CannotStart

from .inherited_fds import Inheritance
from .supervisor import Supervisor
from .supervisor_sockets import Listeners
from .worker_process import Starter


def supervised_service(
    reactor: Any,
    options: Mapping[str, Any],
    command_line: Sequence[str],
    environment: Mapping[str, str],
) -> IService:
    """
    Put together what looks after the workers.

    @param reactor: starts processes, tells time, listens.
    @param options: as L{QuotesOptions} leaves them.
    @param command_line: starts this program, with C{environment}.
    @raise CannotStart: something that the options name cannot be used.
    """
    connections = _check(options)
    listeners = Listeners(startup.endpoints(reactor, options["listen"]))
    scoreboard = Scoreboard.make(ROWS_EACH * options["workers"])
    starter = Starter(
        reactor=reactor,
        command_line=command_line,
        environment=environment,
        scoreboard=scoreboard.descriptor,
        listeners=lambda: listeners.descriptors,
        inheritance=partial(_inheritance, options, scoreboard.rows, connections),
    )
    return Supervisor(
        reactor=reactor,
        count=options["workers"],
        listeners=listeners,
        start_worker=starter.start,
        scoreboard=scoreboard,
        drain_delay=options["drain-delay"],
        drain_timeout=options["drain-timeout"],
        on_signal=on_signals(reactor),
        reaper=Reaper(reactor),
        systemd=startup.systemd(reactor),
        metrics=Metrics(),
        give_up=lambda reason: _give_up(reactor, reason),
        hangup_ends=has_terminal(),
    )


def _inheritance(
    options: Mapping[str, Any], rows: int, connections: int, row: int, share: int
) -> Inheritance:
    return Inheritance(
        row=row,
        rows=rows,
        share=share,
        shares=options["workers"],
        connections=connections,
        listeners=len(options["listen"]),
        from_systemd=options.get("from_systemd", ()),
    )


def _check(options: Mapping[str, Any]) -> int:
    """
    Refuse what no worker could use.

    @param options: those of the program.
    @return: how many connections all workers together may have.
    @raise CannotStart: something that they name cannot be used.
    """
    startup.library(options["dictionaries"], options["default-dictionary"])
    for program in ("grep", "sleep"):
        startup.executable(program)
    startup.writable(options["access-log"])
    startup.portal(options)
    return startup.allowance(options).connections


def _give_up(reactor: Any, reason: str) -> None:
    """
    End the program, and say why on standard error.

    @param reactor: is stopped.
    """
    print(CannotStart(reason), file=sys.__stderr__, flush=True)
    # The reactor lets no exception through that would end the program so.
    reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
    reactor.stop()
