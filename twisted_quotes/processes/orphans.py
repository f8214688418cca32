"""
Ends the child processes of a service that is killed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorProcess
from twisted.logger import Logger

from .process import ChildProcess, Command, Outcome, spawn


@dataclass
class Reaper:
    """
    Runs L{twisted_quotes.processes.reaper}, which kills the other child processes if
    the service itself is killed.
    """

    reactor: IReactorProcess
    _reaper: ChildProcess | None = None
    _log = Logger()

    def start(self) -> None:
        """Start the process. A failure is logged."""
        command = Command(
            sys.executable,
            ("-P", "-S", "-m", "twisted_quotes.processes.reaper"),
            {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        try:
            self._reaper = spawn(self.reactor, command, "w")
        except OSError as error:
            self._log_failure(error.strerror)
        else:
            self._reaper.result.addCallbacks(self._ended, lambda _: None)

    def stop(self) -> Deferred[None]:
        """Kill the process, and wait for its end."""
        reaper, self._reaper = self._reaper, None
        if reaper is None:
            return succeed(None)
        reaper.result.cancel()
        return reaper.ended

    def _ended(self, outcome: Outcome) -> None:
        self._reaper = None
        self._log_failure(str(outcome))

    def _log_failure(self, reason: str | None) -> None:
        self._log.error(
            "Child processes may go on if the service is killed: {reason!a}",
            reason=reason,
        )
