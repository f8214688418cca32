"""
Tests of the whole benchmark as a process, with two servers and one load.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bench.memory import descendants
from bench.servers import ROOT

from ..integration.http_connection import TIMEOUT
from ..integration.server import has_exited, wait_until

COMMAND = [
    *(sys.executable, "-m", "bench", "quick", "--rounds=1", "--seconds=1"),
    *("--server=ours", "--server=webhook"),
]


class SmokeTests(SynchronousTestCase):
    def setUp(self) -> None:
        """Make a folder; skip the test if wrk or webhook is missing."""
        missing = [name for name in ("wrk", "webhook") if which(name) is None]
        if missing:
            reason = f"not installed: {' '.join(missing)}"
            if os.environ.get("CI"):
                self.fail(reason)
            raise SkipTest(reason)
        self.folder = Path(self.enterContext(TemporaryDirectory()))
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()

    def start(self, *options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, f"--output={self.folder}", *options],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(process.__exit__, None, None, None)
        self.addCleanup(process.kill)
        return process

    def test_a_run_compares_two_servers(self) -> None:
        """The ratio is printed and written to a file."""
        process = self.start("--load=distinct-1")
        printed, _ = process.communicate(timeout=2 * TIMEOUT)
        self.assertEqual(process.returncode, 0, printed)
        self.assertIn("all servers give the same results", printed)
        self.assertRegex(printed, r"\| webhook +\| .* \d+\.\d\d \(")
        data = json.loads((self.folder / "performance.json").read_text("utf-8"))
        for name, outcome in data["loads"]["distinct-1"]["contestants"].items():
            self.assertEqual(outcome["failures"], [], name)
            [numbers] = outcome["numbers"]
            self.assertGreater(numbers["rate"], 0, name)
        [target] = [each for each in data["targets"] if each["seen"]]
        self.assertIn(target["verdict"], ("reached", "missed"))
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_an_interrupted_run_leaves_nothing_behind(self) -> None:
        """All servers are stopped, and all files are removed."""
        process = self.start("--load=popular-64", "--seconds=60")
        assert process.stdout is not None
        for line in process.stdout:
            if "all servers give the same results" in line:
                break
        family = descendants(process.pid)[1:]
        # At least the two servers.
        self.assertGreaterEqual(len(family), 2)
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 130, printed)
        self.assertIn("interrupted", printed)
        wait_until(lambda: all(map(has_exited, family)), "the end of all processes")
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_an_unknown_name_is_an_error(self) -> None:
        """The message has the name of the load or server."""
        for option, message in (
            ("--load=no-such", "There is no load no-such."),
            ("--server=no-such", "There is no server no-such."),
        ):
            process = self.start(option)
            printed, _ = process.communicate(timeout=2 * TIMEOUT)
            self.assertEqual(process.returncode, 1, printed)
            self.assertIn(message, printed)
