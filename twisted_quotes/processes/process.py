"""
Child processes: spawn any executable, collect its output, kill it on cancellation.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from typing import Literal

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import (
    IProcessTransport,
    IReactorProcess,
    IReactorTime,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure

from twisted_quotes.text.lines import Readable

from .reaper_process import SERVICE_ID_VARIABLE
from .signals import block_terminal_signals

MAX_STDERR_BYTES = 64 * 1024
"""How much of the standard error of a command is kept, in bytes."""

SERVICE_ID = token_hex(16)
"""The id by which L{twisted_quotes.processes.reaper} finds the child processes."""


class ReactorForProcesses(IReactorProcess, IReactorTime):
    """The abilities of the reactor that are used to run processes."""


@dataclass(frozen=True)
class Command:
    """
    What to run.

    @ivar executable: an absolute path.
    @ivar arguments: without the name of the executable.
    @ivar environment: all variables.
    """

    executable: str
    arguments: tuple[str | bytes, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """
    How a command ended.

    @ivar exit_code: L{None} if a signal ended the command.
    @ivar stderr: the first L{MAX_STDERR_BYTES} of the standard error.
    @ivar is_complete: whether the command was not killed for too much output.
    """

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    is_complete: bool = True


class ChildProcess(ProcessProtocol):
    """
    One running command.

    @param max_output: kill the command after this many bytes of output; L{None} for
        no limit.

    @ivar result: fires with the L{Outcome}. Cancelling it kills the command and fails
        it at once with L{CancelledError<twisted.internet.defer.CancelledError>},
        before the command has ended.
    @ivar ended: fires with L{None} when the command has ended.
    """

    transport: IProcessTransport

    def __init__(self, max_output: int | None = None) -> None:
        self._stdout_remaining = max_output
        self._stderr_remaining = MAX_STDERR_BYTES
        self.result: Deferred[Outcome] = Deferred(lambda _: self._kill())
        self.ended: Deferred[None] = Deferred()
        self._stdout: list[bytes] = []
        self._stderr: list[bytes] = []

    def outReceived(self, data: bytes) -> None:
        """Collect standard output until there is a result."""
        if self.result.called:
            return
        self._stdout.append(data)
        if self._stdout_remaining is not None:
            self._stdout_remaining -= len(data)
            if self._stdout_remaining <= 0:
                self._kill()
                self._fire_result(0, None, is_complete=False)

    def errReceived(self, data: bytes) -> None:
        """Collect the beginning of the standard error until there is a result."""
        if not self.result.called and self._stderr_remaining > 0:
            self._stderr.append(data[: self._stderr_remaining])
            self._stderr_remaining -= len(data)

    def processEnded(self, reason: Failure) -> None:
        """Fire the Deferreds: the command has exited, and its pipes are closed."""
        # First, so that what waits for the result finds the slot released.
        self.ended.callback(None)
        if not self.result.called:
            status = reason.value
            assert isinstance(status, ProcessDone | ProcessTerminated)
            self._fire_result(status.exitCode, status.signal)
        self._stdout.clear()
        self._stderr.clear()

    def _fire_result(
        self, exit_code: int | None, signal: int | None, is_complete: bool = True
    ) -> None:
        output, errors = b"".join(self._stdout), b"".join(self._stderr)
        self.result.callback(Outcome(exit_code, signal, output, errors, is_complete))

    def cancel(self) -> None:
        """Kill the command and ignore its result, unless there is one already."""
        if not self.result.called:
            self.result.addErrback(lambda _: None)
            self.result.cancel()

    def _kill(self) -> None:
        # For a command that has exited, processEnded is about to be called.
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def write_stdin(self, file: Readable) -> None:
        """
        Write a file to the standard input of the command, then close the input.

        The command must have been spawned with C{stdin="w"}. It may end before
        everything is written. If the file cannot be read, L{result} fails.
        """
        sent = _FileSender().beginFileTransfer(file, self.transport)
        sent.addCallbacks(lambda _: self.transport.closeStdin(), self._write_failed)

    def _write_failed(self, failure: Failure) -> None:
        # Otherwise the command has closed its input, or has ended.
        if failure.check(OSError):
            self._kill()
            if not self.result.called:
                self.result.errback(failure)


class _FileSender(FileSender):
    """Fails, instead of raising an error, if the file cannot be read."""

    def resumeProducing(self) -> None:
        try:
            super().resumeProducing()
        except OSError:
            self.consumer.unregisterProducer()
            assert self.deferred is not None
            self.deferred.errback()


def python_environment() -> dict[str, str]:
    """Return the environment of a Python process that runs a module of this package."""
    return {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        # Without it, Python looks for its library in the working directory.
        "PATH": os.path.dirname(sys.executable),
    }


def spawn(
    reactor: IReactorProcess,
    command: Command,
    stdin: int | Literal["w"] | None = None,
    max_output: int | None = None,
    extra_descriptors: Mapping[int, int] = MappingProxyType({}),
) -> ChildProcess:
    """
    Start a command.

    It inherits no open file, the signals of a terminal are blocked in it, and
    L{SERVICE_ID} is part of its environment.

    @param stdin: a descriptor for its standard input, C{"w"} for a pipe, or L{None}
        for an empty file.
    @param max_output: as for L{ChildProcess}.
    @param extra_descriptors: further descriptors for it, by their number in the child.
    @raise OSError: it cannot be started: it is missing, its arguments are too long, or
        there are too many processes or open files.
    """
    if stdin is None:
        with open(os.devnull, "rb") as devnull:
            return spawn(
                reactor, command, devnull.fileno(), max_output, extra_descriptors
            )
    child = ChildProcess(max_output)
    with block_terminal_signals():
        reactor.spawnProcess(
            child,
            command.executable,
            (os.path.basename(command.executable), *command.arguments),
            env={**command.environment, SERVICE_ID_VARIABLE: SERVICE_ID},
            childFDs={0: stdin, 1: "r", 2: "r", **extra_descriptors},
        )
    return child
