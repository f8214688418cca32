"""
Tests of a large dictionary: the duration of its index, the memory, and the duration
of searches compared with grep. C{make big} uses half a gigabyte.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from shutil import which
from statistics import median
from threading import Thread
from time import monotonic
from urllib.parse import quote

from .cases import LibraryTestCase
from .server import ROOT, Server

MEGABYTES = int(os.environ.get("BIG_MEGABYTES", "30"))
NEEDLE = "Zanzibar nights are longer"
MAX_BUILDER_MEMORY = 300
MAX_SERVER_MEMORY = 150
ROUNDS = 7


def write_big(path: Path) -> int:
    """Write quotes with words of the included dictionaries; return their number."""
    source = random.Random(1)
    words = (ROOT / "dictionaries" / "authors").read_text("utf-8").split()
    size, count = 0, 0
    with path.open("w", encoding="utf-8") as file:
        while size < MEGABYTES * 1_000_000:
            lines = [
                " ".join(source.choices(words, k=source.randint(5, 10)))
                for _ in range(source.randint(1, 4) * 500)
            ]
            quotes = [
                "\n".join([*lines[n : n + 4], f"-- {words[n % len(words)]}"])
                for n in range(0, len(lines), 4)
            ]
            size += file.write("\n\n".join(quotes) + "\n\n")
            count += len(quotes)
        file.write(f"{NEEDLE}\nthan  the days.\n")
    return count + 1


def read_memory(pid: int, field: str) -> float:
    """Return the current or peak memory of a process in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


class BigDictionaryTests(LibraryTestCase):
    """Tests of limits of time and memory."""

    server: Server

    def setUp(self) -> None:
        super().setUp()
        self.quote_count = write_big(self.library / "big")
        (self.library / "small").write_text("love\n")
        self.cache = self.folder / "cache"
        self.server = self.serve(f"--cache-dir={self.cache}", "--timeout=60")

    def print_figure(self, name: str, value: str) -> None:
        """Print a measured value."""
        print(f"\n{MEGABYTES} MB: {name}: {value}", end="")

    def test_a_large_dictionary_keeps_within_limits(self) -> None:
        """Check its index, a stream of all quotes, and searches."""
        idle = read_memory(self.server.process.pid, "VmRSS")
        self.check_index()
        self.check_stream(idle)
        self.check_search()

    def check_index(self) -> None:
        """Build the index, and search another dictionary during the build."""
        start, latencies, builder = monotonic(), [], 0.0
        results: list[str] = []
        query = {"action": "search", "term": f"{NEEDLE} than the", "unit": "quote"}
        client = Thread(
            target=lambda: results.extend(self.server.query_results(**query))
        )
        client.start()
        while client.is_alive():
            started_at = monotonic()
            self.server.query_results(action="search", term="love", dictionary="small")
            latencies.append(monotonic() - started_at)
            for child in self.server.search_pids():
                try:
                    builder = max(builder, read_memory(child, "VmHWM"))
                except (FileNotFoundError, ProcessLookupError):
                    continue
            client.join(0.02)
        self.assertEqual(results, [f"{NEEDLE}\nthan  the days."])
        self.assertLess(builder, MAX_BUILDER_MEMORY)
        self.print_figure(
            "the index and its first search", f"{monotonic() - start:.1f} s"
        )
        self.print_figure(
            "memory of the process that builds the index", f"{builder:.0f} MB"
        )
        self.print_figure(
            "searches for lines meanwhile, and their median duration",
            f"{len(latencies)}, {1000 * median(latencies):.0f} ms",
        )

    def check_stream(self, idle: float) -> None:
        """Read all quotes, and check that the service does not keep them in memory."""
        start, received = monotonic(), 0
        with self.server.connect() as connection:
            connection.send_get(
                "/api/v2/quotes?dictionary=big", "Accept: application/x-ndjson"
            )
            tail = b""
            while not tail.endswith(b"\r\n0\r\n\r\n"):
                data = connection.socket.recv(1 << 20)
                self.assertTrue(data)
                received += len(data)
                tail = (tail + data)[-200:]
        self.assertIn(
            b'"total":%d,"returned":%d,' % (self.quote_count, self.quote_count), tail
        )
        peak = read_memory(self.server.process.pid, "VmHWM") - idle
        self.assertLess(peak, MAX_SERVER_MEMORY)
        seconds, megabytes = monotonic() - start, received / 1e6
        self.print_figure(
            "a stream of all quotes",
            f"{self.quote_count} quotes, {megabytes:.0f} MB, {seconds:.1f} s",
        )
        self.print_figure("memory of the service beyond idle", f"{peak:.1f} MB")

    def check_search(self) -> None:
        """Compare a search for a rare phrase with grep on the same file."""
        texts = list(map(str, self.cache.glob("*/texts-*")))
        grep = which("grep")
        assert grep is not None
        alone, served = [], []
        for _ in range(ROUNDS):
            start = monotonic()
            command = [grep, "-h", "-c", "-F", "-e", NEEDLE, *texts]
            done = subprocess.run(command, env={"LC_ALL": "C"}, stdout=subprocess.PIPE)
            self.assertEqual(sum(map(int, done.stdout.split())), 1)
            alone.append(monotonic() - start)
            start = monotonic()
            page = self.server.get(
                f"/api/v2/quotes?dictionary=big&term={quote(NEEDLE)}&ignore_case=no"
            ).json()
            self.assertEqual(page["total"], 1)
            served.append(monotonic() - start)
        ratio = median(served) / median(alone)
        self.print_figure(
            "a rare phrase, compared with grep -c -F",
            f"{1000 * median(served):.0f} ms, {1000 * median(alone):.0f} ms, "
            f"{ratio:.2f} times",
        )
        if MEGABYTES >= 500:
            self.assertLessEqual(ratio, 1.5)
