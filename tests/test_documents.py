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
        for name in ("SECURITY.md", "README.md", "docs/reliability.md"):
            document = ROOT / name
            links = re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8"))
            self.assertTrue(links, name)
            for link in links:
                self.assertTrue((document.parent / link).exists(), f"{name}: {link}")
