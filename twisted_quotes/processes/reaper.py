"""
The reaper: a process that kills the other child processes of a killed service.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorProcess
from twisted.logger import Logger

from .process import ChildProcess, Command, Outcome, python_environment, spawn


@dataclass
class Reaper:
    """Starts and stops the L{process<twisted_quotes.processes.reaper_process>}."""

    reactor: IReactorProcess
    _process: ChildProcess | None = None
    _log = Logger()

    def start(self) -> None:
        """Start the process. A failure is logged."""
        command = Command(
            sys.executable,
            ("-P", "-S", "-m", "twisted_quotes.processes.reaper_process"),
            python_environment(),
        )
        try:
            self._process = spawn(self.reactor, command, "w")
        except OSError as error:
            self._log_failure(error)
        else:
            self._process.result.addCallback(self._log_failure)

    def stop(self) -> Deferred[None]:
        """Kill the process, and wait for its end."""
        if self._process is None:
            return succeed(None)
        self._process.cancel()
        return self._process.ended

    def _log_failure(self, reason: Outcome | OSError) -> None:
        self._log.error(
            "Child processes may go on if the service is killed: {reason!a}",
            reason=str(reason),
        )
