"""
Faults of the packs of indexes, whose answers are compared with those of plain Python.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import MSG_PEEK, SO_RCVBUF, SOL_SOCKET
from typing import Any
from urllib.parse import urlencode

from twisted_quotes.library.packs.collection import MAX_SUPERSEDED
from twisted_quotes.quotes.quote import quote_id

from ..integration.http_connection import HTTPConnection, Response
from ..integration.server import WORKER_COUNT, Server, command_line, wait_until
from .cases import (
    BOOK_QUERY,
    BOOK_TEXT,
    FULL_RUN,
    QUOTES_QUERY,
    Fault,
    read_responses,
)

NAMES = (
    *("texts-0", "authors", "lines", "spans", "ids", "sorted-ids", "sorted-numbers"),
    "directory",
)

POEM = "\n\n".join(
    f"love {n}{' and more' * (n % 3)}\n-- Ann {n % 7}" for n in range(50)
)
LARGE = "".join(f"{n} is large {'x' * 1000}\n\n" for n in range(6000))
"""The text of a dictionary with a pack of its own, which a process writes."""

BUILDER = b"twisted_quotes.library.packs.building.process"
NDJSON = "Accept: application/x-ndjson"
YEAR = 365 * 24 * 3600.0

# Runs at the start of the server as sitecustomize; see the documentation of site.
CLOCK_HOOK = """
import time
real = time.time
def shifted():
    with open({path!r}) as file:
        return real() + float(file.read() or 0)
