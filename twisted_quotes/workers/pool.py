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
from twisted_quotes.concurrency.shared_counters import SharedCounters
from twisted_quotes.monitoring.aggregation import aggregate, cumulative_only
from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.processes.restart_backoff import RestartBackoff

from .control import Close, Drain, Force, Reload, Retire
from .worker_process import Worker, WorkerSupervisor


class StartWorker(Protocol):
    """Starts a worker, on a row of the scoreboard, with a share of the limits."""

    def __call__(self, supervisor: WorkerSupervisor, row: int, share: int) -> Worker:
        """Raise L{OSError} where it could not be started."""


class WorkerPool:
    """
    So many workers, whatever becomes of each of them.

    @param clock: tells when to try again.
    @param count: how many there are to be, 2 or more.
    @param start_worker: starts one.
    @param shared_counters: what they know of each other.
    @param retirement_timeout: how long a worker may take to end when it has been
        asked to, in seconds; then it is killed.
    @param metrics: those of this process, to which those of workers are added.
    @param all_workers_started: is called once, when all of the first ones serve, or
        those
        that have not been lost.
    @param all_workers_failed: is called with a reason, where none of the first ones
        can.

    @ivar outstanding: has the ends of all workers.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        count: int,
        start_worker: StartWorker,
        shared_counters: SharedCounters,
        retirement_timeout: float,
        metrics: Metrics,
        all_workers_started: Callable[[], object],
        all_workers_failed: Callable[[str], object],
    ) -> None:
        self.outstanding = Outstanding()
        self._clock = clock
        self._count = count
        self._start_worker = start_worker
        self._shared_counters = shared_counters
        self._retirement_timeout = retirement_timeout
        self._metrics = metrics
        self._all_workers_started = all_workers_started
        self._all_workers_failed = all_workers_failed
        self._workers: list[Worker] = []
        self._restart_backoff = RestartBackoff()
        self._pending_restarts: list[IDelayedCall] = []
        self._ended_workers_metrics: list[MetricFamily] = []
        # The shares of the first ones that have neither served yet nor been lost.
        self._pending_shares = set(range(count))
        self._has_any_started = self._is_start_reported = self._closed = False
        metrics.add_gauge("workers", "Workers that serve.", lambda: self._serving_count)
        self._workers_lost = metrics.add_counter(
            "workers_lost", "Workers that ended unasked, or badly."
        )

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def _serving_count(self) -> int:
        return sum(each.is_serving and not each.is_retiring for each in self._workers)

    def fill(self) -> None:
        """Start as many workers as are missing."""
        shares = {each.share for each in self._workers if not each.is_retiring}
        for share in sorted(set(range(self._count)) - shares):
            if not self._closed:
                self._start(share)

    def _start(self, share: int) -> None:
        rows = {each.row for each in self._workers}
        row = min(set(range(self._shared_counters.rows)) - rows)
        try:
            worker = self._start_worker(self, row, share)
        except OSError as error:
            self._schedule_restart(
                share, f"it could not be started: {error.strerror}", 0
            )
            return
        self._workers.append(worker)
        self.outstanding.add(worker.ended)

    def _schedule_restart(self, share: int, reason: str, uptime: float) -> None:
        """Have the place filled of a worker that has died, or was never there."""
        self._pending_shares.discard(share)
        if not self._has_any_started:
            if not self._pending_shares:
                self._all_workers_failed(reason)
            return
        self._check_all_started()
        delay = self._restart_backoff.next_delay(uptime)
        self._pending_restarts = [
            each for each in self._pending_restarts if each.active()
        ]
        self._pending_restarts.append(self._clock.callLater(delay, self.fill))

    # What workers say

    def serving_started(self, worker: Worker) -> None:
        """A worker listens."""
        if self._closed:
            return
        self._pending_shares.discard(worker.share)
        if not self._has_any_started:
            self._has_any_started = True
            # Those that failed before are missing still.
            self.fill()
        self._check_all_started()

    def _check_all_started(self) -> None:
        if (
            not self._is_start_reported
            and not self._pending_shares
            and self._serving_count
        ):
            self._is_start_reported = True
            self._all_workers_started()

    def retirement_requested(self, worker: Worker) -> None:
        """A worker has been asked to end: another one takes its place."""
        if self._closed or worker.is_retiring:
            return
        if len(self._workers) == self._shared_counters.rows:
            self._log.warn("Too many workers are ending already.")
            return
        self._log.info("Worker {pid} is to end.", pid=worker.transport.pid)
        worker.is_retiring = True
        worker.send_command(Retire)
        kill_call = self._clock.callLater(self._retirement_timeout, self._kill, worker)
        worker.ended.addCallback(
            lambda _: kill_call.cancel() if kill_call.active() else None
        )
        self.fill()

    def worker_ended(self, worker: Worker, reason: str, exited_cleanly: bool) -> None:
        """A worker is gone. What it has counted counts on."""
        self._workers.remove(worker)
        self._shared_counters.clear(worker.row)
        self._ended_workers_metrics = aggregate(
            [self._ended_workers_metrics, cumulative_only(worker.last_metrics)]
        )
        unexpected = not self._closed and not worker.is_retiring
        if unexpected or not exited_cleanly:
            self._log.error("A worker is lost: {how}", how=reason)
            self._workers_lost.inc()
        if unexpected:
            self._schedule_restart(worker.share, reason, worker.uptime)

    def collect_all_metrics(self) -> Deferred[list[MetricFamily]]:
        """
        The metrics of all workers, those that are gone too, and of this process.

        @return: fires when each worker has told its own, or has had time to.
        """
        return self._collect_metrics().addCallback(lambda _: self._aggregate_metrics())

    def _collect_metrics(self) -> Deferred[Any]:
        serving = [each for each in self._workers if each.is_serving]
        return DeferredList([each.collect_metrics() for each in serving])

    def _aggregate_metrics(self) -> list[MetricFamily]:
        reports = [each.last_metrics for each in self._workers]
        return aggregate(
            [self._metrics.families(), self._ended_workers_metrics, *reports]
        )

    def check_health(self, max_silence: float | None) -> Deferred[None]:
        """
        Have each worker tell its metrics, and kill those that have hung.

        So little is lost of what one has counted that is killed.

        @param max_silence: for how long a worker may tell nothing, in seconds; L{None}
            for ever.
        @return: fires when each has told its metrics, or has had time to.
        """
        return self._collect_metrics().addCallback(
            lambda _: self._kill_unresponsive(max_silence)
        )

    def _kill_unresponsive(self, max_silence: float | None) -> None:
        for worker in self._workers:
            since = worker.silent_since
            if since is None or max_silence is None:
                continue
            if self._clock.seconds() - since > max_silence:
                self._log.error("Worker {pid} hangs.", pid=worker.transport.pid)
                worker.kill()

    # The end

    def close(self) -> None:
        """Start no more workers."""
        self._closed = True
        for call in self._pending_restarts:
            if call.active():
                call.cancel()

    def broadcast(self, control_command: type[Drain | Close | Force | Reload]) -> None:
        """Tell all workers to do something."""
        for worker in self._workers:
            worker.send_command(control_command)

    def kill(self) -> None:
        """Kill the workers that have not ended."""
        for worker in self._workers:
            self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        self._log.error("Worker {pid} does not end.", pid=worker.transport.pid)
        worker.kill()
