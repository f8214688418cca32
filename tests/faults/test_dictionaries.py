"""
Faults of dictionaries: they are deleted, replaced or changed during searches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from socket import MSG_PEEK
from threading import Event

from ..integration.cases import LOVE_QUERY
from ..integration.http_connection import TIMEOUT, HTTPConnection
from ..integration.server import UNPRIVILEGED_PREFIX
from .cases import (
    BOOK_TEXT,
    FULL_RUN,
    UNIT_QUERIES,
    BackgroundClients,
    Fault,
    count_statuses,
    format_counts,
    read_responses,
)

ROUNDS = 100 if FULL_RUN else 12
"""The number of responses during the changes of a dictionary."""

LONG_QUOTE_COUNT = 200_000
"""The number of quotes of a dictionary whose responses are streamed."""


class DictionaryFault(Fault):
    """A fault of one dictionary while other clients search another one."""

    @contextmanager
    def background_searches(self) -> Iterator[None]:
        """Search the other dictionary, and check that all results are right."""
        with ExitStack() as stack:
            clients = [
                stack.enter_context(
                    BackgroundClients(self.server, {**query, "dictionary": "other"})
                )
                for query in UNIT_QUERIES
            ]
            yield
            for each in clients:
                each.wait_for_more()
        for each in clients:
            self.assertEqual(list(each.codes), [200])
            self.assertEqual(each.results, {("other love",)})

    def replace_file(self, path: Path, text: str) -> None:
        """Replace a file by renaming another one."""
        new = self.folder / "new"
        new.write_text(text)
        new.rename(path)


class ReplacedFault(DictionaryFault):
    """
    The book is replaced by something that cannot be searched.

    @cvar error: the status of its error, and a part of the message.
    """

    error = (403, "may not be read")

    def replace_book(self) -> None:
        raise NotImplementedError

    def remove_replacement(self) -> None:
        self.book_path.unlink()

    def inject_with_requests(self) -> list[HTTPConnection]:
        connections = self.send_searches(3)
        self.replace_book()
        return connections + self.send_searches(3)

    def inject_and_check(self) -> str:
        with self.background_searches():
            self.replace_book()
            observed = self.check_rejected()
            self.remove_replacement()
            self.replace_file(self.book_path, BOOK_TEXT)
            self.check_results()
        return observed

    def check_rejected(self) -> str:
        """Check that the book has an error, and that others have results."""
        code, message = self.error
        responses = read_responses(self.send_searches(3))
        path = "/api/v2/quotes?term=love&dictionary="
        responses.append(self.server.get(f"{path}book"))
        for response in responses:
            self.check_error(response, code)
            self.assertIn(message, response.json()["message"])
        for query in UNIT_QUERIES:
            results = self.server.query_results(**{**query, "dictionary": "*"})
            self.assertEqual(results, ["other love"])
        self.assertEqual(self.server.query_results(action="list"), ["other"])
        self.assertEqual(self.server.get(f"{path}*").json()["total"], 1)
        return f'{count_statuses(responses)}, "*" gives the results of the others'


class DeletedTests(ReplacedFault):
    fault_description = "dictionary deleted, then written again"
    expected_behavior = "404 with the names of the others; searches of others work"
    error = (404, 'There are: "other"')

    def replace_book(self) -> None:
        self.book_path.unlink()

    def remove_replacement(self) -> None:
        """There is nothing to remove."""


class UnreadableTests(ReplacedFault):
    fault_description = "dictionary made unreadable (chmod 0)"
    expected_behavior = "403; searches of other dictionaries work"
    prefix = UNPRIVILEGED_PREFIX

    def replace_book(self) -> None:
        self.book_path.chmod(0)


class FifoTests(ReplacedFault):
    fault_description = "dictionary replaced by a FIFO"
    expected_behavior = "403; the service does not wait for a writer"

    def replace_book(self) -> None:
        self.book_path.unlink()
        os.mkfifo(self.book_path)

    def remove_replacement(self) -> None:
        """Check that no process has it open, which would make this call succeed."""
        with self.assertRaisesRegex(OSError, "No such device or address"):
            os.open(self.book_path, os.O_WRONLY | os.O_NONBLOCK)
        super().remove_replacement()


class FolderTests(ReplacedFault):
    fault_description = "dictionary replaced by a folder"
    expected_behavior = UnreadableTests.expected_behavior

    def replace_book(self) -> None:
        self.book_path.unlink()
        self.book_path.mkdir()

    def remove_replacement(self) -> None:
        self.book_path.rmdir()


class LinkTests(ReplacedFault):
    fault_description = "dictionary replaced by a symbolic link to a file outside"
    expected_behavior = "403; nothing outside the library is read"

    def replace_book(self) -> None:
        outside = self.folder / "outside"
        outside.write_text("secret love\n")
        self.book_path.unlink()
        self.book_path.symlink_to(outside)


class DeviceTests(ReplacedFault):
    fault_description = "dictionary replaced by a symbolic link to /dev/zero"
    expected_behavior = "403; nothing is read from the device"

    def replace_book(self) -> None:
        self.book_path.unlink()
        self.book_path.symlink_to("/dev/zero")


class ChangingFault(DictionaryFault):
    """The book is changed many times; its text shows its version."""

    expected_behavior = "each response is of one version of the file, or a 503"

    def version_text(self, number: int) -> str:
        """
        Return the text of a version; its size differs from the previous one.

        It fits in a page of memory. Between two pages, the kernel may suspend a process
        that writes for so long that half a text is a version of its own.
        """
        return f"love {number}\n\n" * (300 + number % 10)

    def reset_book(self) -> None:
        """Write the first version."""
        self.numbers = count()
        self.change_book(next(self.numbers))

    def change_book(self, number: int) -> None:
        """Write a version."""
        raise NotImplementedError

    def is_one_version(self, results: tuple[str, ...]) -> bool:
        """Return whether all results are from one version."""
        [number] = {int(each.removeprefix("love ")) for each in results}
        return "\n\n".join((*results, "")) == self.version_text(number)

    @contextmanager
    def keep_changing(self, wait: Callable[[], object] | None = None) -> Iterator[None]:
        """
        Change the book in a thread.

        @param wait: waits until the next change; L{None} for about a thousand
            changes per second.
        """
        stop_event = Event()

        def run() -> None:
            for number in self.numbers:
                self.change_book(number)
                if stop_event.wait(0 if wait else 0.001):
                    return
                if wait:
                    wait()

        with ThreadPoolExecutor() as pool:
            changes = pool.submit(run)
            try:
                yield
            finally:
                stop_event.set()
        changes.result()

    def inject_with_requests(self) -> list[HTTPConnection]:
        self.reset_book()
        with self.keep_changing():
            return self.send_searches(10)

    def inject_and_check(self) -> str:
        observed = []
        with self.background_searches():
            for query in UNIT_QUERIES:
                self.reset_book()
                with BackgroundClients(
                    self.server, {**query, "dictionary": "book"}
                ) as readers:
                    with self.keep_changing():
                        for _ in range(ROUNDS):
                            readers.wait_for_more(1)
                    with self.keep_changing(lambda: readers.wait_for_more(2)):
                        for _ in range(ROUNDS):
                            readers.wait_for_more(2)
                self.check_statuses(query, readers)
                versions = [each for each in readers.results if each]
                self.assertGreater(len(versions), 1)
                for results in versions:
                    self.assertTrue(self.is_one_version(results), results[:1])
                observed.append(
                    f"{query.get('unit', 'line')}s: {format_counts(readers.codes)}, "
                    f"{len(versions)} versions"
                )
            self.replace_file(self.book_path, BOOK_TEXT)
        return "; ".join(observed)

    def check_statuses(self, query: dict[str, str], readers: BackgroundClients) -> None:
        """Check that the only error is that the dictionary is changing."""
        self.assertLessEqual(set(readers.codes), {200, 503})


class RewrittenTests(ChangingFault):
    fault_description = "dictionary truncated and rewritten in place, repeatedly"

    def change_book(self, number: int) -> None:
        """Write it by one system call: half a text would be a version of its own."""
        with self.book_path.open("wb", buffering=0) as file:
            file.write(self.version_text(number).encode())


class AppendedTests(ChangingFault):
    fault_description = "lines appended to a dictionary, repeatedly"

    def change_book(self, number: int) -> None:
        """Append a quote; start again before the file becomes long."""
        number %= 1000
        with self.book_path.open("a" if number else "w") as file:
            file.write(f"love {number}\n\n")

    def is_one_version(self, results: tuple[str, ...]) -> bool:
        """Return whether the results are the first quotes, in order."""
        return list(results) == [f"love {number}" for number in range(len(results))]


class RenamedTests(ChangingFault):
    fault_description = "dictionary replaced by a rename, repeatedly"
    expected_behavior = (
        "each response is of one version of the file; searches for quotes may be a 503 "
        "if it changes all the time"
    )

    def change_book(self, number: int) -> None:
        self.replace_file(self.book_path, self.version_text(number))

    def check_statuses(self, query: dict[str, str], readers: BackgroundClients) -> None:
        """Lines are read from the open file, which the rename does not change."""
        super().check_statuses(query, readers)
        if query is LOVE_QUERY:
            self.assertEqual(list(readers.codes), [200])


class LongFault(DictionaryFault):
    """A dictionary is changed while a client slowly reads a long response."""

    def setUp(self) -> None:
        """Read long responses once, so that their memory is not part of the fault."""
        self.text = "".join(
            f"{number} is long\n\n" for number in range(LONG_QUOTE_COUNT)
        )
        super().setUp()
        read_responses(self.request_all())

    def prepare_server(self) -> None:
        self.long = self.library / "long"
        self.long.write_text(self.text)

    def request_all(self) -> list[HTTPConnection]:
        """Request all lines and all quotes, more than socket buffers can hold."""
        query = {"action": "all", "dictionary": "long"}
        return [
            self.server.connect(4096).send_query({**query, "unit": unit})
            for unit in ("line", "quote")
        ]

    def start_reading(self) -> list[HTTPConnection]:
        """Request all, and wait until both responses have started."""
        readers = self.request_all()
        for reader in readers:
            reader.socket.recv(1, MSG_PEEK)
        # The third is the request for the metrics.
        self.assertEqual(self.server.read_metrics()["quotes_requests_in_flight"], 3)
        return readers

    def check_new_version(self) -> str:
        """Check that a new request gets the new version."""
        results = self.server.query_results(
            action="all", dictionary="long", unit="quote"
        )
        self.assertEqual(results, ["short now"])
        return "then the new version"


class LongReplacedTests(LongFault):
    fault_description = (
        "dictionary replaced by a rename while a client slowly reads a long response"
    )
    expected_behavior = "the client gets the complete old version"

    def inject_with_requests(self) -> list[HTTPConnection]:
        readers = self.start_reading()
        self.replace_file(self.long, "short now\n")
        return readers

    def inject_and_check(self) -> str:
        readers = self.inject_with_requests()
        with self.background_searches():
            lines, quotes = read_responses(readers)
            self.assertTrue("\n".join(lines.json()["results"]) + "\n" == self.text)
            self.assertTrue("\n\n".join(quotes.json()["results"]) + "\n\n" == self.text)
            observed = self.check_new_version()
            self.replace_file(self.long, self.text)
        size = len(lines.body) + len(quotes.body)
        return f"{size} bytes of the old version, {observed}"


class LongWrittenTests(LongFault):
    fault_description = (
        "dictionary rewritten in place while a client slowly reads a long response"
    )
    expected_behavior = (
        "lines: the connection is closed without the end of the response; quotes: the "
        "old version"
    )

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Write to it, and read the responses in threads."""
        readers = self.start_reading()
        self.long.write_text("short now\n")
        pool = self.enterContext(ThreadPoolExecutor())
        self.readers = [pool.submit(read_responses, [each]) for each in readers]
        return self.send_searches(3)

    def inject_and_check(self) -> str:
        connections = self.inject_with_requests()
        with self.background_searches():
            read_responses(connections)
            lines, quotes = self.readers
            self.assertIsInstance(lines.exception(TIMEOUT), ConnectionError)
            [response] = quotes.result(TIMEOUT)
            results = response.json()["results"]
            self.assertTrue("\n\n".join(results) + "\n\n" == self.text)
            observed = self.check_new_version()
            self.long.write_text(self.text)
        return f"an incomplete response, and the old version, {observed}"