time.time = shifted
"""


def split_quotes(text: str) -> list[str]:
    """Return the quotes of a dictionary with blank lines between them."""
    return [each for each in text.strip().split("\n\n") if each]


class PackFault(Fault):
    """
    A fault of the packs of a library.

    @ivar texts: the texts of the dictionaries, by name.
    @ivar cache: the folder of the packs.
    """

    options = ("--cache-bytes=0",)

    def prepare_server(self) -> None:
        """Add a dictionary with attributions."""
        self.texts = {"book": BOOK_TEXT, "other": "other love\n"}
        self.write("poem", POEM)

    def server_environment(self) -> dict[str, str]:
        """Set the folder of the indexes."""
        self.cache = self.folder / "cache"
        return {"TWISTED_QUOTES_CACHE_DIR": str(self.cache)}

    def setUp(self) -> None:
        """Start a server, and check all its answers."""
        super().setUp()
        self.check_answers()

    def write(self, name: str, text: str) -> None:
        """Replace a dictionary."""
        new = self.folder / "new"
        new.write_text(text)
        new.rename(self.library / name)
        self.texts[name] = text

    def start_another(self, *options: str, **more: Any) -> Server:
        """Start another service with the same packs and, by default, library."""
        environment = self.grep.environment | self.server_environment()
        options = "--default-dictionary=other", *self.options, *options
        return self.serve(*options, environment=environment, **more)

    @contextmanager
    def another_service(self, *options: str) -> Iterator[Server]:
        """Run another service during a C{with} statement."""
        server = self.start_another(*options)
        yield server
        server.stop()

    def pack_folders(self) -> list[Path]:
        return sorted(self.cache.glob("pack-*"))

    def identities(self) -> dict[str, int]:
        """Return the inodes of the packs, which differ if they are made again."""
        return {each.name: each.stat().st_ino for each in self.pack_folders()}

    def leftovers(self) -> list[str]:
        """Return what builds and removals have left in the folder of packs."""
        return [each.name for each in self.cache.iterdir() if "pack-" not in each.name]

    def current_pack(self) -> Path:
        """Return the pack with the small dictionaries in their present states."""
        changed = str((self.library / "poem").stat().st_ctime_ns).encode()
        [folder] = (
            each
            for each in self.pack_folders()
            if changed in (each / "directory").read_bytes()
        )
        return folder

    def ask(self, send: Callable[[], Response]) -> Any:
        """Return the body of an answer; a 503 says that it comes later."""

        def receive() -> Response | None:
            response = send()
            if response.status == 503:
                self.check_error(response, 503)
                return None
            self.assertEqual(response.status, 200, response)
            return response

        response = wait_until(receive, "an answer")
        assert isinstance(response, Response)
        return response.json()

    def ask_query(self, server: Server, query: dict[str, str]) -> Any:
        """Return the results of a query to API v1."""
        return self.ask(lambda: server.post_query(query))["results"]

    def check_answers(self, server: Server | None = None) -> None:
        """Compare all kinds of answers with those of plain Python."""
        texts = [self.texts[name] for name in sorted(self.texts)]
        quotes = [quote for text in texts for quote in split_quotes(text)]
        lines = [line for text in texts for line in text.splitlines()]
        self.check_v1(server or self.server, quotes, lines)
        self.check_v2(server or self.server, quotes)

    def check_v1(
        self, server: Server, quotes: Sequence[str], lines: Sequence[str]
    ) -> None:
        """Check lines and quotes of all dictionaries, and quotes of one."""
        for query, expected in (
            ({"term": "love"}, [each for each in lines if "love" in each]),
            ({"term": "love", "unit": "quote"}, [x for x in quotes if "love" in x]),
            ({"action": "all", "unit": "quote"}, quotes),
            (
                {"action": "all", "unit": "quote", "dictionary": "poem"},
                split_quotes(self.texts["poem"]),
            ),
        ):
            fields = {"action": "search", "dictionary": "*", **query}
            results = self.ask_query(server, fields)
            # Not assertEqual: the difference of long lists takes minutes.
            self.assertTrue(results == expected, f"{fields}: {str(results)[:200]}")

    def check_v2(self, server: Server, quotes: Sequence[str]) -> None:
        """Check searches by author and length, permalinks, samples and counts."""

        def get(url: str, **parameters: object) -> Any:
            path = f"/api/v2/{url}?{urlencode(parameters)}"
            return self.ask(lambda: server.get(path))

        for parameters, expected in (
            ({"author": "ann 3"}, [x for x in quotes if "Ann 3" in x]),
            ({"min_length": 20}, [x for x in quotes if len(x.split("\n--")[0]) >= 20]),
        ):
            page = get("quotes", limit=1000, **parameters)
            self.assertEqual(page["total"], len(expected), parameters)
            texts = [each["text"] for each in page["quotes"]]
            self.assertEqual(texts, expected[:1000])
        distinct = set(quotes)
        for text in (quotes[0], quotes[len(quotes) // 2], quotes[-1]):
            self.assertEqual(get(f"quotes/{quote_id(text)}")["text"], text)
        sample = get("quotes/random", limit=1000)
        self.assertEqual(sample["total"], len(distinct))
        found = [each["text"] for each in sample["quotes"]]
        self.assertEqual(len({*found}), min(1000, len(distinct)))
        self.assertLessEqual({*found}, distinct)
        counts = {x["name"]: x["quotes"] for x in get("dictionaries")["dictionaries"]}
        self.assertEqual(
            counts, {name: len(split_quotes(self.texts[name])) for name in self.texts}
        )

    def send_all(self, server: Server | None = None) -> list[HTTPConnection]:
        """Send a search of each kind."""
        server = server or self.server
        queries = [{**QUOTES_QUERY, "dictionary": "*"}, BOOK_QUERY, QUOTES_QUERY]
        return [server.connect().send_query(each) for each in queries]


class WrongFileFault(PackFault):
    """
    A file of a pack is not as it was written.

    @cvar name_at_start: the file that is harmed before a start, which takes a second;
        in a full run, all files are.
    """

    name_at_start: str

    def harm(self, path: Path, number: int) -> None:
        """
        Make a file wrong.

        @param number: differs each time.
        """
        raise NotImplementedError

    def inject_with_requests(self) -> list[HTTPConnection]:
        folder = self.current_pack()
        for number, name in enumerate(NAMES):
            self.harm(folder / name, number)
        return self.send_all()

    def inject_and_check(self) -> str:
        """Harm each file while the service runs, and some before a start."""
        rounds = 5 if FULL_RUN else 1
        for number in range(rounds):
            # The directory is in memory.
            for name in NAMES[:-1]:
                with self.harmed(name, number + len(name)):
                    self.check_answers()
        names = NAMES if FULL_RUN else (self.name_at_start,)
        for number, name in enumerate(names):
            with self.harmed(name, number):
                server = self.start_another()
                self.check_answers(server)
            server.wait_for_log_line("Ignored a damaged index")
            self.check_pack_of_another_service(server, name)
            server.stop()
        wait_until(lambda: not self.leftovers(), "no leftovers")
        return (
            f"{rounds * len(NAMES) - rounds} times while it runs, {len(names)} times "
            "before a start: all answers right, the index made again"
        )

    @contextmanager
    def harmed(self, name: str, number: int) -> Iterator[None]:
        """Harm a file, and check that it was made again in a C{with} statement."""
        path = self.current_pack() / name
        content = path.read_bytes()
        self.harm(path, number)
        self.assertFalse(path.exists() and path.read_bytes() == content)
        yield
        self.assertTrue(path.read_bytes() == content, name)

    def check_pack_of_another_service(self, server: Server, name: str) -> None:
        """Harm a pack that another service has made, and this one has not opened."""
        self.write("poem", f"{POEM}\n\nA new one.")
        self.check_answers(server)
        self.harm(self.current_pack() / name, 1)
        self.check_answers()
        self.check_answers(server)
        self.write("poem", POEM)
        self.check_answers()


class TruncatedTests(WrongFileFault):
    fault_description = "files of an index truncated, or removed"
    expected_behavior = "no answer is wrong; the index is made again"
    name_at_start = "directory"

    def harm(self, path: Path, number: int) -> None:
        """Truncate a file to nothing, its first byte, a half, or all but a byte."""
        size = path.stat().st_size
        place = (0, 1, size // 2, size - 1, None)[number % 5]
        if place is None:
            path.unlink()
        else:
            os.truncate(path, place)


class FlippedTests(WrongFileFault):
    fault_description = "a bit of a file of an index flipped"
    expected_behavior = TruncatedTests.expected_behavior
    name_at_start = "texts-0"

    def harm(self, path: Path, number: int) -> None:
        """Flip a bit somewhere; the size stays the same."""
        data = bytearray(path.read_bytes())
        data[len(data) * (number % 5) // 5] ^= 1 << number % 8
        path.write_bytes(data)


class KilledBuilderTests(PackFault):
    fault_description = "kill -9 of a process that writes an index, or of the service"
    expected_behavior = (
        "an unfinished index is never used; the next build removes what is left"
    )

    def builder_pids(self, server: Server) -> list[int]:
        return [pid for pid in server.search_pids() if BUILDER in command_line(pid)]

    def stop_builder(self, server: Server) -> int:
        """Stop the process that writes an index; return its id."""
        [pid] = wait_until(lambda: self.builder_pids(server), "a builder")
        os.kill(pid, signal.SIGSTOP)
        assert isinstance(pid, int)
        return pid

    def start_build(self) -> int:
        """Add a large dictionary; stop the process that writes its index."""
        self.write("large", LARGE)
        with self.server.connect() as connection:
            connection.send_query({**QUOTES_QUERY, "dictionary": "large"})
            return self.stop_builder(self.server)

    def inject_with_requests(self) -> list[HTTPConnection]:
        pid = self.start_build()
        connections = self.send_all()
        os.kill(pid, signal.SIGKILL)
        return connections

    def inject_and_check(self) -> str:
        os.kill(self.start_build(), signal.SIGKILL)
        self.check_answers()
        self.server.wait_for_log_line("No index was made: .*large.* left out")
        wait_until(lambda: not self.leftovers(), "no leftovers")
        rounds = 5 if FULL_RUN else 2
        self.write("large", LARGE)
        for number in range(rounds):
            server = self.start_another(workers=1)
            self.stop_builder(server)
            folders = [each for each in self.cache.glob("building-*") if each.is_dir()]
            self.assertEqual(len(folders), 1, f"{number} were killed")
            server.kill()
        self.check_answers()
        wait_until(lambda: not self.leftovers(), "no leftovers")
        (self.library / "large").unlink()
        del self.texts["large"]
        return f"killed {1 + rounds} times: all answers right, nothing left"


class ClockTests(PackFault):
    fault_description = "the clock set back and forward by hours and years"
    expected_behavior = "changes are noticed; no index is made again without a change"

    def prepare_server(self) -> None:
        """Write a module that shifts the time."""
        super().prepare_server()
        self.shift_file = self.folder / "shift"
        self.shift_file.write_text("0")
        hook_folder = self.folder / "hook"
        hook_folder.mkdir()
        code = CLOCK_HOOK.format(path=str(self.shift_file))
        (hook_folder / "sitecustomize.py").write_text(code)

    def server_environment(self) -> dict[str, str]:
        return super().server_environment() | {"PYTHONPATH": str(self.folder / "hook")}

    def shift(self, seconds: float) -> None:
        """Shift the clock of all services."""
        new = self.folder / "new-shift"
        new.write_text(str(seconds))
        new.rename(self.shift_file)

    def inject_with_requests(self) -> list[HTTPConnection]:
        connections = self.send_all()
        self.shift(-YEAR)
        return connections + self.send_all()

    def inject_and_check(self) -> str:
        shifts = (-10 * YEAR, -3600.0, 3600.0, 10 * YEAR)
        for number, seconds in enumerate(shifts):
            self.shift(seconds)
            self.check_steady()
            self.write("poem", f"{POEM}\n\nA new one, {number}.")
            self.check_answers()
            self.check_steady()
            self.set_times(seconds)
            if number == 3 or FULL_RUN:
                before = self.identities()
                with self.another_service() as server:
                    self.check_answers(server)
                self.assertEqual(self.identities(), before)
        self.shift(0)
        self.write("poem", POEM)
        self.check_answers()
        self.assertLessEqual(
            len(self.pack_folders()), (MAX_SUPERSEDED + 1) * WORKER_COUNT
        )
        return f"{len(shifts)} times: all answers right, an index for each change"

    def check_steady(self) -> None:
        """Check that the answers are right, and that no pack is made for them."""
        before = self.identities()
        self.check_answers()
        self.assertEqual(self.identities(), before)

    def set_times(self, seconds: float) -> None:
        """Set the times of a dictionary and of all packs by some seconds."""
        poem = self.library / "poem"
        modified = poem.stat().st_mtime + seconds
        os.utime(poem, (modified, modified))
        self.check_answers()
        for folder in self.pack_folders():
            for path in (folder, *folder.iterdir()):
                os.utime(path, (modified, modified))
        self.check_steady()


class SharedCacheTests(PackFault):
    fault_description = (
        "three services with one folder of indexes, one dictionary replaced repeatedly "
        "while a client slowly reads a stream"
    )
    expected_behavior = (
        "no answer is wrong; the stream is complete; the number of indexes is limited"
    )

    def prepare_server(self) -> None:
        """Add a large dictionary, which a stream reads before the others."""
        super().prepare_server()
        self.write("a-large", LARGE)

    def setUp(self) -> None:
        """Send a stream once, so that its memory is not part of the fault."""
        super().setUp()
        self.check_stream(self.start_stream(), self.all_quotes())
        self.metrics_before = self.server.read_metrics()

    def start_stream(self) -> HTTPConnection:
        """Request a stream of all quotes, and do not read it."""
        stream = self.server.connect(4096).send_get("/api/v2/quotes", NDJSON)
        stream.socket.recv(1, MSG_PEEK)
        return stream

    def check_stream(self, stream: HTTPConnection, expected: Sequence[str]) -> None:
        """Check that a stream has all quotes of one state."""
        stream.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, 2**20)
        [response] = read_responses([stream])
        *quotes, summary = map(json.loads, response.body.splitlines())
        self.assertEqual(summary["reason"], None)
        self.assertTrue([each["text"] for each in quotes] == expected)

    def all_quotes(self) -> list[str]:
        texts = (self.texts[name] for name in sorted(self.texts))
        return [quote for text in texts for quote in split_quotes(text)]

    def inject_with_requests(self) -> list[HTTPConnection]:
        self.write("poem", f"{POEM}\n\nBefore the end.")
        with self.another_service() as server:
            self.ask_query(server, {**QUOTES_QUERY, "dictionary": "*"})
            return self.send_all()

    def inject_and_check(self) -> str:
        other_library = self.folder / "other-library"
        other_library.mkdir(exist_ok=True)
        (other_library / "other").write_text("Another poem of love.\n")
        rounds = 30 if FULL_RUN else 8
        expected, stream = self.all_quotes(), self.start_stream()
        with (
            self.another_service() as server,
            self.another_service(f"--dictionaries={other_library}") as other,
        ):
            for number in range(rounds):
                self.write("poem", f"{POEM}\n\nVersion {number}.\n-- Ann 3")
                for each in (server, self.server)[:: 1 - 2 * (number % 2)]:
                    self.check_changed(each)
                query = {**QUOTES_QUERY, "dictionary": "*"}
                self.assertEqual(
                    self.ask_query(other, query), ["Another poem of love."]
                )
            self.check_answers(server)
            self.check_stream(stream, expected)
        self.write("poem", POEM)
        self.check_answers()
        wait_until(lambda: not self.leftovers(), "no leftovers")
        count = len(self.pack_folders())
        # Two needed packs, one of the other library, and those that are kept a while.
        limit = 3 + 2 * WORKER_COUNT * (MAX_SUPERSEDED + 1)
        self.assertLessEqual(count, limit)
        return f"{rounds} changes: all answers right, a complete stream"

    def check_changed(self, server: Server) -> None:
        """Check that a service has the last version of the poem."""
        for names in ("poem", "*"):
            query = {"action": "search", "term": "Ann 3", "unit": "quote"}
            results = self.ask_query(server, {**query, "dictionary": names})
            expected = [x for x in split_quotes(self.texts["poem"]) if "Ann 3" in x]
            self.assertEqual(results, expected)
