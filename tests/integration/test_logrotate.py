"""
The access log under the real logrotate, while requests are answered.
"""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path
from threading import Event, Thread

from .cases import LibraryTestCase, program
from .conversation import LIMIT
from .server import ROOT, Server, until

ROTATION = ROOT / "deploy" / "twisted_quotes.logrotate"
ROTATIONS = 6


class Visitor:
    """
    One that asks again and again, for something else each time.

    @ivar asked: how many times it was answered.
    """

    def __init__(self, server: Server, name: str, over: Event) -> None:
        self.asked = 0
        self._server = server
        self._name = name
        self._over = over
        self.thread = Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with self._server.connect() as connection:
            while not self._over.is_set():
                connection.get(f"/livez?{self._name}.{self.asked}").response()
                self.asked += 1

    @property
    def visits(self) -> set[str]:
        """What it asked for."""
        return {f"{self._name}.{number}" for number in range(self.asked)}


class RotationTests(LibraryTestCase):
    """Tests of the access log while logrotate works on it."""

    def setUp(self) -> None:
        """Have logrotate look after a log of this test's."""
        super().setUp()
        (self.library / "book").write_text("love\n")
        self.log = self.folder / "access.log"
        self.rotation = self.folder / "rotation"
        text = ROTATION.read_text()
        self.assertEqual(text.count("/var/log/twisted_quotes/access.log"), 1)
        self.rotation.write_text(
            text.replace("/var/log/twisted_quotes/access.log", str(self.log))
        )
        self.rotation.chmod(0o644)

    def logrotate(self, *options: str) -> str:
        """Run logrotate; it must find nothing wrong."""
        done = subprocess.run(
            [
                program("logrotate", "logrotate"),
                *options,
                f"--state={self.folder / 'state'}",
                str(self.rotation),
            ],
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("error", done.stderr)
        return done.stderr

    def files(self) -> list[Path]:
        """The log and all that came of it."""
        return sorted(self.folder.glob("access.log*"))

    def lines(self) -> list[str]:
        """The lines of all of them."""
        found = []
        for path in self.files():
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt") as file:
                found += file.read().splitlines()
        return found

    def test_logrotate_understands_its_file(self) -> None:
        """It would do what it says, with a log and without one."""
        self.assertIn("does not exist -- skipping", self.logrotate("--debug"))
        self.log.write_text("line\n")
        self.assertIn("14 rotations", self.logrotate("--debug"))

    def test_no_line_is_lost(self) -> None:
        """However often the log is rotated, each request has its line, once."""
        server = self.serve(f"--access-log={self.log}")
        over = Event()
        visitors = [Visitor(server, f"v{number}", over) for number in range(4)]
        for _ in range(ROTATIONS):
            until(lambda: self.log.exists() and self.log.stat().st_size, "a line")
            self.logrotate("--force")
        until(lambda: self.log.exists() and self.log.stat().st_size, "a line")
        over.set()
        for visitor in visitors:
            visitor.thread.join(LIMIT)
        server.signal()
        server.ended()
        names = [path.name.removeprefix("access.log") for path in self.files()]
        compressed = [f".{number}.gz" for number in range(2, ROTATIONS + 1)]
        self.assertEqual(names, ["", ".1", *compressed])
        visits = re.findall(r'"GET /livez\?(\S+) HTTP', "\n".join(self.lines()))
        self.assertEqual(len(visits), sum(visitor.asked for visitor in visitors))
        self.assertEqual(set(visits), set().union(*(each.visits for each in visitors)))
