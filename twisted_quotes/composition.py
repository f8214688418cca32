"""
The service, put together from the options.

Importing Klein installs a reactor, so everything that imports it is imported when a
service is made: by then one is chosen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import time
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.service import IService
from twisted.internet.defer import succeed

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.shared_counters import SharedCounters
from twisted_quotes.concurrency.threads import ThreadRunner
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.library.index_cache import IndexCache
from twisted_quotes.library.indexes import Indexes
from twisted_quotes.library.library import Library
from twisted_quotes.library.readiness import Readiness
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.orphans import Reaper
from twisted_quotes.processes.resource_limits import apply_limits
from twisted_quotes.processes.signals import (
    SignalSubscriber,
    has_controlling_terminal,
    subscribe_to_signals,
)
from twisted_quotes.search.finder import Finder, make_finder
from twisted_quotes.workers.inherited_fds import (
    CONTROL_FD,
    SHARED_COUNTERS_FD,
    WorkerConfiguration,
)
from twisted_quotes.workers.resource_share import (
    ResourceShare,
    total_share,
    worker_share,
)

from . import startup

if TYPE_CHECKING:
    from twisted_quotes.web.server.site import QuotesSite

    from .service import QuotesService

ServiceType = TypeVar("ServiceType", bound="QuotesService")

MAX_THREADS = 4
"""How many threads read and write files."""


def quotes_service(reactor: Any, options: Mapping[str, Any]) -> IService:
    """
    Put the service together, for the only process.

    @param reactor: starts processes, tells time, listens.
    @param options: as L{QuotesOptions} leaves them.
    @raise CannotStart: something that the options name cannot be used.
    """
    from .service import QuotesService

    resource_share = total_share(reactor, options)
    return _service(
        QuotesService,
        reactor,
        options,
        resource_share,
        Metrics(),
        partial(subscribe_to_signals, reactor),
    )


def worker_service(
    reactor: Any, options: Mapping[str, Any], worker_configuration: WorkerConfiguration
) -> IService:
    """
    Put the service together, for a worker.

    @param reactor: starts processes, tells time, listens.
    @param options: as L{QuotesOptions} leaves them.
    @param worker_configuration: what it has from the supervisor.
    @raise CannotStart: something that the options name cannot be used.
    """
    from twisted_quotes.workers.worker_service import (
        SupervisorConnection,
        WorkerService,
    )

    metrics = Metrics()
    supervisor_connection = SupervisorConnection(reactor, CONTROL_FD, metrics)
    shared_counters = SharedCounters(SHARED_COUNTERS_FD, worker_configuration.rows)
    resource_share = worker_share(
        reactor,
        options,
        worker_configuration,
        shared_counters,
        supervisor_connection.collect_all_metrics,
    )
    service = _service(
        WorkerService,
        reactor,
        options,
        resource_share,
        metrics,
        partial(subscribe_to_signals, reactor, in_worker=True),
    )
    service.attach_to_supervisor(
        supervisor_connection, shared_counters, worker_configuration.row
    )
    return service


def _service(
    service_class: type[ServiceType],
    reactor: Any,
    options: Mapping[str, Any],
    resource_share: ResourceShare,
    metrics: Metrics,
    on_signal: SignalSubscriber,
) -> ServiceType:
    """A service. Everything that it needs is made here, and handed down."""
    library = startup.library(options["dictionaries"], options["default-dictionary"])
    runner = _runner(reactor, options, resource_share, metrics)
    finder = _finder(reactor, options, library, runner)
    readiness = Readiness(library, runner.executable)
    resource = _resource(reactor, options, resource_share, runner, finder, readiness)
    return service_class(
        reactor=reactor,
        site=_site(reactor, options, resource_share, runner, resource),
        endpoints=resource_share.endpoints,
        outstanding=runner.outstanding,
        drain_delay=options["drain-delay"],
        drain_timeout=options["drain-timeout"],
        on_signal=on_signal,
        site_closed=finder.grep_pool.stop,
        clean_up=_make_clean_up(reactor, finder),
        readiness=readiness,
        systemd_notifier=startup.systemd_notifier(reactor),
        host_names=options["host"],
        stops_on_hangup=has_controlling_terminal(),
    )


def _site(
    reactor: Any,
    options: Mapping[str, Any],
    resource_share: ResourceShare,
    runner: GrepRunner,
    resource: Any,
) -> QuotesSite:
    from twisted_quotes.web.limits.connections import ConnectionLimiter
    from twisted_quotes.web.limits.output import OutputLimiter
    from twisted_quotes.web.server.site import QuotesSite
    from twisted_quotes.web.server.timeouts import ConnectionTimeouts

    site = QuotesSite(
        reactor,
        resource,
        runner.outstanding,
        ConnectionLimiter(
            resource_share.connection_capacity, resource_share.allowance.max_refused
        ),
        ConnectionTimeouts(
            *(options[f"{each}-timeout"] for each in ("request", "send", "idle"))
        ),
        OutputLimiter(
            resource_share.max_unsent_bytes, resource_share.allowance.max_streams
        ),
        runner.metrics,
        startup.check_writable(options["access-log"]),
    )
    site.debug_enabled = options["log-debug"]
    return site


def _runner(
    reactor: Any,
    options: Mapping[str, Any],
    resource_share: ResourceShare,
    metrics: Metrics,
) -> GrepRunner:
    outstanding = Outstanding()
    limiter = ConcurrencyLimiter(resource_share.max_running, resource_share.max_waiting)
    for name, description, value in (
        ("places_taken", "Places of searches taken.", lambda: limiter.in_use),
        (
            "searches_waiting",
            "Searches that wait for a place.",
            lambda: limiter.queue_length,
        ),
        ("outstanding", "All that a shutdown would wait for.", outstanding.__len__),
        ("timers", "Calls that are due later.", lambda: len(reactor.getDelayedCalls())),
    ):
        metrics.add_gauge(name, description, value)
    return GrepRunner(
        reactor,
        startup.find_executable("grep"),
        limiter,
        options["timeout"],
        outstanding,
        apply_limits,
        metrics,
    )


def _finder(
    reactor: Any, options: Mapping[str, Any], library: Library, runner: GrepRunner
) -> Finder:
    cache = IndexCache(options["cache-dir"] or startup.cache_folder())
    in_thread = ThreadRunner(reactor, reactor.getThreadPool(), MAX_THREADS)
    indexes = Indexes(reactor, in_thread, cache, options["max-waiting"])
    watch = runner.metrics.add_gauge
    watch(
        "dictionaries", "Dictionaries served.", _dictionary_counter(library, in_thread)
    )
    watch("indexes_building", "Indexes being made.", lambda: indexes.building)
    # The cores are shared out, too.
    cores = max(1, startup.core_count() // options["workers"])
    return make_finder(
        *(runner, library, indexes, in_thread, time),
        batch_threshold=cores if options["search-together"] else 0,
    )


def _dictionary_counter(library: Library, in_thread: ThreadRunner) -> Callable[[], int]:
    """What tells how many dictionaries there were when it was asked last."""

    refresh = succeed(None)

    def count() -> int:
        nonlocal refresh
        # To look takes a while where there are many.
        if refresh.called:
            refresh = in_thread(library.names)
            refresh.addErrback(lambda failure: failure.trap(OSError))
        return library.count

    return count


def _make_clean_up(reactor: Any, finder: Finder) -> Callable[[], Awaitable[None]]:
    """Start what outlives a service that is killed, and end it where all is over."""
    reaper = Reaper(reactor)
    reactor.callWhenRunning(reaper.start)

    async def clean_up() -> None:
        await finder.indexes.stop()
        await reaper.stop()

    return clean_up


def _resource(
    reactor: Any,
    options: Mapping[str, Any],
    resource_share: ResourceShare,
    runner: GrepRunner,
    finder: Finder,
    readiness: Readiness,
) -> Any:
    """All URLs, with what they need besides the finder."""
    from twisted_quotes.web.api.health import Probes
    from twisted_quotes.web.api.response_cache import ResponseCache
    from twisted_quotes.web.api.routes import root_resource
    from twisted_quotes.web.api.wait import WaitRoute

    metrics = runner.metrics
    metrics.add_gauge(
        "waits",
        "Calls of /wait that block.",
        lambda: resource_share.wait_limiter.in_use,
    )
    sleep = startup.find_executable("sleep")
    return root_resource(
        finder,
        WaitRoute(
            reactor,
            sleep,
            resource_share.wait_limiter,
            runner.outstanding,
            resource_share.max_waits_per_client,
        ),
        Probes(reactor, readiness, metrics, resource_share.collect_all_metrics),
        ResponseCache(resource_share.cache_bytes, metrics),
        startup.portal(options),
    )
