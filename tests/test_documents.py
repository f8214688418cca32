"""
Tests of the documents of the project.
"""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.authentication.password_hash import verify_password
from twisted_quotes.web.authentication.password_table import parse_passwords

ROOT = Path(__file__).parents[1]


class DocumentTests(SynchronousTestCase):
    """Tests of file names in documents."""

    def test_every_linked_file_exists(self) -> None:
        """For example the tests of a promise."""
        documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
        for document in documents:
            links = re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8"))
            if document.name in ("SECURITY.md", "README.md", "reliability.md"):
                self.assertTrue(links, document.name)
            for link in links:
                path = document.parent / link
                self.assertTrue(path.exists(), f"{document.name}: {link}")

    def test_every_file_in_the_architecture_exists(self) -> None:
        page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
        paths = re.findall(r"`([a-z_/]+(?:\.py|/))`", page)
        self.assertGreater(len(paths), 10)
        for path in paths:
            folders = (ROOT, ROOT / "twisted_quotes")
            self.assertTrue(any((each / path).exists() for each in folders), path)

    def test_the_command_that_hashes_a_password_prints_a_line_of_the_file(self) -> None:
        page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
        [code] = re.findall(r"\$ python -c '([^']*)' >> passwords", page)
        printed = StringIO()
        with patch("getpass.getpass", lambda: "secret"), redirect_stdout(printed):
            exec(code, {})
        table = parse_passwords(printed.getvalue().encode())
        self.assertTrue(verify_password(table.hashes[b"alice"], b"secret"))
