"""
Running any executable: spawn it, collect what it says, kill it when nobody waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from types import MappingProxyType
from typing import Literal

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure

from twisted_quotes.text.lines import Readable

from .reaper import SERVICE_ID_VARIABLE
from .signals import block_terminal_signals

MAX_STDERR_BYTES = 64 * 1024
"""How many bytes of a command's standard error are kept."""

SERVICE_ID = token_hex(16)
"""Marks what this process starts, and nothing else."""


@dataclass(frozen=True)
class Command:
    """
    What to run.

    @ivar executable: its absolute path.
    @ivar arguments: the arguments after its name.
    @ivar environment: all of its environment.
    """

    executable: str
    arguments: tuple[str | bytes, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """
    How a command ended.

    @ivar exit_code: its exit code, or L{None} when a signal ended it.
    @ivar signal: that signal, or L{None}.
    @ivar stdout: all of its standard output.
    @ivar stderr: the beginning of its standard error.
    @ivar is_complete: whether the output is all that there was, or would have been.
    """

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    is_complete: bool = True


class ChildProcess(ProcessProtocol):
    """
    One running command.

    @param max_output: after how many bytes of output it is killed, and
        answered with those; L{None} for never.

    @ivar result: fires with the L{Outcome}. Cancelling it kills the command
        and fails it at once with L{CancelledError
        <twisted.internet.defer.CancelledError>}, while the command may still
        be dying.
    @ivar ended: fires with L{None} when the command is gone for good.
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
        """Keep a piece of the standard output, while somebody waits for it."""
        if self.result.called:
            return
        self._stdout.append(data)
        if self._stdout_remaining is not None:
            self._stdout_remaining -= len(data)
            if self._stdout_remaining <= 0:
                self._kill()
                output, errors = b"".join(self._stdout), b"".join(self._stderr)
                self.result.callback(Outcome(0, None, output, errors, False))

    def errReceived(self, data: bytes) -> None:
        """Keep the beginning of the standard error, while somebody waits for it."""
        if not self.result.called and self._stderr_remaining > 0:
            self._stderr.append(data[: self._stderr_remaining])
            self._stderr_remaining -= len(data)

    def processEnded(self, reason: Failure) -> None:
        """The command has exited, and its pipes are at their end."""
        # Who is answered may ask again at once, and finds the place free.
        self.ended.callback(None)
        if not self.result.called:
            ended = reason.value
            assert isinstance(ended, ProcessDone | ProcessTerminated)
            output, errors = b"".join(self._stdout), b"".join(self._stderr)
            outcome = Outcome(ended.exitCode, ended.signal, output, errors)
            self.result.callback(outcome)
        self._stdout.clear()
        self._stderr.clear()

    def cancel(self) -> None:
        """Kill the command if it has not answered: nobody waits for it."""
        if not self.result.called:
            self.result.addErrback(lambda _: None)
            self.result.cancel()

    def _kill(self) -> None:
        # One that ended by itself has its processEnded on its way.
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def write_stdin(self, file: Readable) -> None:
        """
        Write a file to the command's standard input, then close that.

        The command must have been spawned with C{stdin="w"}. One that has seen
        enough may end before all is written; a file that cannot be read to its
        end fails L{result}.
        """
        sent = FileSender().beginFileTransfer(
            _MonitoredFile(file, self._read_failed), self.transport
        )
        sent.addCallbacks(
            lambda _: self.transport.closeStdin(),
            lambda _: None,  # It has closed its input: processEnded tells the rest.
        )

    def _read_failed(self) -> None:
        self._kill()
        if not self.result.called:
            self.result.errback()


@dataclass(frozen=True)
class _MonitoredFile:
    """A file that tells when it cannot be read, as L{FileSender} does not."""

    file: Readable
    read_failed: Callable[[], None]

    def read(self, size: int) -> bytes:
        try:
            return self.file.read(size)
        except OSError:
            self.read_failed()
            return b""


def spawn(
    reactor: IReactorProcess,
    command: Command,
    stdin: int | Literal["w"] | None = None,
    max_output: int | None = None,
    extra_descriptors: Mapping[int, int] = MappingProxyType({}),
) -> ChildProcess:
    """
    Start a command that keeps no terminal signal and no open file of ours.

    Its environment says whose it is, should it be orphaned.

    @param stdin: an open file for its standard input, C{"w"} for a pipe that
        is written to here, or L{None} for nothing to read.
    @param max_output: after how many bytes of output it is killed, and answered
        with those; L{None} for never.
    @param extra_descriptors: more open files for it, each by the number that it has
        there.
    @raise OSError: it could not be started: missing, too many processes or
        files, arguments too long.
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
