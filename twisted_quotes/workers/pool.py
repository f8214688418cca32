"""
The workers that there are: started, replaced when they die, added up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.shared_counters import Scoreboard
from twisted_quotes.monitoring.aggregation import counted, total
from twisted_quotes.monitoring.metrics import Family, Metrics
from twisted_quotes.processes.restart_backoff import Restarts

from .control import Close, Drain, Force, Reload, Retire
from .worker_process import Worker, Workers


class StartWorker(Protocol):
    """Starts a worker, on a row of the scoreboard, with a share of the limits."""

    def __call__(self, supervisor: Workers, row: int, share: int) -> Worker:
        """Raise L{OSError} where it could not be started."""


class WorkerPool:
    """
    So many workers, whatever becomes of each of them.

    @param clock: tells when to try again.
    @param count: how many there are to be, 2 or more.
    @param start_worker: starts one.
    @param scoreboard: what they know of each other.
    @param time_to_leave: how long a worker may take to end when it has been
        asked to, in seconds; then it is killed.
    @param metrics: those of this process, to which those of workers are added.
    @param all_serve: is called once, when all of the first ones serve, or those
        that have not been lost.
    @param none_can: is called with a reason, where none of the first ones can.

    @ivar outstanding: has the ends of all workers.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        count: int,
        start_worker: StartWorker,
        scoreboard: Scoreboard,
        time_to_leave: float,
        metrics: Metrics,
        all_serve: Callable[[], object],
        none_can: Callable[[str], object],
    ) -> None:
        self.outstanding = Outstanding()
        self._clock = clock
        self._count = count
        self._start_worker = start_worker
        self._scoreboard = scoreboard
        self._time_to_leave = time_to_leave
        self._metrics = metrics
        self._all_serve = all_serve
        self._none_can = none_can
        self._workers: list[Worker] = []
        self._restarts = Restarts()
        self._starts: list[IDelayedCall] = []
        self._gone: list[Family] = []
        # The shares of the first ones that have neither served yet nor been lost.
        self._expected = set(range(count))
        self._one_has_served = self._all_have = self._closed = False
        metrics.watch("workers", "Workers that serve.", lambda: self._serving)
        self._lost = metrics.count(
            "workers_lost", "Workers that ended unasked, or badly."
        )

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def _serving(self) -> int:
        return sum(each.is_serving and not each.is_leaving for each in self._workers)

    def fill(self) -> None:
        """Start as many workers as are missing."""
        shares = {each.share for each in self._workers if not each.is_leaving}
        for share in sorted(set(range(self._count)) - shares):
            if not self._closed:
                self._start(share)

    def _start(self, share: int) -> None:
        rows = {each.row for each in self._workers}
        row = min(set(range(self._scoreboard.rows)) - rows)
        try:
            worker = self._start_worker(self, row, share)
        except OSError as error:
            self._fill_later(share, f"it could not be started: {error.strerror}", 0)
            return
        self._workers.append(worker)
        self.outstanding.add(worker.ended)

    def _fill_later(self, share: int, reason: str, served: float) -> None:
        """Have the place filled of a worker that has died, or was never there."""
        self._expected.discard(share)
        if not self._one_has_served:
            if not self._expected:
                self._none_can(reason)
            return
        self._look_whether_all_serve()
        delay = self._restarts.delay(served)
        self._starts = [each for each in self._starts if each.active()]
        self._starts.append(self._clock.callLater(delay, self.fill))

    # What workers say

    def serves(self, worker: Worker) -> None:
        """A worker listens."""
        if self._closed:
            return
        self._expected.discard(worker.share)
        if not self._one_has_served:
            self._one_has_served = True
            # Those that failed before are missing still.
            self.fill()
        self._look_whether_all_serve()

    def _look_whether_all_serve(self) -> None:
        if not self._all_have and not self._expected and self._serving:
            self._all_have = True
            self._all_serve()

    def leaves(self, worker: Worker) -> None:
        """A worker has been asked to end: another one takes its place."""
        if self._closed or worker.is_leaving:
            return
        if len(self._workers) == self._scoreboard.rows:
            self._log.warn("Too many workers are ending already.")
            return
        self._log.info("Worker {pid} is to end.", pid=worker.transport.pid)
        worker.is_leaving = True
        worker.tell(Retire)
        end = self._clock.callLater(self._time_to_leave, self._kill, worker)
        worker.ended.addCallback(lambda _: end.cancel() if end.active() else None)
        self.fill()

    def has_ended(self, worker: Worker, how: str, well: bool) -> None:
        """A worker is gone. What it has counted counts on."""
        self._workers.remove(worker)
        self._scoreboard.clear(worker.row)
        self._gone = total([self._gone, counted(worker.last)])
        unasked = not self._closed and not worker.is_leaving
        if unasked or not well:
            self._log.error("A worker is lost: {how}", how=how)
            self._lost.inc()
        if unasked:
            self._fill_later(worker.share, how, worker.served)

    def total(self) -> Deferred[list[Family]]:
        """
        The metrics of all workers, those that are gone too, and of this process.

        @return: fires when each worker has told its own, or has had time to.
        """
        return self._ask().addCallback(lambda _: self._total())

    def _ask(self) -> Deferred[Any]:
        serving = [each for each in self._workers if each.is_serving]
        return DeferredList([each.report() for each in serving])

    def _total(self) -> list[Family]:
        reports = [each.last for each in self._workers]
        return total([self._metrics.families(), self._gone, *reports])

    def look(self, longest: float | None) -> Deferred[None]:
        """
        Have each worker tell its metrics, and kill those that have hung.

        So little is lost of what one has counted that is killed.

        @param longest: for how long a worker may tell nothing, in seconds; L{None}
            for ever.
        @return: fires when each has told its metrics, or has had time to.
        """
        return self._ask().addCallback(lambda _: self._kill_silent(longest))

    def _kill_silent(self, longest: float | None) -> None:
        for worker in self._workers:
            since = worker.silent_since
            if since is None or longest is None:
                continue
            if self._clock.seconds() - since > longest:
                self._log.error("Worker {pid} hangs.", pid=worker.transport.pid)
                worker.kill()

    # The end

    def close(self) -> None:
        """Start no more workers."""
        self._closed = True
        for call in self._starts:
            if call.active():
                call.cancel()

    def tell(self, order: type[Drain | Close | Force | Reload]) -> None:
        """Tell all workers to do something."""
        for worker in self._workers:
            worker.tell(order)

    def kill(self) -> None:
        """Kill the workers that have not ended."""
        for worker in self._workers:
            self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        self._log.error("Worker {pid} does not end.", pid=worker.transport.pid)
        worker.kill()
