"""
Tests for L{twisted_quotes.processes.process}, in memory and with real processes.
"""

from __future__ import annotations

import io
import os
import re
import signal
import tempfile
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_quotes.processes.process import (
    MAX_STDERR_BYTES,
    SERVICE_ID,
    ChildProcess,
    Command,
    Outcome,
    spawn,
)
from twisted_quotes.processes.reaper_process import SERVICE_ID_VARIABLE

from ..fakes import FakeProcess, FakeReactor

COMMAND = Command("/bin/tool", ("-x", "y"), {"A": "b"})


class UnreadableFile:
    """A file on a broken disk."""

    def read(self, size: int, /) -> bytes:
        """Fail."""
        raise OSError("broken")


class SpawnTests(SynchronousTestCase):
    """Tests in memory."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def spawn(
        self, *arguments: Any, **options: Any
    ) -> tuple[ChildProcess, FakeProcess]:
        """Spawn a command; return it as the service and as the reactor see it."""
        child = spawn(self.reactor, COMMAND, *arguments, **options)
        [process] = self.reactor.processes
        return child, process

    def test_a_command_gets_what_it_is_given(self) -> None:
        _, process = self.spawn(7)
        self.assertEqual(process.executable, "/bin/tool")
        self.assertEqual(process.arguments, ("tool", "-x", "y"))
        self.assertEqual(process.environment, {"A": "b"})
        self.assertEqual(process.child_fds, {0: 7, 1: "r", 2: "r"})

    def test_the_outcome_has_all_output(self) -> None:
        child, process = self.spawn()
        process.print(b"o", b"e")
        process.print(b"ut", b"rr")
        process.end(3)
        self.assertEqual(
            self.successResultOf(child.result), Outcome(3, None, b"out", b"err")
        )
        self.assertIsNone(self.successResultOf(child.ended))

    def test_only_the_first_errors_are_kept(self) -> None:
        child, process = self.spawn()
        for _ in range(100):
            process.print(errors=b"x" * 1000)
        process.end(2)
        outcome = self.successResultOf(child.result)
        self.assertEqual(len(outcome.stderr), MAX_STDERR_BYTES)

    def test_a_killed_command_has_no_exit_code(self) -> None:
        child, process = self.spawn()
        process.end(0, 9)
        self.assertEqual(self.successResultOf(child.result), Outcome(None, 9, b"", b""))

    def test_too_much_output_kills_the_command(self) -> None:
        """The result has the output so far, and comes before the end."""
        child, process = self.spawn(max_output=5)
        process.print(b"yes\n")
        self.assertNoResult(child.result)
        process.print(b"yes\n")
        self.assertEqual(
            self.successResultOf(child.result),
            Outcome(0, None, b"yes\nyes\n", b"", is_complete=False),
        )
        self.assertEqual(process.signals, ["KILL"])
        self.assertNoResult(child.ended)
        process.print(b"yes\n")
        process.end(signal=9)
        self.successResultOf(child.ended)

    def test_cancelling_fails_the_result_and_kills_the_command(self) -> None:
        """The command ends later, and its further output is dropped."""
        child, process = self.spawn()
        child.result.cancel()
        self.failureResultOf(child.result, CancelledError)
        self.assertEqual(process.signals, ["KILL"])
        self.assertNoResult(child.ended)
        process.print(b"late", b"late")
        process.end(0, 9)
        self.successResultOf(child.ended)

    def test_a_file_is_written_completely_before_the_input_is_closed(self) -> None:
        child, process = self.spawn("w")
        self.assertEqual(process.child_fds[0], "w")
        child.write_stdin(io.BytesIO(b"x" * 100_000))
        self.assertEqual((len(process.written), process.closed), (100_000, [0]))

    def test_an_unreadable_file_fails_the_result(self) -> None:
        child, process = self.spawn("w")
        child.write_stdin(UnreadableFile())
        self.assertEqual(process.signals, ["KILL"])
        self.failureResultOf(child.result, OSError)

    def test_an_unreadable_file_does_not_matter_after_a_cancel(self) -> None:
        child, _ = self.spawn("w")
        child.result.cancel()
        child.write_stdin(UnreadableFile())
        self.failureResultOf(child.result, CancelledError)


class RealProcessTests(TestCase):
    """Tests with real processes."""

    def spawn(
        self, executable: str, *arguments: str, stdin: Any = None
    ) -> ChildProcess:
        """Spawn a command with an empty environment."""
        from twisted.internet import reactor

        return spawn(reactor, Command(executable, arguments, {}), stdin)

    async def run_command(
        self, executable: str, *arguments: str, stdin: int | None = None
    ) -> Outcome:
        """Run a command until it ends."""
        child = self.spawn(executable, *arguments, stdin=stdin)
        outcome = await child.result
        await child.ended
        return outcome

    async def test_a_command_reads_the_file_that_it_is_given(self) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(b"hello")
            file.seek(0)
            outcome = await self.run_command("/bin/cat", stdin=file.fileno())
        self.assertEqual(outcome, Outcome(0, None, b"hello", b""))

    async def test_a_command_without_a_file_reads_nothing(self) -> None:
        self.assertEqual((await self.run_command("/bin/cat")).stdout, b"")

    async def test_the_environment_has_the_id_of_the_service(self) -> None:
        environment = (await self.run_command("/usr/bin/env")).stdout.decode()
        self.assertEqual(environment, f"{SERVICE_ID_VARIABLE}={SERVICE_ID}\n")

    async def test_terminal_signals_are_blocked_in_a_command(self) -> None:
        outcome = await self.run_command("/bin/cat", "/proc/self/status")
        match = re.search(rb"SigBlk:\s*([0-9a-f]+)", outcome.stdout)
        assert match is not None
        blocked = int(match[1], 16)
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP"):
            self.assertTrue(blocked >> (signal.Signals[name] - 1) & 1, name)

    async def test_a_command_inherits_no_open_file(self) -> None:
        """Descriptor 3 is the directory that the command lists."""
        with tempfile.TemporaryFile() as file:
            os.set_inheritable(file.fileno(), True)
            outcome = await self.run_command("/bin/ls", "/proc/self/fd")
        self.assertEqual(outcome.stdout.split(), [b"0", b"1", b"2", b"3"])

    async def test_a_cancelled_command_ends(self) -> None:
        child = self.spawn("/bin/sleep", "60")
        pid = child.transport.pid
        child.result.cancel()
        with self.assertRaises(CancelledError):
            await child.result
        await child.ended
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    async def test_a_missing_executable_raises(self) -> None:
        self.assertRaises(OSError, self.spawn, "/no/such/tool")

    async def test_a_command_may_leave_its_input_unread(self) -> None:
        child = self.spawn("/bin/grep", "-m1", "x", stdin="w")
        child.write_stdin(io.BytesIO(b"x\n" * 1_000_000))
        self.assertEqual((await child.result).stdout, b"x\n")
        await child.ended
