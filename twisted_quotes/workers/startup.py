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
from twisted_quotes.concurrency.shared_counters import ROWS_PER_WORKER, SharedCounters
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.orphans import Reaper
from twisted_quotes.processes.signals import (
    has_controlling_terminal,
    subscribe_to_signals,
)
from twisted_quotes.startup import CannotStart

from .inherited_fds import WorkerConfiguration
from .supervisor import Supervisor
from .supervisor_sockets import Listeners
from .worker_process import WorkerStarter


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
    max_connections = _check_options(options)
    listeners = Listeners(startup.endpoints(reactor, options["listen"]))
    shared_counters = SharedCounters.create(ROWS_PER_WORKER * options["workers"])
    starter = WorkerStarter(
        reactor=reactor,
        command_line=command_line,
        environment=environment,
        shared_counters_fd=shared_counters.descriptor,
        listener_fds=lambda: listeners.descriptors,
        worker_configuration=partial(
            _worker_configuration, options, shared_counters.rows, max_connections
        ),
    )
    return Supervisor(
        reactor=reactor,
        count=options["workers"],
        listeners=listeners,
        start_worker=starter.start,
        shared_counters=shared_counters,
        drain_delay=options["drain-delay"],
        drain_timeout=options["drain-timeout"],
        on_signal=partial(subscribe_to_signals, reactor),
        reaper=Reaper(reactor),
        systemd_notifier=startup.systemd_notifier(reactor),
        metrics=Metrics(),
        exit_with_error=lambda reason: _exit_with_error(reactor, reason),
        stops_on_hangup=has_controlling_terminal(),
    )


def _worker_configuration(
    options: Mapping[str, Any], rows: int, max_connections: int, row: int, share: int
) -> WorkerConfiguration:
    return WorkerConfiguration(
        row=row,
        rows=rows,
        share=share,
        shares=options["workers"],
        connections=max_connections,
        listeners=len(options["listen"]),
        from_systemd=options.get("from_systemd", ()),
    )


def _check_options(options: Mapping[str, Any]) -> int:
    """
    Refuse what no worker could use.

    @param options: those of the program.
    @return: how many connections all workers together may have.
    @raise CannotStart: something that they name cannot be used.
    """
    startup.library(options["dictionaries"], options["default-dictionary"])
    for program in ("grep", "sleep"):
        startup.find_executable(program)
    startup.check_writable(options["access-log"])
    startup.portal(options)
    return startup.allowance(options).max_connections


def _exit_with_error(reactor: Any, reason: str) -> None:
    """
    End the program, and say why on standard error.

    @param reactor: is stopped.
    """
    print(CannotStart(reason), file=sys.__stderr__, flush=True)
    # The reactor lets no exception through that would end the program so.
    reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
    reactor.stop()
