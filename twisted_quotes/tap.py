"""
What C{twist quotes} runs: the options, and the service put together from them.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.service import IService
from twisted.logger import jsonFileLogObserver
from twisted.python.usage import UsageError

from . import startup
from .cache import Cache
from .descriptors import close_in_children, inheritable
from .finder import Finder, make_finder
from .greps import GrepRunner
from .indexes import Indexes
from .json_log import json_observer
from .library import Library
from .metrics import Metrics
from .options import QuotesOptions
from .orphans import Reaper
from .outstanding import Outstanding
from .places import Places
from .readiness import Readiness
from .restraint import restrain
from .sharing import SharedAnswers
from .signals import OnSignal, has_terminal, on_signals, on_sigterm
from .startup import CannotStart
from .threads import Threads
from .workers.inheritance import CONTROL, SCOREBOARD, SOCKETS, Inheritance, inherit
from .workers.part import Part, inherited, whole, with_sockets
from .workers.scoreboard import Scoreboard
from .workers.start import supervised_service

if TYPE_CHECKING:
    from .service import QuotesService

Made = TypeVar("Made", bound="QuotesService")

_LOG = "fileLogObserverFactory"

MOST_THREADS = 4
"""How many threads read and write files."""


class Options(QuotesOptions):
    """
    The options, with C{twist}'s page of help left out of their errors, and its JSON
    log replaced with a flat one.
    """

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse the command line.

        @raise CannotStart: it is wrong.
        """
        try:
            super().parseOptions(options)
        except UsageError as error:
            raise CannotStart(f"{error} (see twist quotes --help)") from None
        # C{twist} reads it when it starts to log, after all options are parsed.
        twist = self.parent
        if twist is not None and twist.get(_LOG) is jsonFileLogObserver:
            twist[_LOG] = json_observer


def makeService(options: Mapping[str, Any]) -> IService:
    """
    Make the service, on the reactor that C{twist} has chosen by now.

    @raise CannotStart: something that the options name cannot be used.
    """
    from twisted.internet import reactor

    inheritance = inherit(os.environ)
    options = with_sockets(options, inheritance)
    close_in_children(inheritable(), given=SOCKETS + len(options["listen"]))
    # What is there by then stays, and need not be looked at again and again.
    reactor.callWhenRunning(gc.collect)
    reactor.callWhenRunning(gc.freeze)
    if inheritance is None and options["workers"] > 1:
        return supervised_service(
            reactor, options, [sys.executable, *sys.orig_argv[1:]], os.environ
        )
    if inheritance is None:
        return quotes_service(reactor, options)
    return worker_service(reactor, options, inheritance)


def quotes_service(reactor: Any, options: Mapping[str, Any]) -> IService:
    """
    Put the service together, for the only process.

    @param reactor: starts processes, tells time, listens.
    @param options: as L{QuotesOptions} leaves them.
    @raise CannotStart: something that the options name cannot be used.
    """
    # Importing Klein installs a reactor, so that must wait until one is chosen.
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
    from .workers.service import Link, WorkerService

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
    from .web.patience import Limits
    from .web.site import QuotesSite

    library = startup.library(options["dictionaries"], options["default-dictionary"])
    runner = _runner(reactor, options, part, metrics)
    finder = _finder(reactor, options, library, runner)
    readiness = Readiness(library, runner.executable)
    site = QuotesSite(
        reactor,
        _resource(reactor, options, part, runner, finder, readiness),
        runner.outstanding,
        part.room,
        Limits(*(options[f"{each}-timeout"] for each in ("request", "send", "idle"))),
        metrics,
        startup.writable(options["access-log"]),
    )
    return kind(
        reactor=reactor,
        site=site,
        endpoints=part.endpoints,
        outstanding=runner.outstanding,
        drain_delay=options["drain-delay"],
        drain_timeout=options["drain-timeout"],
        on_signal=on_signal,
        when_closed=finder.spares.stop,
        clear_up=_clear_up(reactor, finder),
        readiness=readiness,
        systemd=startup.systemd(reactor),
        hangup_ends=has_terminal(),
    )


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
    in_thread = Threads(reactor, reactor.getThreadPool(), MOST_THREADS)
    indexes = Indexes(reactor, in_thread, cache, options["max-waiting"])
    watch = runner.metrics.watch
    watch("dictionaries", "Dictionaries served.", lambda: len(library.names()))
    watch("indexes_building", "Indexes being made.", lambda: indexes.building)
    # The cores are shared out, too.
    cores = max(1, startup.cores() // options["workers"])
    return make_finder(
        *(runner, library, indexes, in_thread, time),
        together=cores if options["search-together"] else 0,
    )


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
    from .web.probes import Probes
    from .web.root import root_resource
    from .web.waits import Waits

    metrics = runner.metrics
    metrics.watch("waits", "Calls of /wait that block.", lambda: part.waits.taken)
    sleep = startup.executable("sleep")
    return root_resource(
        finder,
        Waits(reactor, sleep, part.waits, runner.outstanding),
        Probes(readiness, metrics, part.everywhere),
        SharedAnswers(part.cache_bytes, metrics),
        startup.portal(options),
    )
