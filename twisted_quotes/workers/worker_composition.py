"""
The composition of a worker from the options.

This module imports Klein, which installs a reactor. Import it after C{twist} has
installed one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.application.service import IService

from twisted_quotes.concurrency.shared_counters import (
    SharedCapacity,
    SharedCounters,
)
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.signals import subscribe_to_signals
from twisted_quotes.service import startup
from twisted_quotes.service.composition import Composition
from twisted_quotes.service.resource_share import ResourceShare, make_share

from .inherited_fds import SHARED_COUNTERS_FD, WorkerConfiguration
from .worker_service import SupervisorConnection, WorkerService
from .worker_sockets import AdoptingReactor


def worker_service(
    reactor: Any, options: Mapping[str, Any], configuration: WorkerConfiguration
) -> IService:
    """Make the service of a worker, like L{quotes_service}."""
    metrics = Metrics()
    supervisor = SupervisorConnection(reactor, metrics)
    shared_counters = SharedCounters(SHARED_COUNTERS_FD)
    share = worker_share(reactor, options, configuration, shared_counters)
    connections: Any = share.connection_capacity
    collect_all_metrics = supervisor.collect_all_metrics
    composition = Composition(reactor, options, share, metrics, collect_all_metrics)
    return WorkerService(
        **composition.service_arguments(),
        on_signal=partial(subscribe_to_signals, reactor, in_worker=True),
        supervisor=supervisor,
        connections=connections,
    )


def worker_share(
    reactor: Any,
    options: Mapping[str, Any],
    configuration: WorkerConfiguration,
    shared_counters: SharedCounters,
) -> ResourceShare:
    """Return the share of a worker, or raise L{CannotStart}."""
    return make_share(
        options,
        configuration.share_of,
        lambda limit, column: SharedCapacity(
            limit, shared_counters, configuration.row, column
        ),
        [
            (each, startup.endpoint(AdoptingReactor(reactor, descriptor), each))
            for each, descriptor in zip(
                options["listen"], configuration.listener_fds, strict=True
            )
        ],
    )
