"""
What C{twist quotes} runs: the options, and the service put together from them.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import time
from typing import Any

from twisted.application.service import IService
from twisted.python.usage import UsageError

from . import startup
from .cache import Cache
from .descriptors import close_in_children, inheritable
from .finder import Finder, make_finder
from .greps import GrepRunner
from .indexes import Indexes
from .library import Library
from .metrics import Metrics
from .options import QuotesOptions
from .orphans import Reaper
from .outstanding import Outstanding
from .places import Places
from .readiness import Readiness
from .restraint import restrain
from .sharing import SharedAnswers
from .signals import on_shutdown_signal
from .startup import CannotStart
from .threads import Threads

MOST_WAITS = 1000
"""How many C{/wait} may block at one time (contract, section 1)."""


MOST_THREADS = 4
"""How many threads read and write files."""


class Options(QuotesOptions):
    """The options, with C{twist}'s page of help left out of their errors."""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse the command line.

        @raise CannotStart: it is wrong.
        """
        try:
            super().parseOptions(options)
        except UsageError as error:
            raise CannotStart(f"{error} (see twist quotes --help)") from None


def makeService(options: Mapping[str, Any]) -> IService:
    """
    Make the service, on the reactor that C{twist} has chosen by now.

    @raise CannotStart: something that the options name cannot be used.
    """
    from twisted.internet import reactor

    close_in_children(inheritable())
    # What is there by then stays, and need not be looked at again and again.
    reactor.callWhenRunning(gc.freeze)
    return quotes_service(reactor, options)


def quotes_service(reactor: Any, options: Mapping[str, Any]) -> IService:
    """
    Put the service together. Everything is made here, and handed down.

    @param reactor: starts processes, tells time, listens.
    @param options: as L{QuotesOptions} leaves them.
    @raise CannotStart: something that the options name cannot be used.
    """
    # Importing Klein installs a reactor, so that must wait until one is chosen.
    from .service import QuotesService
    from .web.patience import Limits
    from .web.site import QuotesSite

    library = startup.library(options["dictionaries"], options["default-dictionary"])
    runner = _runner(reactor, options)
    finder = _finder(reactor, options, library, runner)
    readiness = Readiness(library, runner.executable)
    site = QuotesSite(
        reactor,
        _resource(reactor, options, runner, finder, readiness),
        runner.outstanding,
        startup.connections(options),
        Limits(*(options[f"{part}-timeout"] for part in ("request", "send", "idle"))),
        runner.metrics,
        startup.writable(options["access-log"]),
    )
    return QuotesService(
        reactor,
        site,
        [(each, startup.endpoint(reactor, each)) for each in options["listen"]],
        runner.outstanding,
        *(options["drain-delay"], options["drain-timeout"]),
        lambda call: on_shutdown_signal(lambda: reactor.callFromThread(call)),
        _clear_up(reactor, finder),
        readiness,
        startup.systemd(reactor),
    )


def _runner(reactor: Any, options: Mapping[str, Any]) -> GrepRunner:
    outstanding, metrics = Outstanding(), Metrics()
    places = Places(startup.running(options), options["max-waiting"])
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
    return make_finder(
        *(runner, library, indexes, in_thread, time),
        together=startup.cores() if options["search-together"] else 0,
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
    runner: GrepRunner,
    finder: Finder,
    readiness: Readiness,
) -> Any:
    """All URLs, with what they need besides the finder."""
    from .web.probes import Probes
    from .web.root import root_resource
    from .web.waits import Waits

    metrics = runner.metrics
    places = Places(MOST_WAITS, 0)
    metrics.watch("waits", "Calls of /wait that block.", lambda: places.taken)
    sleep = startup.executable("sleep")
    return root_resource(
        finder,
        Waits(reactor, sleep, places, runner.outstanding),
        Probes(readiness, metrics),
        SharedAnswers(options["cache-bytes"], metrics),
        startup.portal(options),
    )
