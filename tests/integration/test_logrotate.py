"""
Tests of the access log with the real logrotate, under load.
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
    A client that sends requests with unique names.

    @ivar response_count: the number of responses.
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
        """The names that it has requested."""
        return {f"{self._name}.{number}" for number in range(self.response_count)}


class RotationTests(LibraryTestCase):
    """Tests of the configuration of logrotate."""

    def setUp(self) -> None:
        """Adapt the configuration to an access log in the folder of the test."""
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
        """Run logrotate without errors; return its messages."""
        completed = subprocess.run(
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
        self.assertEqual(completed.returncode, 0, completed.stderr)
        self.assertNotIn("error", completed.stderr)
        return completed.stderr

    def log_files(self) -> list[Path]:
        """Return the access log and the rotated files."""
        return sorted(self.folder.glob("access.log*"))

    def read_lines(self) -> list[str]:
        """Return the lines of all of them."""
        lines: list[str] = []
        for path in self.log_files():
            open_file = gzip.open if path.suffix == ".gz" else open
            with open_file(path, "rt") as file:
                lines += file.read().splitlines()
        return lines

    def test_logrotate_accepts_the_configuration(self) -> None:
        """With and without a log."""
        self.assertIn("does not exist -- skipping", self.logrotate("--debug"))
        self.log.write_text("line\n")
        self.assertIn("14 rotations", self.logrotate("--debug"))

    def test_no_line_is_lost_in_a_rotation(self) -> None:
        """Each request has exactly one line."""
        server = self.serve(f"--access-log={self.log}")
        stop_event = Event()
        clients = [
            PollingClient(server, f"v{number}", stop_event) for number in range(4)
        ]
        for _ in range(ROTATIONS):
            wait_until(lambda: self.log.exists() and self.log.stat().st_size, "a line")
            self.logrotate("--force")
        wait_until(lambda: self.log.exists() and self.log.stat().st_size, "a line")
        stop_event.set()
        for client in clients:
            client.thread.join(TIMEOUT)
        server.stop()
        names = [path.name.removeprefix("access.log") for path in self.log_files()]
        compressed = [f".{number}.gz" for number in range(2, ROTATIONS + 1)]
        self.assertEqual(names, ["", ".1", *compressed])
        names_in_log = re.findall(
            r'"GET /livez\?(\S+) HTTP', "\n".join(self.read_lines())
        )
        self.assertEqual(
            len(names_in_log), sum(client.response_count for client in clients)
        )
        self.assertEqual(
            set(names_in_log), set().union(*(each.requested_names for each in clients))
        )
