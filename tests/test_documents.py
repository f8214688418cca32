"""
Tests of what the project says of itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[1]


class DocumentTests(SynchronousTestCase):
    """Tests of the documents that name tests, and other files."""

    def test_every_file_that_is_named_is_there(self) -> None:
        """A promise whose test is gone is none."""
        documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
        for document in documents:
            links = re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8"))
            if document.name in ("SECURITY.md", "README.md", "reliability.md"):
                self.assertTrue(links, document.name)
            for link in links:
                there = document.parent / link
                self.assertTrue(there.exists(), f"{document.name}: {link}")

    def test_the_architecture_names_files_that_are_there(self) -> None:
        """Whoever looks for something finds it where the page says."""
        page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
        paths = re.findall(r"`([a-z_/]+(?:\.py|/))`", page)
        self.assertGreater(len(paths), 10)
        for path in paths:
            inside = (ROOT / "twisted_quotes" / path).exists()
            self.assertTrue(inside or (ROOT / path).exists(), path)
