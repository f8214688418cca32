"""
Faults of the machine: no descriptors, no processes, no room, no time.
"""

from __future__ import annotations

import os
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EAGAIN, EMFILE, ENOMEM
from pathlib import Path
from time import monotonic

from ..integration.cases import one_process
from ..integration.conversation import Conversation, Response
from ..integration.server import UNPRIVILEGED, is_reaper, until
from .cases import BOOK, LOVE, QUOTES, Fault, answers_to, counted, metrics_of

RUNNING = 8
UNITS = (LOVE, QUOTES)

# Becomes part of the server as it starts: see the documentation of site.
SEAM = """
import os
spawn = os.posix_spawnp
def spawn_or_fail(*arguments, **more):
    try:
        with open({path!r}) as file:
            number = int(file.read())
    except FileNotFoundError:
        return spawn(*arguments, **more)
    raise OSError(number, os.strerror(number))
os.posix_spawnp = spawn_or_fail
"""


class MachineFault(Fault):
    """A fault of the machine that the server runs on."""

    def ask(self, count: int = 4) -> list[Conversation]:
        """Look so many times for lines and for quotes, all at once."""
        return [
            self.server.connect().ask({**what, "dictionary": "book"})
            for what in UNITS
            for _ in range(count)
        ]

    @contextmanager
    def limited(self, what: int, soft: int) -> Iterator[None]:
        """Lower a limit of the server, then raise it again."""
        before = self.limit(what, soft)
        try:
            yield
        finally:
            self.limit(what, before)

    def limit(self, what: int, soft: int) -> int:
        """Set a limit of the server; return what it was."""
        for pid in self.server.serving:
            before, hard = resource.prlimit(pid, what)
            resource.prlimit(pid, what, (soft, hard))
        return before


@one_process("how many files are open is told of one process")
class DescriptorTests(MachineFault):
    """Tests of file descriptors that become few."""

    done = "RLIMIT_NOFILE lowered to what is open and a few more"
    promised = "whole answers, 200 or 503, to who is connected; no other hangs"

    def limit_with_room_for(self, free: int) -> int:
        """The limit that leaves so many descriptors."""
        folder = f"/proc/{self.server.process.pid}/fd"
        taken = {int(name) for name in os.listdir(folder)}
        limit = 0
        while free >= 0 or limit in taken:
            free -= limit not in taken
            limit += 1
        return limit - 1

    def begin(self) -> list[Conversation]:
        """Have few of them for those who are connected."""
        conversations = [self.server.connect().get("/livez") for _ in range(8)]
        for each in conversations:
            each.response()
        self.limit(resource.RLIMIT_NOFILE, self.limit_with_room_for(3))
        return [each.ask({**LOVE, "dictionary": "book"}) for each in conversations]

    def make(self) -> str:
        """Ask with fewer and fewer of them."""
        answers: list[Response] = []
        kept = [self.server.connect().get("/livez") for _ in range(8)]
        for each in kept:
            each.response()
        closed = 0
        for free in (20, 10, 6, 4, 3, 2, 1, 0):
            limit = self.limit_with_room_for(free)
            with self.limited(resource.RLIMIT_NOFILE, limit):
                answers += self.ask_on(kept)
                closed += self.count_turned_away(free + 4)
        for each in kept:
            each.close()
        self.assertGreater(closed, 0)
        for answer in answers:
            if answer.status != 200:
                self.check_error(answer, 503)
                self.assertIn("retry-after", answer.headers)
        self.server.logged("needs what the machine has not: .*Too many open files")
        return f"{counted(answers)}, {closed} closed that came too many"

    def ask_on(self, kept: list[Conversation]) -> Iterator[Response]:
        """Ask questions of all kinds at once, and see that what is found is all."""
        questions: list[tuple[dict[str, object], int]] = [
            ({"action": "list"}, 2),
            ({**LOVE, "dictionary": "book"}, 40),
            ({**QUOTES, "dictionary": "book"}, 40),
            ({**LOVE, "dictionary": "*"}, 41),
        ]
        asked = [
            (conversation.ask(question), count)
            for conversation, (question, count) in zip(kept, questions * 2, strict=True)
        ]
        for conversation, count in asked:
            answer = conversation.response()
            if answer.status == 200:
                self.assertEqual(answer.json()["nr of entries"], count)
            yield answer

    def count_turned_away(self, count: int) -> int:
        """Have more clients come at once; count those who are closed at once."""
        closed = 0
        for conversation in [self.server.connect() for _ in range(count)]:
            try:
                conversation.ask({**LOVE, "dictionary": "book"})
                answer = conversation.response()
            except ConnectionError:
                closed += 1
            else:
                if answer.status != 200:
                    self.check_error(answer, 503)
            conversation.close()
        return closed


