"""
The access log under the real logrotate, while requests are answered.
"""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path
from threading import Event, Thread

from .cases import LibraryTestCase, find_program
from .http_connection import TIMEOUT
from .server import ROOT, Server, wait_until

ROTATION = ROOT / "deploy" / "twisted_quotes.logrotate"
ROTATIONS = 6


class PollingClient:
    """
    One that asks again and again, for something else each time.

    @ivar response_count: how many times it was answered.
    """

    def __init__(self, server: Server, name: str, stop_event: Event) -> None:
        self.response_count = 0
        self._server = server
        self._name = name
        self._stop_event = stop_event
        self.thread = Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with self._server.connect() as connection:
            while not self._stop_event.is_set():
                connection.send_get(
                    f"/livez?{self._name}.{self.response_count}"
                ).read_response()
                self.response_count += 1

    @property
    def requested_names(self) -> set[str]:
        """What it asked for."""
        return {f"{self._name}.{number}" for number in range(self.response_count)}


class RotationTests(LibraryTestCase):
    """Tests of the access log while logrotate works on it."""

    def setUp(self) -> None:
        """Have logrotate look after a log of this test's."""
        super().setUp()
        (self.library / "book").write_text("love\n")
        self.log = self.folder / "access.log"
        self.configuration = self.folder / "rotation"
        text = ROTATION.read_text()
        self.assertEqual(text.count("/var/log/twisted_quotes/access.log"), 1)
        self.configuration.write_text(
            text.replace("/var/log/twisted_quotes/access.log", str(self.log))
        )
        self.configuration.chmod(0o644)

    def logrotate(self, *options: str) -> str:
        """Run logrotate; it must find nothing wrong."""
        done = subprocess.run(
            [
                find_program("logrotate", "logrotate"),
                *options,
                f"--state={self.folder / 'state'}",
                str(self.configuration),
            ],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("error", done.stderr)
        return done.stderr

    def log_files(self) -> list[Path]:
        """The log and all that came of it."""
        return sorted(self.folder.glob("access.log*"))

    def read_lines(self) -> list[str]:
        """The lines of all of them."""
        found = []
        for path in self.log_files():
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
        stop_event = Event()
        visitors = [
            PollingClient(server, f"v{number}", stop_event) for number in range(4)
        ]
        for _ in range(ROTATIONS):
            wait_until(lambda: self.log.exists() and self.log.stat().st_size, "a line")
            self.logrotate("--force")
        wait_until(lambda: self.log.exists() and self.log.stat().st_size, "a line")
        stop_event.set()
        for visitor in visitors:
            visitor.thread.join(TIMEOUT)
        server.send_signal()
        server.wait_for_exit()
        names = [path.name.removeprefix("access.log") for path in self.log_files()]
        compressed = [f".{number}.gz" for number in range(2, ROTATIONS + 1)]
        self.assertEqual(names, ["", ".1", *compressed])
        visits = re.findall(r'"GET /livez\?(\S+) HTTP', "\n".join(self.read_lines()))
        self.assertEqual(
            len(visits), sum(visitor.response_count for visitor in visitors)
        )
        self.assertEqual(
            set(visits), set().union(*(each.requested_names for each in visitors))
        )
