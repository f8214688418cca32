"""
Tests that run the examples of the documentation.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.options import QuotesOptions

from .cases import find_program
from .http_connection import TIMEOUT
from .server import ROOT, Server, running_server

DOCUMENTS = {
    path.name: path.read_text("utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
EXAMPLES = sorted(
    {
        example
        for text in DOCUMENTS.values()
        for example in re.findall(r"```console\n\$ (curl .*)\n((?:.*\n)*?)```", text)
    }
)


def run_curl(server: Server, command: str) -> str:
    """Run a curl command with the URL of a server."""
    arguments = shlex.split(command.replace("http://127.0.0.1:8000", server.url))
    return subprocess.run(
        [find_program("curl", "curl"), *arguments[1:]],
        capture_output=True,
        check=True,
        text=True,
        timeout=TIMEOUT,
    ).stdout


class ReadmeTests(SynchronousTestCase):
    """Tests that the documentation is correct."""

    def test_every_example_prints_what_the_documentation_says(self) -> None:
        self.assertGreaterEqual(len(EXAMPLES), 14)
        with running_server() as server:
            for command, expected in EXAMPLES:
                printed = run_curl(server, command)
                adapted = expected.replace("http://127.0.0.1:8000", server.url)
                self.assertEqual(printed, adapted, command)

    def test_the_examples_of_authentication_work(self) -> None:
        """They show both schemes. Wrong passwords are rejected."""
        [line] = re.findall(r"echo '(.*)' > passwords", DOCUMENTS["README.md"])
        examples = [each for each in EXAMPLES if "alice" in each[0]]
        self.assertEqual(len(examples), 2)
        passwords = Path(self.enterContext(tempfile.TemporaryDirectory()), "passwords")
        passwords.write_text(f"{line}\n")
        with running_server(f"--auth=file:{passwords}") as server:
            for command, expected in examples:
                self.assertEqual(run_curl(server, command), expected)
                wrong = command.replace("correct-horse", "wrong")
                self.assertIn('"Code":401', run_curl(server, wrong))

    def test_the_table_of_options_is_complete(self) -> None:
        """It has no unknown options."""
        options = QuotesOptions(environment={})
        options.parseOptions([])
        in_table = re.findall(
            r"^\| `--([a-z-]+)[ `]", DOCUMENTS["configuration.md"], re.M
        )
        self.assertEqual(sorted(in_table), sorted(options))
