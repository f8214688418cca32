"""
The service that listens and serves: its start, and the steps of its shutdown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater

from twisted_quotes.library.readiness import Readiness
from twisted_quotes.listening.sockets import (
    accept_batches,
    is_on_loopback,
    is_systemd_socket,
    reject_new_connections,
)
from twisted_quotes.web.server.site import QuotesSite

from .graceful_shutdown import GracefulService
from .startup import CannotStart

FLUSH_TIMEOUT = 0.5
"""How long a forced shutdown waits for clients to read responses, in seconds."""


@dataclass(kw_only=True, eq=False, repr=False)
class QuotesService(GracefulService):
    """
    Listens, and shuts down without losing a request.

    @ivar site_closed: called once, when the site starts to refuse requests.
    @ivar clean_up: called when nothing is outstanding; the shutdown waits for it.
    @ivar reload_library: has the next request look at the whole library anew.
    @ivar host_names: if the service listens on loopback only, the host names that it
        accepts besides those of loopback; C{"*"} for any.
    """

    site: QuotesSite
    site_closed: Callable[[], object]
    clean_up: Callable[[], Awaitable[None]]
    reload_library: Callable[[], object]
    readiness: Readiness
    host_names: Collection[str]

    def startService(self) -> None:
        """Listen on all endpoints, or raise L{CannotStart}."""
        super().startService()
        # Each port starts the site, too. This extra start keeps the access log open
        # after the last port has closed.
        self.site.doStart()
        try:
            self._listen(self.site)
        except CannotStart:
            self.site.doStop()
            raise

    def _listening_started(self, port: IListeningPort, description: str) -> None:
        super()._listening_started(port, description)
        if len(self._ports) == len(self.endpoints):
            if all(is_on_loopback(*each) for each in self._ports):
                self.site.allowed_hosts = self.host_names
            # From then on, a signal starts the shutdown instead of killing the process.
            self.reactor.callWhenRunning(self._notify_ready)

    def reload(self) -> None:
        self.site.reopen_log()
        self.reload_library()

    def _start_draining(self) -> None:
        self._mark_not_ready()
        if not self._forced:
            self._set_deadline(self.drain_timeout, self.force)

    def _mark_not_ready(self) -> None:
        self.readiness.draining = True

    async def _stop_serving(self) -> None:
        await self._stop_listening()
        # Have the reactor read what has arrived on each connection.
        await deferLater(self.reactor, 0)
        self._close_site()
        self.site_closed()

    def _close_site(self) -> None:
        self.site.close()

    async def _stop_listening(self) -> None:
        """Close the listening sockets without resetting a client that has connected."""
        for port, description in self._ports:
            if is_systemd_socket(description):
                continue
            reject_new_connections(port, description)
            # With pauses, so that refused connections are closed before the process
            # runs out of file descriptors.
            for _ in accept_batches(port):
                await deferLater(self.reactor, 0)
            # The socket closes in the next turn, and resets what is not accepted.
            self.reactor.callLater(0, list, accept_batches(port))
        await self._close_ports()

    def _force_shutdown(self) -> None:
        self._log.warn(
            "Forcing the shutdown: {count} outstanding.", count=len(self.outstanding)
        )
        self._set_deadline(FLUSH_TIMEOUT, self._abort)
        self.site.close()
        self.outstanding.cancel()
        self.site.refuse_incomplete()

    def _abort(self) -> None:
        self.site.abort_connections()
        self.outstanding.discard()

    async def _finish(self) -> None:
        await self.clean_up()

    def _release(self) -> None:
        self.site.abort_connections()
        self.site.doStop()
