"""
The composition of the supervisor from the options.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from twisted.application.service import IService

from twisted_quotes.concurrency.shared_counters import ROWS_PER_WORKER, SharedCounters
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.reaper import Reaper
from twisted_quotes.processes.signals import (
    has_controlling_terminal,
    subscribe_to_signals,
)
from twisted_quotes.service import startup

from .inherited_fds import WorkerConfiguration
from .pool import WorkerPool
from .supervisor import GRACE_PERIOD, Supervisor
from .worker_process import WorkerStarter


def supervised_service(
    reactor: Any,
    options: Mapping[str, Any],
    command_line: Sequence[str],
    environment: Mapping[str, str],
) -> IService:
    """
    Make the supervisor.

    @param options: the options, as L{QuotesOptions} parses them.
    @param command_line: the command line that starts this program, with C{environment}.
    @raise CannotStart: what an option names cannot be used.
    """
    _check_options(options)
    endpoints = startup.endpoints(reactor, options["listen"])
    pool = _make_pool(reactor, options, command_line, environment)
    return Supervisor(
        reactor=reactor,
        endpoints=endpoints,
        pool=pool,
        outstanding=pool.outstanding,
        drain_delay=options["drain-delay"],
        drain_timeout=options["drain-timeout"],
        on_signal=partial(subscribe_to_signals, reactor),
        reaper=Reaper(reactor),
        systemd_notifier=startup.systemd_notifier(reactor),
        exit_with_error=partial(_exit_with_error, reactor),
        stops_on_hangup=has_controlling_terminal(),
    )


def _make_pool(
    reactor: Any,
    options: Mapping[str, Any],
    command_line: Sequence[str],
    environment: Mapping[str, str],
) -> WorkerPool:
    shared_counters = SharedCounters.create(ROWS_PER_WORKER * options["workers"])
    configuration = WorkerConfiguration(
        row=0,
        share=0,
        shares=options["workers"],
        listeners=len(options["listen"]),
        from_systemd=options.get("from_systemd", ()),
    )
    return WorkerPool(
        reactor,
        options["workers"],
        WorkerStarter(
            *(reactor, command_line, environment, shared_counters.descriptor),
            configuration,
        ),
        shared_counters,
        options["drain-timeout"] + GRACE_PERIOD,
        Metrics(),
    )


def _check_options(options: Mapping[str, Any]) -> None:
    """Fail the start for what every worker would fail for."""
    startup.library(options["dictionaries"], options["default-dictionary"])
    for program in ("grep", "sleep"):
        startup.find_executable(program)
    startup.check_writable(options["access-log"])
    startup.warn_of_plain_passwords(options)
    # Workers inherit the limit that this raises.
    startup.descriptor_budget(options)


def _exit_with_error(reactor: Any, reason: str) -> None:
    """Stop the reactor, and exit with a reason on standard error and status 1."""
    print(startup.CannotStart(reason), file=sys.__stderr__, flush=True)
    # The reactor handles all exceptions, so that none can set the status.
    reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
    reactor.stop()
