"""
The service, put together from the options.

Importing Klein installs a reactor, so everything that imports it is imported when a
service is made: by then one is chosen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.service import IService
from twisted.internet.defer import succeed

from twisted_quotes.concurrency.limiter import Places
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.shared_counters import Scoreboard
from twisted_quotes.concurrency.threads import Threads
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.library.index_cache import Cache
from twisted_quotes.library.indexes import Indexes
from twisted_quotes.library.library import Library
from twisted_quotes.library.readiness import Readiness
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.orphans import Reaper
from twisted_quotes.processes.resource_limits import restrain
from twisted_quotes.processes.signals import (
    OnSignal,
    has_terminal,
    on_signals,
    on_sigterm,
)
from twisted_quotes.search.finder import Finder, make_finder
from twisted_quotes.workers.inherited_fds import CONTROL, SCOREBOARD, Inheritance
from twisted_quotes.workers.resource_share import Part, inherited, whole

from . import startup

if TYPE_CHECKING:
    from twisted_quotes.web.server.site import QuotesSite

    from .service import QuotesService

Made = TypeVar("Made", bound="QuotesService")

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

    part = whole(reactor, options)
    return _service(
        QuotesService, reactor, options, part, Metrics(), on_signals(reactor)
    )


def worker_service(
    reactor: Any, options: Mapping[str, Any], inheritance: Inheritance
) -> IService:
    """
    Put the service together, for a worker.

    @param reactor: starts processes, tells time, listens.
    @param options: as L{QuotesOptions} leaves them.
    @param inheritance: what it has from the supervisor.
    @raise CannotStart: something that the options name cannot be used.
    """
    from twisted_quotes.workers.worker_service import Link, WorkerService

    metrics = Metrics()
    link = Link(reactor, CONTROL, metrics)
    scoreboard = Scoreboard(SCOREBOARD, inheritance.rows)
    part = inherited(reactor, options, inheritance, scoreboard, link.total)
    service = _service(
        WorkerService, reactor, options, part, metrics, on_sigterm(reactor)
    )
    service.work_for(link, scoreboard, inheritance.row)
    return service


def _service(
    kind: type[Made],
    reactor: Any,
    options: Mapping[str, Any],
    part: Part,
    metrics: Metrics,
    on_signal: OnSignal,
) -> Made:
    """A service. Everything that it needs is made here, and handed down."""
    library = startup.library(options["dictionaries"], options["default-dictionary"])
    runner = _runner(reactor, options, part, metrics)
    finder = _finder(reactor, options, library, runner)
    readiness = Readiness(library, runner.executable)
    resource = _resource(reactor, options, part, runner, finder, readiness)
    return kind(
        reactor=reactor,
        site=_site(reactor, options, part, runner, resource),
        endpoints=part.endpoints,
        outstanding=runner.outstanding,
        drain_delay=options["drain-delay"],
        drain_timeout=options["drain-timeout"],
        on_signal=on_signal,
        when_closed=finder.spares.stop,
        clear_up=_clear_up(reactor, finder),
        readiness=readiness,
        systemd=startup.systemd(reactor),
        host_names=options["host"],
        hangup_ends=has_terminal(),
    )


def _site(
    reactor: Any,
    options: Mapping[str, Any],
    part: Part,
    runner: GrepRunner,
    resource: Any,
) -> QuotesSite:
    from twisted_quotes.web.limits.connections import ConnectionLimit
    from twisted_quotes.web.limits.output import OutputLimits
    from twisted_quotes.web.server.site import QuotesSite
    from twisted_quotes.web.server.timeouts import Limits

    site = QuotesSite(
        reactor,
        resource,
        runner.outstanding,
        ConnectionLimit(part.room, part.allowance.refused),
        Limits(*(options[f"{each}-timeout"] for each in ("request", "send", "idle"))),
        OutputLimits(part.max_unsent, part.allowance.streams),
        runner.metrics,
        startup.writable(options["access-log"]),
    )
    site.logs_debug = options["log-debug"]
    return site


def _runner(
    reactor: Any, options: Mapping[str, Any], part: Part, metrics: Metrics
) -> GrepRunner:
    outstanding = Outstanding()
    places = Places(part.running, part.waiting)
    for name, meaning, value in (
        ("places_taken", "Places of searches taken.", lambda: places.taken),
        ("searches_waiting", "Searches that wait for a place.", lambda: places.queue),
        ("outstanding", "All that a shutdown would wait for.", outstanding.__len__),
        ("timers", "Calls that are due later.", lambda: len(reactor.getDelayedCalls())),
    ):
        metrics.watch(name, meaning, value)
    return GrepRunner(
        reactor,
        startup.executable("grep"),
        places,
        options["timeout"],
        outstanding,
        restrain,
        metrics,
    )


def _finder(
    reactor: Any, options: Mapping[str, Any], library: Library, runner: GrepRunner
) -> Finder:
    cache = Cache(options["cache-dir"] or startup.cache_folder())
    in_thread = Threads(reactor, reactor.getThreadPool(), MAX_THREADS)
    indexes = Indexes(reactor, in_thread, cache, options["max-waiting"])
    watch = runner.metrics.watch
    watch("dictionaries", "Dictionaries served.", _counted(library, in_thread))
    watch("indexes_building", "Indexes being made.", lambda: indexes.building)
    # The cores are shared out, too.
    cores = max(1, startup.cores() // options["workers"])
    return make_finder(
        *(runner, library, indexes, in_thread, time),
        together=cores if options["search-together"] else 0,
    )


def _counted(library: Library, in_thread: Threads) -> Callable[[], int]:
    """What tells how many dictionaries there were when it was asked last."""

    looking = succeed(None)

    def count() -> int:
        nonlocal looking
        # To look takes a while where there are many.
        if looking.called:
            looking = in_thread(library.names)
            looking.addErrback(lambda failure: failure.trap(OSError))
        return library.count

    return count


def _clear_up(reactor: Any, finder: Finder) -> Callable[[], Awaitable[None]]:
    """Start what outlives a service that is killed, and end it where all is over."""
    reaper = Reaper(reactor)
    reactor.callWhenRunning(reaper.start)

    async def clear_up() -> None:
        await finder.indexes.stop()
        await reaper.stop()

    return clear_up


def _resource(
    reactor: Any,
    options: Mapping[str, Any],
    part: Part,
    runner: GrepRunner,
    finder: Finder,
    readiness: Readiness,
) -> Any:
    """All URLs, with what they need besides the finder."""
    from twisted_quotes.web.api.health import Probes
    from twisted_quotes.web.api.response_cache import SharedAnswers
    from twisted_quotes.web.api.routes import root_resource
    from twisted_quotes.web.api.wait import Waits

    metrics = runner.metrics
    metrics.watch("waits", "Calls of /wait that block.", lambda: part.waits.taken)
    sleep = startup.executable("sleep")
    return root_resource(
        finder,
        Waits(reactor, sleep, part.waits, runner.outstanding, part.waits_share),
        Probes(reactor, readiness, metrics, part.everywhere),
        SharedAnswers(part.cache_bytes, metrics),
        startup.portal(options),
    )
