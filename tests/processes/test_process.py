"""
Tests of running commands: in memory, and a few for real.
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

from twisted_quotes.processes.process import MAX_STDERR_BYTES, Command, Outcome, spawn
from twisted_quotes.processes.reaper import SERVICE_ID_VARIABLE

from ..fakes import FakeProcess, FakeReactor

COMMAND = Command("/bin/tool", ("-x", "y"), {"A": "b"})


class UnreadableFile:
    """A file on a broken disk."""

    def read(self, size: int, /) -> bytes:
        """Fail, as reading such a file does."""
        raise OSError("broken")


class RunTests(SynchronousTestCase):
    """What becomes of a command, in memory."""

    def setUp(self) -> None:
        """Make a reactor."""
        self.reactor = FakeReactor()

    def test_a_command_is_run_as_it_says(self) -> None:
        """Its name, arguments and environment are all that it gets."""
        spawn(self.reactor, COMMAND, 7)
        [process] = self.reactor.processes
        self.assertEqual(process.executable, "/bin/tool")
        self.assertEqual(process.arguments, ("tool", "-x", "y"))
        self.assertEqual(process.environment, {"A": "b"})

    def test_what_is_run_is_marked(self) -> None:
        """So that it is found should the service be killed."""
        marks = []

        class Reactor(FakeReactor):
            """Notes the marks."""

            def spawnProcess(self, *how: Any, **more: Any) -> FakeProcess:
                """Note the mark."""
                marks.append(more["env"][SERVICE_ID_VARIABLE])
                return super().spawnProcess(*how, **more)

        for _ in range(2):
            spawn(Reactor(), COMMAND, 7)
        self.assertEqual(len(set(marks)), 1)
        self.assertGreater(len(marks[0]), 20)

    def test_its_file_descriptors_are_told(self) -> None:
        """What it reads is given, what it says is collected."""
        spawn(self.reactor, COMMAND, 7)
        [process] = self.reactor.processes
        self.assertEqual(process.child_fds, {0: 7, 1: "r", 2: "r"})

    def test_the_outcome_has_all_that_was_said(self) -> None:
        """Output and errors are put together from their pieces."""
        child = spawn(self.reactor, COMMAND)
        [process] = self.reactor.processes
        process.print(b"o", b"e")
        process.print(b"ut", b"rr")
        process.end(3)
        self.assertEqual(
            self.successResultOf(child.result), Outcome(3, None, b"out", b"err")
        )
        self.assertIsNone(self.successResultOf(child.ended))

    def test_of_many_errors_the_first_are_kept(self) -> None:
        """A command that floods its standard error takes no memory."""
        child = spawn(self.reactor, COMMAND)
        [process] = self.reactor.processes
        for _ in range(100):
            process.print(errors=b"x" * 1000)
        process.end(2)
        outcome = self.successResultOf(child.result)
        self.assertEqual(len(outcome.stderr), MAX_STDERR_BYTES)

    def test_a_signal_is_part_of_the_outcome(self) -> None:
        """A command that was killed has no exit code."""
        child = spawn(self.reactor, COMMAND)
        self.reactor.processes[0].end(0, 9)
        self.assertEqual(self.successResultOf(child.result), Outcome(None, 9, b"", b""))

    def test_cancelling_answers_at_once_and_kills(self) -> None:
        """The end comes later, and what is still said is forgotten."""
        child = spawn(self.reactor, COMMAND)
        [process] = self.reactor.processes
        child.result.cancel()
        self.failureResultOf(child.result, CancelledError)
        self.assertEqual(process.signals, ["KILL"])
        self.assertNoResult(child.ended)
        process.print(b"late", b"late")
        process.end(0, 9)
        self.successResultOf(child.ended)

    def test_a_failing_spawn_is_told_at_once(self) -> None:
        """Nothing is left to wait for."""
        self.reactor.spawn_error = OSError("no more")
        self.assertRaises(OSError, spawn, self.reactor, COMMAND)

    def test_a_spawn_leaves_the_signals_as_they_were(self) -> None:
        """They are blocked only while the command is started."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
        spawn(self.reactor, COMMAND)
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, set()), before)

    def test_a_file_is_fed_whole(self) -> None:
        """Then the standard input is closed."""
        child = spawn(self.reactor, COMMAND, "w")
        [process] = self.reactor.processes
        self.assertEqual(process.child_fds[0], "w")
        child.write_stdin(io.BytesIO(b"x" * 100_000))
        self.assertEqual((len(process.written), process.closed), (100_000, [0]))

    def test_a_file_that_cannot_be_read_fails_the_command(self) -> None:
        """Half a file must not look like a whole one."""
        child = spawn(self.reactor, COMMAND, "w")
        child.write_stdin(UnreadableFile())
        self.assertEqual(self.reactor.processes[0].signals, ["KILL"])
        self.failureResultOf(child.result, OSError)

    def test_a_cancelled_command_is_fed_in_vain(self) -> None:
        """What cannot be read for it is no failure any more."""
        child = spawn(self.reactor, COMMAND, "w")
        child.result.cancel()
        child.write_stdin(UnreadableFile())
        self.failureResultOf(child.result, CancelledError)


