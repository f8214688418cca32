"""
What is to become of running processes when the service is killed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorProcess
from twisted.logger import Logger

from .process import ChildProcess, Command, Outcome, spawn


class Reaper:
    """
    Has another process kill what the service has started, should the service
    itself be killed.

    @param reactor: starts that process.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorProcess) -> None:
        self._reactor = reactor
        self._reaper: ChildProcess | None = None

    def start(self) -> None:
        """Start the other process. Where that is impossible, it is logged."""
        command = Command(
            sys.executable,
            ("-P", "-S", "-m", "twisted_quotes.processes.reaper"),
            {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        try:
            self._reaper = spawn(self._reactor, command, "w")
        except OSError as error:
            self._log_failure(error.strerror)
        else:
            self._reaper.result.addCallbacks(self._ended, lambda _: None)

    def stop(self) -> Deferred[None]:
        """
        End the other process: nothing is left to be killed.

        @return: fires when it has ended.
        """
        reaper, self._reaper = self._reaper, None
        if reaper is None:
            return succeed(None)
        # It may be slow, or stand still; and nothing is left for it to do.
        reaper.result.cancel()
        return reaper.ended

    def _ended(self, outcome: Outcome) -> None:
        if self._reaper is not None:
            self._reaper = None
            self._log_failure(str(outcome))

    def _log_failure(self, reason: str | None) -> None:
        self._log.error(
            "If the service is killed, what it runs may go on: {reason!a}",
            reason=reason,
        )
