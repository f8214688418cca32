"""
Tests of the package as it is installed.
"""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .cases import LibraryTestCase, build_wheel
from .server import ROOT, running_server


class WheelTests(LibraryTestCase):
    """Tests of a wheel that is unpacked in another folder."""

    def test_a_wheel_is_complete(self) -> None:
        """It has templates, style, dictionaries and the plugin."""
        installed = self.folder / "installed"
        wheel = build_wheel(self.copy(self.folder / "source"), self.folder)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(installed)
            names = archive.namelist()
        self.assertIn("twisted/plugins/twisted_quotes_plugin.py", names)
        self.assertEqual([name for name in names if name.startswith("bench")], [])
        self.assertNotIn("twisted/__init__.py", names)
        self.assertNotIn("twisted/plugins/__init__.py", names)
        with running_server(
            folder=self.library, environment={"PYTHONPATH": str(installed)}
        ) as server:
            names = sorted(each.name for each in (ROOT / "dictionaries").iterdir())
            self.assertGreaterEqual(len(names), 3)
            for name in names:
                lines = (ROOT / "dictionaries" / name).read_text("utf-8")
                results = server.query_results(action="all", dictionary=name)
                self.assertEqual("\n".join(results) + "\n", lines)
            for path in ("/", "/api/v1/web", "/static/style.css"):
                self.assertEqual(server.get(path).status, 200)

    def copy(self, target: Path) -> Path:
        """Copy the files in git, so that the build does not change the source."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            source = ROOT / name
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                (target / name).symlink_to(os.readlink(source))
            elif source.exists():
                (target / name).write_bytes(source.read_bytes())
        return target


class DictionaryTests(SynchronousTestCase):
    """Tests of the dictionaries of the package."""

    def test_each_quote_has_an_author(self) -> None:
        """Quotes are separated by blank lines."""
        quotes = []
        for path in (ROOT / "dictionaries").iterdir():
            text = path.read_text("utf-8")
            self.assertTrue(text.endswith("\n") and not text.endswith("\n\n"))
            quotes += text.rstrip("\n").split("\n\n")
        self.assertGreaterEqual(len(quotes), 200)
        self.assertEqual(len(quotes), len(set(quotes)))
        for quote in quotes:
            *text_lines, author = quote.split("\n")
            self.assertTrue(text_lines, quote)
            self.assertRegex(author, r"\A-- \S")
            self.assertFalse(any(line != line.strip() for line in text_lines), quote)
