"""
The workers of a supervisor: starting, replacing, and collecting their metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.shared_counters import SharedCounters
from twisted_quotes.monitoring.aggregation import aggregate, cumulative_only
from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.processes.restart_backoff import RestartBackoff

from .control import Message
from .worker_process import Worker, WorkerSupervisor

StartWorker = Callable[[WorkerSupervisor, int, int, Sequence[int]], Worker]
"""Starts a worker with a row, a share and sockets, or raises L{OSError}."""


class NoWorkerStarted(Exception):
    """None of the first workers could serve."""


@dataclass(eq=False)
class WorkerPool:
    """
    A fixed number of workers, which replaces those that end.

    @ivar count: the number of workers, 2 or more.
    @ivar retirement_timeout: the time after which a retiring worker is killed, in
        seconds.
    @ivar metrics: the metrics of this process, which has some of its own.
    @ivar listener_fds: the file descriptors of the listening sockets, in the order of
        the endpoints.
    @ivar outstanding: has the C{ended} of each worker.
    @ivar started: fires when each of the first workers serves or has ended; fails with
        L{NoWorkerStarted} if none of them serves.
    """

    clock: IReactorTime
    count: int
    start_worker: StartWorker
    shared_counters: SharedCounters
    retirement_timeout: float
    metrics: Metrics

    _log = Logger()
    _has_any_started = _closed = False

    def __post_init__(self) -> None:
        self.outstanding = Outstanding()
        self.started: Deferred[None] = Deferred()
        self.listener_fds: list[int] = []
        self._workers: list[Worker] = []
        self._restart_backoff = RestartBackoff()
        self._pending_starts: set[IDelayedCall] = set()
        self._ended_workers_metrics: list[MetricFamily] = []
        # The shares of the first workers that neither serve nor have ended yet.
        self._pending_shares = set(range(self.count))
        self.metrics.add_gauge(
            "workers", "Workers that serve.", lambda: self._serving_count
        )
        self._workers_lost = self.metrics.add_counter(
            "workers_lost", "Workers that ended unexpectedly, or with an error."
        )

    @property
    def _serving_count(self) -> int:
        return sum(each.is_serving and not each.is_retiring for each in self._workers)

    def fill(self) -> None:
        """
        Start the missing workers, one in each turn of the reactor, so that a signal
        can stop that.
        """
        if not self._closed:
            self._start_missing(range(self.count))

    def _start_missing(self, shares: Sequence[int]) -> None:
        taken = {each.share for each in self._workers if not each.is_retiring}
        missing = [each for each in shares if each not in taken]
        if missing:
            self._start(missing.pop(0))
        if missing:
            self._schedule_start(missing, 0)

    def _schedule_start(self, shares: Sequence[int], delay: float) -> None:
        def start() -> None:
            self._pending_starts.remove(call)
            self._start_missing(shares)

        call = self.clock.callLater(delay, start)
        self._pending_starts.add(call)

    def _start(self, share: int) -> None:
        rows = {each.row for each in self._workers}
        row = min(set(range(self.shared_counters.rows)) - rows)
        try:
            worker = self.start_worker(self, row, share, self.listener_fds)
        except OSError as error:
            self._worker_lost(share, f"it could not be started: {error.strerror}", 0)
            return
        self._workers.append(worker)
        self.outstanding.add(worker.ended)

    def _worker_lost(self, share: int, reason: str, uptime: float) -> None:
        """Schedule the replacement of a worker, unless none has ever served."""
        self._pending_shares.discard(share)
        if self._has_any_started:
            self._check_all_started()
            self._schedule_start([share], self._restart_backoff.next_delay(uptime))
        elif not self._pending_shares:
            self.started.errback(NoWorkerStarted(reason))

    def serving_started(self, worker: Worker) -> None:
        """Handle a worker that listens."""
        if self._closed:
            return
        self._pending_shares.discard(worker.share)
        if not self._has_any_started:
            self._has_any_started = True
            # Replace those that ended before.
            self.fill()
        self._check_all_started()

    def _check_all_started(self) -> None:
        if not self.started.called and not self._pending_shares and self._serving_count:
            self.started.callback(None)

    def retirement_requested(self, worker: Worker) -> None:
        """Replace a worker that received SIGTERM, and have it finish."""
        if self._closed or worker.is_retiring:
            return
        # Each worker that does not retire has a row, also one that is missing now.
        retiring_count = sum(each.is_retiring for each in self._workers)
        if retiring_count == self.shared_counters.rows - self.count:
            self._log.warn("Too many workers are retiring already.")
            return
        self._log.info("Worker {pid} is retiring.", pid=worker.transport.pid)
        worker.is_retiring = True
        worker.control.send(Message.RETIRE)
        kill_call = self.clock.callLater(self.retirement_timeout, self._kill, worker)
        worker.ended.addCallback(
            lambda _: kill_call.cancel() if kill_call.active() else None
        )
        self._start_missing([worker.share])

    def worker_ended(self, worker: Worker, reason: str, exited_cleanly: bool) -> None:
        """Replace a worker that has ended, and keep what it has counted."""
        self._workers.remove(worker)
        self.shared_counters.clear(worker.row)
        self._ended_workers_metrics = aggregate(
            [self._ended_workers_metrics, cumulative_only(worker.last_metrics)]
        )
        unexpected = not self._closed and not worker.is_retiring
        if unexpected or (worker.is_serving and not exited_cleanly):
            self._log.error("A worker is lost: {how}", how=reason)
            self._workers_lost.inc()
        if unexpected:
            self._worker_lost(worker.share, reason, worker.uptime)

    async def collect_all_metrics(self) -> list[MetricFamily]:
        """Collect the metrics of this process, and of all workers, past ones too."""
        await self._collect_metrics()
        reports = [each.last_metrics for each in self._workers]
        return aggregate(
            [self.metrics.families(), self._ended_workers_metrics, *reports]
        )

    async def _collect_metrics(self) -> None:
        """Wait until each worker has responded, or its time is over."""
        await DeferredList(
            [each.collect_metrics() for each in self._workers if each.is_serving]
        )

    async def check_health(self, max_silence: float | None) -> None:
        """
        Collect the metrics of each worker, so that few are lost if it is killed, and
        kill those that do not respond.

        @param max_silence: how long a worker may fail to respond, in seconds; L{None}
            for no limit.
        """
        await self._collect_metrics()
        if max_silence is None:
            return
        deadline = self.clock.seconds() - max_silence
        for worker in self._workers:
            if worker.silent_since is not None and worker.silent_since < deadline:
                self._log.error("Worker {pid} hangs.", pid=worker.transport.pid)
                worker.kill()

    def close(self) -> None:
        """Start no more workers, and end those that do not serve yet."""
        self._closed = True
        while self._pending_starts:
            self._pending_starts.pop().cancel()
        for worker in self._workers:
            if not worker.is_serving:
                worker.abort_start()

    def broadcast(self, message: Message) -> None:
        for worker in self._workers:
            worker.control.send(message)

    def kill(self) -> None:
        """Kill the workers that have not ended."""
        for worker in self._workers:
            self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        self._log.error("Worker {pid} does not end.", pid=worker.transport.pid)
        worker.kill()
