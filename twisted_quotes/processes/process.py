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

from .reaper import MARK
from .signals import kept_from_children

MOST_ERRORS = 64 * 1024
"""How many bytes of a command's standard error are kept."""

SERVICE = token_hex(16)
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

    @ivar status: its exit code, or L{None} when a signal ended it.
    @ivar signal: that signal, or L{None}.
    @ivar output: all of its standard output.
    @ivar errors: the beginning of its standard error.
    @ivar is_whole: whether the output is all that there was, or would have been.
    """

    status: int | None
    signal: int | None
    output: bytes
    errors: bytes
    is_whole: bool = True


class Child(ProcessProtocol):
    """
    One running command.

    @param most_output: after how many bytes of output it is killed, and
        answered with those; L{None} for never.

    @ivar answered: fires with the L{Outcome}. Cancelling it kills the command
        and fails it at once with L{CancelledError
        <twisted.internet.defer.CancelledError>}, while the command may still
        be dying.
    @ivar ended: fires with L{None} when the command is gone for good.
    """

    transport: IProcessTransport

    def __init__(self, most_output: int | None = None) -> None:
        self._room = most_output
        self._errors_room = MOST_ERRORS
        self.answered: Deferred[Outcome] = Deferred(lambda _: self._kill())
        self.ended: Deferred[None] = Deferred()
        self._output: list[bytes] = []
        self._errors: list[bytes] = []

    def outReceived(self, data: bytes) -> None:
        """Keep a piece of the standard output, while somebody waits for it."""
        if self.answered.called:
            return
        self._output.append(data)
        if self._room is not None:
            self._room -= len(data)
            if self._room <= 0:
                self._kill()
                output, errors = b"".join(self._output), b"".join(self._errors)
                self.answered.callback(Outcome(0, None, output, errors, False))

    def errReceived(self, data: bytes) -> None:
        """Keep the beginning of the standard error, while somebody waits for it."""
        if not self.answered.called and self._errors_room > 0:
            self._errors.append(data[: self._errors_room])
            self._errors_room -= len(data)

    def processEnded(self, reason: Failure) -> None:
        """The command has exited, and its pipes are at their end."""
        # Who is answered may ask again at once, and finds the place free.
        self.ended.callback(None)
        if not self.answered.called:
            ended = reason.value
            assert isinstance(ended, ProcessDone | ProcessTerminated)
            output, errors = b"".join(self._output), b"".join(self._errors)
            outcome = Outcome(ended.exitCode, ended.signal, output, errors)
            self.answered.callback(outcome)
        self._output.clear()
        self._errors.clear()

    def give_up(self) -> None:
        """Kill the command if it has not answered: nobody waits for it."""
        if not self.answered.called:
            self.answered.addErrback(lambda _: None)
            self.answered.cancel()

    def _kill(self) -> None:
        # One that ended by itself has its processEnded on its way.
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def feed(self, file: Readable) -> None:
        """
        Write a file to the command's standard input, then close that.

        The command must have been spawned with C{stdin="w"}. One that has seen
        enough may end before all is written; a file that cannot be read to its
        end fails L{answered}.
        """
        sent = FileSender().beginFileTransfer(
            _Watched(file, self._fail), self.transport
        )
        sent.addCallbacks(
            lambda _: self.transport.closeStdin(),
            lambda _: None,  # It has closed its input: processEnded tells the rest.
        )

    def _fail(self) -> None:
        self._kill()
        if not self.answered.called:
            self.answered.errback()


@dataclass(frozen=True)
class _Watched:
    """A file that tells when it cannot be read, as L{FileSender} does not."""

    file: Readable
    failed: Callable[[], None]

    def read(self, size: int) -> bytes:
        try:
            return self.file.read(size)
        except OSError:
            self.failed()
            return b""


def run(
    reactor: IReactorProcess,
    command: Command,
    stdin: int | Literal["w"] | None = None,
    most_output: int | None = None,
    also: Mapping[int, int] = MappingProxyType({}),
) -> Child:
    """
    Start a command that keeps no terminal signal and no open file of ours.

    Its environment says whose it is, should it be orphaned.

    @param stdin: an open file for its standard input, C{"w"} for a pipe that
        is written to here, or L{None} for nothing to read.
    @param most_output: after how many bytes of output it is killed, and answered
        with those; L{None} for never.
    @param also: more open files for it, each by the number that it has there.
    @raise OSError: it could not be started: missing, too many processes or
        files, arguments too long.
    """
    if stdin is None:
        with open(os.devnull, "rb") as nothing:
            return run(reactor, command, nothing.fileno(), most_output, also)
    child = Child(most_output)
    with kept_from_children():
        reactor.spawnProcess(
            child,
            command.executable,
            (os.path.basename(command.executable), *command.arguments),
            env={**command.environment, MARK: SERVICE},
            childFDs={0: stdin, 1: "r", 2: "r", **also},
        )
    return child
