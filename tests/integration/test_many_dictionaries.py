"""
Tests of a library of many small dictionaries: the duration of its index, of searches,
of a change and of a restart, and the memory. C{make many} uses a hundred thousand.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from time import monotonic
from typing import Any

from .cases import LibraryTestCase
from .server import Server, wait_until
from .test_big_dictionaries import read_memory

FILE_COUNT = int(os.environ.get("MANY_FILES", "300"))
_FILES_PER_FOLDER = 1000
_INDEX_TIMEOUT = 600.0
NEEDLE = "zanzibar nights are longer"


class ManyDictionariesTests(LibraryTestCase):
    """Tests of a library of any size."""

    server: Server

    def setUp(self) -> None:
        """Write the library, each dictionary with some quotes and a word of its own."""
        super().setUp()
        source = random.Random(1)
        words = [f"{number:04x}" for number in range(3000)]
        self.size = 0
        for number in range(FILE_COUNT):
            quotes = [" ".join(source.choices(words, k=20)) for _ in range(20)]
            quotes.append(f"own{number}own\n-- Author {number % 100}")
            folder = self.library / f"{number // _FILES_PER_FOLDER:03}"
            folder.mkdir(exist_ok=True)
            self.size += (folder / f"{number:06}").write_text("\n\n".join(quotes))
        self.last = folder / f"{number:06}"
        self.options = (f"--cache-dir={self.folder / 'cache'}", "--cache-bytes=0")

    def measure(self, name: str, function: Callable[[], Any]) -> Any:
        """Call a function, and print how long it took."""
        start = monotonic()
        result = function()
        print(f"\n{FILE_COUNT} files: {name}: {monotonic() - start:.2f} s", end="")
        return result

    def find_lines(self, term: str) -> list[str]:
        """Search all dictionaries for a line."""
        return self.server.query_results(action="search", term=term, dictionary="*")

    def find_quotes(self, term: str) -> Any:
        """Search all dictionaries for quotes; wait until they have an index."""

        def find() -> Any:
            response = self.server.get(f"/api/v2/quotes?term={term}")
            if response.status == 503:
                self.assertIn("being indexed", response.json()["message"])
                return None
            return response.json()

        return wait_until(find, "the index", _INDEX_TIMEOUT)

    def start_server(self) -> None:
        self.server = self.measure("start", lambda: self.serve(*self.options))

    def test_a_library_of_any_size_is_searched(self) -> None:
        """Before and after a change, and after a restart."""
        self.start_server()
        page = self.measure("index", lambda: self.find_quotes("own7own"))
        self.assertEqual(page["total"], 1)
        [found] = page["quotes"]
        quote = self.measure(
            "permalink", lambda: self.server.get(f"/api/v2/quotes/{found['id']}")
        )
        self.assertEqual(quote.json()["text"], "own7own\n-- Author 7")
        term = f"own{FILE_COUNT - 1}own"
        lines = self.measure("lines", lambda: self.find_lines(term))
        self.assertEqual(lines, [term])
        page = self.measure("quotes", lambda: self.find_quotes("own8own"))
        self.assertEqual(page["total"], 1)
        self.print_memory()
        self.last.write_text(f"{NEEDLE}\n")
        lines = self.measure("lines after a change", lambda: self.find_lines(NEEDLE))
        self.assertEqual(lines, [NEEDLE])
        self.assertEqual(self.find_lines(term), [])
        page = self.measure("quotes after that", lambda: self.find_quotes("zanzibar"))
        self.assertEqual(page["total"], 1)
        self.print_memory()
        self.server.stop()
        self.start_server()
        page = self.measure("quotes after a restart", lambda: self.find_quotes("zanz"))
        self.assertEqual(page["total"], 1)

    def print_memory(self) -> None:
        """Print the memory of the service."""
        memory = read_memory(self.server.process.pid, "VmRSS")
        print(
            f"\n{FILE_COUNT} files, {self.size / 1e6:.0f} MB: {memory:.0f} MB", end=""
        )