class RealProcessTests(TestCase):
    """What the operating system makes of it."""

    async def run_for_real(
        self, executable: str, *arguments: str, stdin: int | None = None
    ) -> Outcome:
        """Run a command to its end."""
        from twisted.internet import reactor

        command = Command(executable, arguments, {})
        child = spawn(reactor, command, stdin)
        outcome = await child.result
        await child.ended
        return outcome

    async def test_a_command_reads_the_file_it_was_given(self) -> None:
        """An open file becomes its standard input."""
        with tempfile.TemporaryFile() as file:
            file.write(b"hello")
            file.seek(0)
            outcome = await self.run_for_real("/bin/cat", stdin=file.fileno())
        self.assertEqual(outcome, Outcome(0, None, b"hello", b""))

    async def test_a_command_is_hit_by_no_terminal_signal(self) -> None:
        """All that a terminal sends is blocked in it."""
        outcome = await self.run_for_real("/bin/cat", "/proc/self/status")
        found = re.search(rb"SigBlk:\s*([0-9a-f]+)", outcome.stdout)
        assert found is not None
        blocked = int(found[1], 16)
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP"):
            self.assertTrue(blocked >> (signal.Signals[name] - 1) & 1, name)

    async def test_a_command_has_no_file_of_ours(self) -> None:
        """Only its three standard ones are open, and what it opens itself."""
        with tempfile.TemporaryFile() as ours:
            os.set_inheritable(ours.fileno(), True)
            outcome = await self.run_for_real("/bin/ls", "/proc/self/fd")
        self.assertEqual(outcome.stdout.split(), [b"0", b"1", b"2", b"3"])

    async def test_a_command_with_nothing_to_read_is_at_the_end(self) -> None:
        """Without a standard input it reads nothing, and does not wait."""
        self.assertEqual((await self.run_for_real("/bin/cat")).stdout, b"")

    async def test_a_cancelled_command_is_gone(self) -> None:
        """It is killed, although the signals of terminals are blocked."""
        from twisted.internet import reactor

        command = Command("/bin/sleep", ("60",), {})
        child = spawn(reactor, command)
        pid = child.transport.pid
        child.result.cancel()
        with self.assertRaises(CancelledError):
            await child.result
        await child.ended
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    async def test_a_missing_command_cannot_be_run(self) -> None:
        """It is told at once."""
        from twisted.internet import reactor

        command = Command("/no/such/tool", (), {})
        self.assertRaises(OSError, spawn, reactor, command)

    async def test_a_command_may_leave_its_input_unread(self) -> None:
        """One that ends early is no failure, however much is left to feed."""
        from twisted.internet import reactor

        command = Command("/bin/grep", ("-m1", "x"), {})
        child = spawn(reactor, command, "w")
        child.write_stdin(io.BytesIO(b"x\n" * 1_000_000))
        self.assertEqual((await child.result).stdout, b"x\n")
        await child.ended


class OutputTests(SynchronousTestCase):
    """Tests of commands that say too much."""

    def test_a_command_that_says_too_much_is_killed(self) -> None:
        """It is answered with what it has said, and ends when it is gone."""
        reactor = FakeReactor()
        child = spawn(reactor, Command("/bin/yes", (), {}), max_output=5)
        [process] = reactor.processes
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
