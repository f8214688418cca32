"""
Tests of the access log with the real logrotate, under load.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from .cases import LibraryTestCase, find_program
from .http_connection import TIMEOUT
from .server import ROOT, Server, wait_until

ROTATION = ROOT / "deploy" / "twisted_quotes.logrotate"
ROTATIONS = 6


def send_requests(server: Server, name: str, stop_event: Event) -> list[str]:
    """Send requests with unique names until the event is set; return the names."""
    names: list[str] = []
    with server.connect() as connection:
        while not stop_event.is_set():
            names.append(f"{name}.{len(names)}")
            connection.send_get(f"/livez?{names[-1]}").read_response()
    return names


class RotationTests(LibraryTestCase):
    """Tests of the configuration of logrotate."""

    dictionaries = {"book": "love\n"}

    def setUp(self) -> None:
        """Adapt the configuration to an access log in the folder of the test."""
        super().setUp()
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
        """Return the lines of the access log and of the rotated files."""
        lines: list[str] = []
        for path in self.log_files():
            open_file = gzip.open if path.suffix == ".gz" else open
            with open_file(path, "rt") as file:
                lines += file.read().splitlines()
        return lines

    def wait_for_line(self) -> None:
        """Wait until the access log has a line."""
        wait_until(lambda: self.log.exists() and self.log.stat().st_size, "a line")

    def wait_until_reopened(self, server: Server) -> None:
        """
        Wait until no process writes to a rotated file.

        A second rotation compresses it; logrotate has a day between two of them.
        """

        def is_reopened() -> bool:
            open_files = set()
            for pid in server.serving_pids:
                for link in Path(f"/proc/{pid}/fd").iterdir():
                    with contextlib.suppress(FileNotFoundError):
                        open_files.add(os.readlink(link))
            return f"{self.log}.1" not in open_files

        wait_until(is_reopened, "the new access log in all processes")

    def test_logrotate_accepts_the_configuration(self) -> None:
        """The access log may be missing."""
        self.assertIn("does not exist -- skipping", self.logrotate("--debug"))
        self.log.write_text("line\n")
        self.assertIn("14 rotations", self.logrotate("--debug"))

    def test_no_line_is_lost_in_a_rotation(self) -> None:
        """Each request has exactly one line."""
        server = self.serve(f"--access-log={self.log}")
        stop_event = Event()
        with ThreadPoolExecutor() as pool:
            clients = [
                pool.submit(send_requests, server, f"v{number}", stop_event)
                for number in range(4)
            ]
            with ExitStack() as stack:
                stack.callback(stop_event.set)
                for _ in range(ROTATIONS):
                    self.wait_for_line()
                    self.wait_until_reopened(server)
                    self.logrotate("--force")
                self.wait_for_line()
        server.stop()
        names = [path.name.removeprefix("access.log") for path in self.log_files()]
        compressed = [f".{number}.gz" for number in range(2, ROTATIONS + 1)]
        self.assertEqual(names, ["", ".1", *compressed])
        logged = re.findall(r'"GET /livez\?(\S+) HTTP', "\n".join(self.read_lines()))
        requested = [name for client in clients for name in client.result()]
        self.assertEqual(sorted(logged), sorted(requested))
