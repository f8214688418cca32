"""
Tests with requests that Schemathesis makes from the OpenAPI document.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ..integration.server import Server, running_server

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
MAX_EXAMPLES = 15
TIME_LIMIT = 100


class SchemathesisTests(SynchronousTestCase):
    """Tests with all checks of Schemathesis."""

    def check(self, server: Server, *options: str) -> str:
        """Run Schemathesis, and return its report if it finds nothing."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli"),
                *("--config-file", str(CONFIGURATION)),
                *("run", f"{server.url}/openapi.json", "--checks=all", "--no-color"),
                *(f"--max-examples={MAX_EXAMPLES}", "--seed=1"),
                *options,
            ],
            cwd=self.enterContext(tempfile.TemporaryDirectory()),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_it_finds_nothing(self) -> None:
        with running_server() as server:
            self.check(server)

    def test_it_finds_nothing_with_authentication(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        passwords = Path(folder, "passwords")
        passwords.touch(0o600)
        passwords.write_text("alice:correct-horse\n")
        with running_server(f"--auth=file:{passwords}") as server:
            self.check(
                server, "--auth=alice:correct-horse", "--include-path=/api/v1/json"
            )
