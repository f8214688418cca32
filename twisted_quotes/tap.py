"""
What C{twist quotes} runs: the options, and the service put together from them.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from time import time
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import Portal
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.filepath import FilePath
from twisted.python.procutils import which
from twisted.python.usage import UsageError

from .cache import Cache, default_cache_folder
from .callers import PasswordFile, portal_for
from .descriptors import allow_connections
from .errors import CannotStart
from .finder import Finder, make_finder
from .greps import GrepRunner
from .indexes import Indexes
from .library import Library, LibraryUnusable
from .metrics import Metrics
from .notify import Systemd, watchdog_of
from .options import QuotesOptions
from .orphans import Reaper
from .outstanding import Outstanding
from .places import Places
from .readiness import Readiness
from .restraint import restrain
from .signals import on_shutdown_signal

if TYPE_CHECKING:
    from .web.waits import Waits

_log = Logger()

MOST_WAITS = 1000
"""How many C{/wait} may block at one time (contract, section 1)."""


MOST_THREADS = 4
"""
How many threads read and write files. More would be in each other's way, and
together have the reactor do more for them in one turn than others may wait for.
"""


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
    from .web.probes import Probes
    from .web.root import root_resource
    from .web.site import QuotesSite

    metrics, outstanding = Metrics(), Outstanding()
    library = _library(options["dictionaries"], options["default-dictionary"])
    runner = _runner(reactor, options, outstanding, metrics)
    finder = _finder(reactor, options, library, runner)
    readiness = Readiness(library, runner.executable)
    waits = _waits(reactor, outstanding, metrics)
    site = QuotesSite(
        reactor,
        root_resource(finder, waits, Probes(readiness, metrics), _portal(options)),
        outstanding,
        _connections(options),
        Limits(*(options[f"{part}-timeout"] for part in ("request", "send", "idle"))),
        metrics,
        _writable(options["access-log"]),
    )
    return QuotesService(
        reactor,
        site,
        [(each, _endpoint(reactor, each)) for each in options["listen"]],
        outstanding,
        *(options["drain-delay"], options["drain-timeout"]),
        lambda call: on_shutdown_signal(lambda: reactor.callFromThread(call)),
        _clear_up(reactor, finder),
        readiness,
        _systemd(reactor),
    )


def _runner(
    reactor: Any,
    options: Mapping[str, Any],
    outstanding: Outstanding,
    metrics: Metrics,
) -> GrepRunner:
    places = Places(_running(options), options["max-waiting"])
    for name, meaning, value in (
        ("places_taken", "Places of searches taken.", lambda: places.taken),
        ("searches_waiting", "Searches that wait for a place.", lambda: places.queue),
        ("outstanding", "All that a shutdown would wait for.", outstanding.__len__),
        ("timers", "Calls that are due later.", lambda: len(reactor.getDelayedCalls())),
    ):
        metrics.watch(name, meaning, value)
    return GrepRunner(
        reactor,
        _executable("grep"),
        places,
        options["timeout"],
        outstanding,
        restrain,
        metrics,
    )


def _finder(
    reactor: Any, options: Mapping[str, Any], library: Library, runner: GrepRunner
) -> Finder:
    cache = Cache(options["cache-dir"] or _default_cache_folder())
    in_thread = partial(
        DeferredSemaphore(MOST_THREADS).run,
        *(deferToThreadPool, reactor, reactor.getThreadPool()),
    )
    indexes = Indexes(reactor, in_thread, cache, options["max-waiting"])
    watch = runner.metrics.watch
    watch("dictionaries", "Dictionaries served.", lambda: len(library.names()))
    watch("indexes_building", "Indexes being made.", lambda: indexes.building)
    return make_finder(runner, library, indexes, in_thread, time)


def _clear_up(reactor: Any, finder: Finder) -> Callable[[], Awaitable[None]]:
    """Start what outlives a service that is killed, and end it where all is over."""
    reaper = Reaper(reactor)
    reactor.callWhenRunning(reaper.start)

    async def clear_up() -> None:
        await finder.indexes.stop()
        await reaper.stop()

    return clear_up


def _waits(reactor: Any, outstanding: Outstanding, metrics: Metrics) -> Waits:
    from .web.waits import Waits

    places = Places(MOST_WAITS, 0)
    metrics.watch("waits", "Calls of /wait that block.", lambda: places.taken)
    return Waits(reactor, _executable("sleep"), places, outstanding)


def _portal(options: Mapping[str, Any]) -> Portal | None:
    """The way in for callers; none where all may ask."""
    if not options["auth"]:
        return None
    checkers: list[ICredentialsChecker] = []
    for description, checker in zip(
        options["auth"], options["credCheckers"], strict=True
    ):
        kind, _, path = description.partition(":")
        # Ours does not take a file that is gone for a wrong password.
        checkers.append(PasswordFile(path) if kind == "file" else checker)
    return portal_for(checkers)


def _library(folder: str | None, default: str | None) -> Library:
    root = folder or str(files("twisted_quotes") / "dictionaries")
    try:
        return Library(FilePath(root), default)
    except LibraryUnusable as error:
        raise CannotStart(str(error)) from None


def _executable(name: str) -> str:
    found = which(name)
    if not found:
        raise CannotStart(f"{name} is not on the PATH")
    path: str = os.path.abspath(found[0])
    return path


def _endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
    # Each kind of endpoint parses for itself, and raises what it likes.
    except Exception as error:
        raise CannotStart(f"cannot listen on {description!r}: {error}") from None
    return endpoint


def _systemd(reactor: Any) -> Systemd:
    watchdog = watchdog_of(os.environ, os.getpid())
    return Systemd(reactor, os.environ.get("NOTIFY_SOCKET") or None, watchdog)


def _writable(path: str | None) -> str | None:
    if path is not None:
        try:
            open(path, "a").close()
        except OSError as error:
            raise CannotStart(f"cannot write {path}: {error.strerror}") from None
    return path


def _default_cache_folder() -> str:
    home = os.path.expanduser("~")
    return default_cache_folder(home, os.environ.get("XDG_CACHE_HOME"))


def _running(options: Mapping[str, Any]) -> int:
    running = options["max-running"] or max(8, 4 * len(os.sched_getaffinity(0)))
    return int(running)


def _connections(options: Mapping[str, Any]) -> int:
    """How many connections there may be; fewer than asked for where files are few."""
    wanted = options["max-connections"]
    allowed = allow_connections(wanted, _running(options))
    if not allowed:
        raise CannotStart("too few files may be open (ulimit -n) for any connection")
    if allowed < wanted:
        _log.warn(
            "No more than {allowed} connections may be open, not {wanted}: "
            "the limit of open files (ulimit -n) is too low.",
            allowed=allowed,
            wanted=wanted,
        )
    return allowed
