"""
The composition of the service from the options.

This module imports Klein, which installs a reactor. Import it after C{twist} has
installed one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import time
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred, succeed

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import ThreadRunner
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.library.library import Library
from twisted_quotes.library.monitor import LibraryMonitor
from twisted_quotes.library.packs.cache import PackCache
from twisted_quotes.library.packs.provider import make_pack_provider
from twisted_quotes.library.readiness import Readiness
from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.processes.reaper import Reaper
from twisted_quotes.processes.resource_limits import apply_limits
from twisted_quotes.processes.signals import (
    has_controlling_terminal,
    subscribe_to_signals,
)
from twisted_quotes.search.composition import make_finder
from twisted_quotes.search.finder import Finder
from twisted_quotes.web.api.health import Probes
from twisted_quotes.web.api.quotable import resource as quotable
from twisted_quotes.web.api.response_cache import ResponseCache
from twisted_quotes.web.api.routes import root_resource
from twisted_quotes.web.api.wait import WaitRoute
from twisted_quotes.web.authentication.password_file import PasswordFile
from twisted_quotes.web.http.compression import Compression
from twisted_quotes.web.http.output_limiter import OutputLimiter
from twisted_quotes.web.ingress.cors import CORSPolicy, no_path
from twisted_quotes.web.ingress.request import Ingress
from twisted_quotes.web.server.connection_limiter import ConnectionLimiter
from twisted_quotes.web.server.site import QuotesSite
from twisted_quotes.web.server.timeouts import ConnectionTimeouts

from . import startup
from .quotes_service import QuotesService
from .resource_share import ResourceShare, total_share

MAX_THREADS = 4
"""The maximum number of threads that read and write files."""

MAX_WAITING_PASSWORDS = 100
"""The maximum number of passwords that wait for a verification."""


def quotes_service(reactor: Any, options: Mapping[str, Any]) -> IService:
    """
    Make the service of a single process.

    @param options: the options, as L{QuotesOptions} parses them.
    @raise CannotStart: what an option names cannot be used.
    """
    share = total_share(reactor, options)
    startup.warn_of_plain_passwords(options)
    composition = Composition(reactor, options, share, Metrics())
    return QuotesService(
        **composition.service_arguments(),
        on_signal=partial(subscribe_to_signals, reactor),
    )


@dataclass(frozen=True)
class Composition:
    """Makes the parts of a service."""

    reactor: Any
    options: Mapping[str, Any]
    share: ResourceShare
    metrics: Metrics
    collect_all_metrics: Callable[[], Awaitable[Sequence[MetricFamily]]] | None = None

    def service_arguments(self) -> dict[str, Any]:
        """Return the arguments of L{QuotesService} but C{on_signal}."""
        options = self.options
        library = startup.library(
            options["dictionaries"], options["default-dictionary"]
        )
        runner = self._runner()
        finder = self._finder(library, runner)
        readiness = Readiness(library, runner.executable)
        # It outlives this process if that is killed.
        reaper = Reaper(self.reactor)
        self.reactor.callWhenRunning(reaper.start)

        async def clean_up() -> None:
            await finder.searchable_library.stop()
            await reaper.stop()

        return {
            "reactor": self.reactor,
            "site": self._site(self._resource(finder, readiness), runner.outstanding),
            "endpoints": self.share.endpoints,
            "outstanding": runner.outstanding,
            "drain_delay": options["drain-delay"],
            "drain_timeout": options["drain-timeout"],
            "site_closed": finder.grep_pool.stop,
            "clean_up": clean_up,
            "reload_library": finder.searchable_library.monitor.forget,
            "readiness": readiness,
            "systemd_notifier": startup.systemd_notifier(self.reactor),
            "host_names": options["host"],
            "stops_on_hangup": has_controlling_terminal(),
        }

    def _runner(self) -> GrepRunner:
        outstanding = Outstanding()
        limiter = ConcurrencyLimiter(self.share.max_running, self.share.max_waiting)
        gauge, delayed_calls = self.metrics.add_gauge, self.reactor.getDelayedCalls
        gauge("places_taken", "Search slots in use.", lambda: limiter.in_use)
        gauge("searches_waiting", "Waiting searches.", lambda: limiter.queue_length)
        gauge("outstanding", "What a shutdown would wait for.", outstanding.__len__)
        gauge("timers", "Delayed calls.", lambda: len(delayed_calls()))
        return GrepRunner(
            self.reactor,
            startup.find_executable("grep"),
            limiter,
            self.options["timeout"],
            outstanding,
            apply_limits,
            self.metrics,
        )

    def _finder(self, library: Library, runner: GrepRunner) -> Finder:
        cache_folder = self.options["cache-dir"] or startup.cache_folder()
        in_thread = self._in_thread(MAX_THREADS)
        monitor = LibraryMonitor(self.reactor, library, in_thread, time)
        packs = make_pack_provider(
            self.reactor,
            monitor,
            in_thread,
            PackCache(cache_folder, library.root),
            self.share.max_waiting,
        )
        gauge = self.metrics.add_gauge
        gauge("dictionaries", "Dictionaries served.", _dictionary_counter(monitor))
        gauge("indexes_building", "Indexes being built.", lambda: packs.builds.count)
        gauge(
            "packs",
            "Packs in use: indexes of dictionaries.",
            lambda: len(packs.collection.packs),
        )
        gauge("index_bytes", "Size of all packs in use.", lambda: packs.size)
        gauge("index_ratio", "Part of the library with an index.", packs.progress.ratio)
        if self.options["index-at-start"]:
            self.reactor.callWhenRunning(packs.start_indexing)
        batching = self.options["search-together"]
        return make_finder(
            runner,
            library,
            monitor,
            packs,
            in_thread,
            time,
            batch_threshold=self.share.cores if batching else 0,
        )

    def _site(self, resource: Any, outstanding: Outstanding) -> QuotesSite:
        options, share = self.options, self.share
        site = QuotesSite(
            self.reactor,
            resource,
            outstanding,
            ConnectionLimiter(share.connection_capacity, share.budget.max_refused),
            ConnectionTimeouts(
                options["request-timeout"],
                options["send-timeout"],
                options["idle-timeout"],
            ),
            OutputLimiter(share.max_unsent_bytes, share.budget.max_streams),
            self.metrics,
            startup.check_writable(options["access-log"]),
        )
        site.debug_enabled = options["log-debug"]
        is_open = quotable.is_quotable_path if options["quotable"] else no_path
        site.ingress = Ingress(
            options["trusted-proxies"],
            options["base-path"],
            CORSPolicy(frozenset(options["cors-origin"]), is_open),
        )
        return site

    def _resource(self, finder: Finder, readiness: Readiness) -> Any:
        reactor, share, metrics = self.reactor, self.share, self.metrics
        metrics.add_gauge(
            "waits",
            "Requests to /wait that block.",
            lambda: share.wait_capacity.in_use,
        )
        response_cache = ResponseCache(share.cache_bytes, metrics)
        portal = startup.portal(self.options, self._password_files())
        # Its threads are not those that read files, which it would delay.
        compression = Compression(self._in_thread(max_threads=1))
        resource = root_resource(
            finder,
            WaitRoute(
                reactor,
                startup.find_executable("sleep"),
                share.wait_capacity,
                finder.outstanding,
                share.max_waits_per_client,
            ),
            Probes(reactor, readiness, metrics, self.collect_all_metrics),
            response_cache,
            compression,
            portal,
        )
        if self.options["quotable"]:
            return quotable.quotable_resource(
                resource, finder, response_cache, compression, portal
            )
        return resource

    def _in_thread(self, max_threads: int) -> ThreadRunner:
        return ThreadRunner(self.reactor, self.reactor.getThreadPool(), max_threads)

    def _password_files(self) -> Callable[[str], PasswordFile]:
        """Return a function that makes the checker of a password file."""
        # Half of the cores stay free for searches, however many passwords are guessed.
        slots = min(MAX_THREADS, max(1, self.share.cores // 2))
        limiter = ConcurrencyLimiter(slots, MAX_WAITING_PASSWORDS)
        self.metrics.add_gauge(
            "passwords_waiting",
            "Passwords that wait for a verification.",
            lambda: limiter.queue_length,
        )
        in_thread = self._in_thread(slots)
        return lambda path: PasswordFile(path, in_thread, limiter, self.reactor.seconds)


def _dictionary_counter(monitor: LibraryMonitor) -> Callable[[], int]:
    """Return a function that returns the last known number of dictionaries."""
    refresh: Deferred[None] = succeed(None)

    def count() -> int:
        nonlocal refresh
        # Listing many dictionaries takes a while.
        if refresh.called:
            refresh = monitor.snapshot().addCallback(lambda _: None)
            refresh.addErrback(lambda failure: failure.trap(OSError))
        return monitor.count

    # So that the first metrics have the number.
    count()
    return count