class SpawnTests(MachineFault):
    """Tests of processes that cannot be had."""

    done = "spawning a process fails with EAGAIN, ENOMEM, EMFILE"
    promised = "503 with Retry-After, counted and logged, no place lost"
    options = (f"--max-running={RUNNING}", "--cache-bytes=0", "--search-together=no")

    def prepare(self) -> None:
        """Write what makes spawning fail."""
        self.failing = self.folder / "failing"
        self.seam = self.folder / "seam"
        self.seam.mkdir()
        code = SEAM.format(path=str(self.failing))
        (self.seam / "sitecustomize.py").write_text(code)

    def environment(self) -> dict[str, str]:
        """Have the server find that."""
        return {"PYTHONPATH": str(self.seam)}

    def begin(self) -> list[Conversation]:
        """Have it fail while greps run and searches wait."""
        self.grep.hang()
        before = self.ask(RUNNING)
        self.grep.wait_for_hanging(RUNNING)
        self.failing.write_text(str(EAGAIN))
        for pid in self.server.children():
            os.kill(pid, signal.SIGKILL)
        return before + self.ask()

    def make(self) -> str:
        """Search more often than there are places."""
        answers = []
        for number in (EAGAIN, ENOMEM, EMFILE):
            before = self.failures()
            self.failing.write_text(str(number))
            answers += answers_to(self.ask(RUNNING))
            answers.append(self.server.get("/wait?seconds=0"))
            self.failing.unlink()
            self.assertEqual(self.failures() - before, 2 * RUNNING)
            self.server.logged(
                f"needs what the machine has not: .*{os.strerror(number)}"
            )
        for answer in answers:
            self.check_error(answer, 503)
            self.assertIn("retry-after", answer.headers)
        return f"{counted(answers)}, searches and a /wait each"

    def failures(self) -> int:
        """How many processes could not be started so far."""
        return int(metrics_of(self.server)["quotes_spawn_failures_total"])


class CacheFault(MachineFault):
    """
    A fault of the folder of indexes. There is one of the book, and of none of two
    dictionaries that are new each time: a small and a large one.
    """

    options = ("--cache-bytes=0",)

    def environment(self) -> dict[str, str]:
        """Say where the folder is."""
        self.cache = self.folder / "cache"
        return {"TWISTED_QUOTES_CACHE_DIR": str(self.cache)}

    def write_new(self) -> list[str]:
        """Write the two; return their names."""
        for name, times in (("small", 1), ("large", 5000)):
            new = self.folder / "new"
            new.write_text(BOOK * times)
            new.rename(self.library / name)
        self.assertGreater((self.library / "large").stat().st_size, 4 * 2**20)
        return ["small", "large"]

    def begin(self) -> list[Conversation]:
        """Ask for indexes that cannot be made."""
        self.harm()
        return [
            self.server.connect().ask({**what, "nresults": 1, "dictionary": name})
            for name in self.write_new()
            for what in UNITS
        ]

    def harm(self) -> None:
        """Have no index be made."""
        raise NotImplementedError

    def mend(self) -> None:
        """Have them be made again."""
        raise NotImplementedError

    def make(self) -> str:
        """Look what each gets, and look again when it is over."""
        answers = answers_to(self.begin())
        self.check_answers()
        for answer, unit in zip(answers, ("line", "quote") * 2, strict=True):
            if unit == "line":
                self.assertEqual(answer.status, 200, answer)
            else:
                self.check_error(answer, 503)
                self.assertIn("an index of that dictionary", answer.json()["message"])
                self.assertIn("retry-after", answer.headers)
        self.server.logged("No index was made.")
        self.server.logged(self.reason)
        self.assertEqual(self.leftovers(), [])
        self.mend()
        for name in ("small", "large"):
            answer = self.server.ask({**QUOTES, "nresults": 1, "dictionary": name})
            self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.leftovers(), [])
        for name in ("small", "large"):
            (self.library / name).unlink()
        return f"lines and quotes, small and large: {counted(answers)}"

    reason = ""

    def leftovers(self) -> list[str]:
        """What is in the folder that is no index."""
        return [each for each in os.listdir(self.cache) if "building" in each]


class FullDiskTests(CacheFault):
    """Tests of a disk that has no room for an index."""

    done = "no room for indexes (RLIMIT_FSIZE)"
    promised = "lines as ever, 503 for quotes, the log has the reason, no leftovers"
    reason = "File too large"

    def harm(self) -> None:
        """Have room for some hundred bytes."""
        self.room = self.limit(resource.RLIMIT_FSIZE, 100)

    def mend(self) -> None:
        """Have as much room as before."""
        self.limit(resource.RLIMIT_FSIZE, self.room)


class UnwritableCacheTests(CacheFault):
    """Tests of a folder of indexes that may not be written to."""

    done = "the folder of indexes made unwritable"
    promised = "lines as ever, indexes that are there used, else a 503 for quotes"
    prefix = UNPRIVILEGED
    reason = "Permission denied"

    def harm(self) -> None:
        """Take the right to write to it away."""
        self.cache.chmod(0o500)
        self.addCleanup(self.cache.chmod, 0o700)

    def mend(self) -> None:
        """Give it back."""
        self.cache.chmod(0o700)


class RemovedCacheTests(CacheFault):
    """Tests of a folder of indexes that is removed."""

    done = "the folder of indexes removed"
    promised = "it is made again, and so are the indexes"

    def harm(self) -> None:
        """Remove it."""
        self.cache.rename(self.folder / f"cache-{monotonic()}")

    def make(self) -> str:
        """Look whether all are made anew."""
        answers = answers_to(self.begin())
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
        self.check_answers()
        self.assertEqual(len(os.listdir(self.cache)), 3)
        return counted(answers)


class StoppedTests(MachineFault):
    """Tests of a service that stands still for a while."""

    done = "SIGSTOP for 2 s, then SIGCONT; 8 running, 8 waiting, 18 ask meanwhile"
    promised = "all answered; of all limits, of 1.5 s, only --timeout has run out"
    options = (
        *(f"--max-running={RUNNING}", "--cache-bytes=0"),
        *(f"--{name}timeout=1.5" for name in ("", "request-", "idle-")),
    )

    def begin(self) -> list[Conversation]:
        """Stop it, have clients begin to ask, or go on with that, and continue it."""
        self.grep.hang()
        asked = self.ask(RUNNING)
        self.grep.wait_for_hanging(RUNNING)
        self.grep.be_real()
        idle, half = self.server.connect(), self.server.connect()
        idle.get("/livez").response()
        half.send(b"GET /livez HTTP/1.1\r\n")
        # What it has been sent before is read before this is answered.
        self.assertEqual(self.server.get("/livez").status, 200)
        self.signal(signal.SIGSTOP)
        until(self.stands_still, "its standing still")
        end = monotonic() + 2
        asked += [
            *self.ask(RUNNING),
            idle.get("/livez"),
            half.send(b"Host: localhost\r\n\r\n"),
        ]
        until(lambda: monotonic() > end, "two seconds")
        self.signal(signal.SIGCONT)
        return asked

    def signal(self, number: int) -> None:
        """Send a signal to all that serve, and to who looks after them."""
        for pid in {self.server.process.pid, *self.server.serving}:
            os.kill(pid, number)

    def stands_still(self) -> bool:
        """Whether it is stopped."""
        stats = (Path(f"/proc/{pid}/stat") for pid in self.server.serving)
        states = (each.read_text().rpartition(")")[2].split()[0] for each in stats)
        return set(states) == {"T"}

    def make(self) -> str:
        """Look what each gets."""
        answers = answers_to(self.begin())
        codes = Counter(each.status for each in answers)
        self.assertEqual(codes, {200: 3 * RUNNING + 2, 504: RUNNING})
        return counted(answers)


class ReaperTests(MachineFault):
    """Tests of the process that outlives the service, should that be killed."""

    done = "the reaper killed"
    promised = "an error in the log, and the service goes on"

    def begin(self) -> list[Conversation]:
        """Kill it while searches are under way."""
        asked = self.ask()
        for pid in filter(is_reaper, self.server.all_children()):
            os.kill(pid, signal.SIGKILL)
        return asked + self.ask()

    def make(self) -> str:
        """Look for the error."""
        answers = answers_to(self.begin())
        self.assertEqual({each.status for each in answers}, {200})
        error = r"error\] If the service is killed, what it runs may go on: .*signal=9"
        self.server.logged(error)
        return f"{counted(answers)}, logged"
