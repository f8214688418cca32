"""
Faults of dictionaries: deleted, replaced, written to, made into something else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from socket import MSG_PEEK
from threading import Event, Thread

from ..integration.http_connection import TIMEOUT, HTTPConnection
from ..integration.server import UNPRIVILEGED_PREFIX
from .cases import (
    BOOK_TEXT,
    FULL_RUN,
    LOVE_QUERY,
    QUOTES_QUERY,
    BackgroundClients,
    Fault,
    count_statuses,
    parse_metrics,
    read_responses,
)

ROUNDS = 100 if FULL_RUN else 12
"""How often a dictionary is changed while it is searched."""

LONG_QUOTE_COUNT = 200_000
"""How many quotes a dictionary has whose answer is sent in pieces."""

UNIT_QUERIES = (LOVE_QUERY, QUOTES_QUERY)


class DictionaryFault(Fault):
    """A fault of the book, while others search the other dictionary."""

    @contextmanager
    def background_searches(self) -> Iterator[None]:
        """Have others find all that they look for, lines and quotes."""
        with ExitStack() as stack:
            all_others = [
                stack.enter_context(
                    BackgroundClients(self.server, {**query, "dictionary": "other"})
                )
                for query in UNIT_QUERIES
            ]
            yield
            for others in all_others:
                others.wait_for_more()
        for others in all_others:
            self.assertEqual(list(others.codes), [200])
            self.assertEqual(others.results, {("other love",)})

    def send_searches(self, count: int = 3) -> list[HTTPConnection]:
        """Look so many times for lines and for quotes, all at once."""
        return [
            self.server.connect().send_query({**query, "dictionary": "book"})
            for query in UNIT_QUERIES
            for _ in range(count)
        ]

    def check_refused(self, code: int, reason: str) -> str:
        """Who asks for the book gets an error, and who asks for all gets the rest."""
        answers = read_responses(self.send_searches())
        path = "/api/v2/quotes?term=love&dictionary="
        answers.append(self.server.get(f"{path}book"))
        for answer in answers:
            self.check_error(answer, code)
            self.assertIn(reason, answer.json()["message"])
        for query in UNIT_QUERIES:
            found = self.server.query_results(**{**query, "dictionary": "*"})
            self.assertEqual(found, ["other love"])
        self.assertEqual(self.server.query_results(action="list"), ["other"])
        self.assertEqual(self.server.get(f"{path}*").json()["total"], 1)
        return f'{count_statuses(answers)}, "*" answers with the rest'

    def restore_book(self) -> None:
        """Put the book in the place of what is there."""
        new = self.folder / "new"
        new.write_text(BOOK_TEXT)
        new.rename(self.book_path)


class ReplacedFault(DictionaryFault):
    """The book is replaced by something that is none."""

    def replace_book(self) -> None:
        """Put something in its place."""
        raise NotImplementedError

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Replace it while it is searched."""
        conversations = self.send_searches()
        self.replace_book()
        return conversations + self.send_searches()

    def inject_and_check(self) -> str:
        """Replace it, look what it is answered with, and put it back."""
        with self.background_searches():
            self.replace_book()
            observed = self.check_refused(403, "may not be read")
            self.remove_replacement()
            self.restore_book()
            self.check_answers()
        return observed

    def remove_replacement(self) -> None:
        """Remove what is in its place."""
        self.book_path.unlink()


class DeletedTests(ReplacedFault):
    """Tests of a dictionary that is deleted."""

    fault_description = "dictionary deleted, then put back"
    expected_behavior = "404 that names what there is, no effect on others"

    def replace_book(self) -> None:
        """Delete it."""
        self.book_path.unlink()

    def inject_and_check(self) -> str:
        """Delete it, ask for it, and put it back."""
        with self.background_searches():
            self.replace_book()
            observed = self.check_refused(404, 'There are: "other"')
            self.restore_book()
            self.check_answers()
        return observed


class UnreadableTests(ReplacedFault):
    """Tests of a dictionary that may not be read any longer."""

    fault_description = "dictionary made unreadable (chmod 0)"
    expected_behavior = "403, no effect on others"
    prefix = UNPRIVILEGED_PREFIX

    def replace_book(self) -> None:
        """Take the right to read it away."""
        self.book_path.chmod(0)


class FifoTests(ReplacedFault):
    """Tests of a dictionary that is turned into a FIFO."""

    fault_description = "dictionary turned into a FIFO"
    expected_behavior = "403, nobody waits for who writes to it"

    def replace_book(self) -> None:
        """Put a FIFO there."""
        self.book_path.unlink()
        os.mkfifo(self.book_path)

    def remove_replacement(self) -> None:
        """Nobody has it open, or waits for that: who would write is told so."""
        with self.assertRaisesRegex(OSError, "No such device or address"):
            os.open(self.book_path, os.O_WRONLY | os.O_NONBLOCK)
        super().remove_replacement()


class FolderTests(ReplacedFault):
    """Tests of a dictionary that is turned into a folder."""

    fault_description = "dictionary turned into a folder"
    expected_behavior = "403, no effect on others"

    def replace_book(self) -> None:
        """Put a folder there."""
        self.book_path.unlink()
        self.book_path.mkdir()

    def remove_replacement(self) -> None:
        """Remove the folder."""
        self.book_path.rmdir()


class LinkTests(ReplacedFault):
    """Tests of a dictionary that is turned into a link that leads outside."""

    fault_description = "dictionary turned into a link that leads outside the library"
    expected_behavior = "403, nothing of what is outside"

    def replace_book(self) -> None:
        """Put the link there."""
        outside = self.folder / "outside"
        outside.write_text("secret love\n")
        self.book_path.unlink()
        self.book_path.symlink_to(outside)


class DeviceTests(ReplacedFault):
    """Tests of a dictionary that is turned into a link to a device."""

    fault_description = "dictionary turned into a link to /dev/zero"
    expected_behavior = "403, nothing is read that has no end"

    def replace_book(self) -> None:
        """Put the link there."""
        self.book_path.unlink()
        self.book_path.symlink_to("/dev/zero")


class ChangingFault(DictionaryFault):
    """The book is changed again and again, and its content tells each state of it."""

    def state_text(self, number: int) -> str:
        """
        What it contains in a state. Two that follow each other differ in length.
        """
        return f"love {number}\n\n" * (1000 + number % 10)

    def reset_book(self) -> None:
        """Bring it into the first state."""
        self.numbers = count()
        self.change_book(next(self.numbers))

    def change_book(self, number: int) -> None:
        """Bring it into the next state."""
        raise NotImplementedError

    def is_of_one_state(self, results: tuple[str, ...]) -> bool:
        """Whether an answer is wholly from one state."""
        [number] = {int(each.removeprefix("love ")) for each in results}
        return "\n\n".join((*results, "")) == self.state_text(number)

    @contextmanager
    def keep_changing(self, wait: Callable[[], object] | None = None) -> Iterator[None]:
        """
        Change it time and again.

        @param wait: waits for the time of the next change; L{None} for about a
            thousand a second.
        """
        stop_event = Event()
        errors: list[BaseException] = []

        def change_on() -> None:
            try:
                for number in self.numbers:
                    self.change_book(number)
                    if stop_event.wait(0 if wait else 0.001):
                        return
                    if wait:
                        wait()
            except BaseException as error:
                errors.append(error)

        thread = Thread(target=change_on)
        thread.start()
        try:
            yield
        finally:
            stop_event.set()
            thread.join(TIMEOUT)
        self.assertEqual(errors, [])

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Change it while it is searched."""
        self.reset_book()
        with self.keep_changing():
            return self.send_searches(10)

    def inject_and_check(self) -> str:
        """Have it searched while it is changed, all the time and now and then."""
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
                states = [each for each in readers.results if each]
                self.assertGreater(len(states), 1)
                for results in states:
                    self.assertTrue(self.is_of_one_state(results), results[:1])
                codes = ", ".join(f"{n} x {code}" for code, n in readers.codes.items())
                observed.append(
                    f"{query.get('unit', 'line')}s {codes}, {len(states)} states"
                )
            self.restore_book()
        return "; ".join(observed)

    def check_statuses(self, query: dict[str, str], readers: BackgroundClients) -> None:
        """No answer is an error but that the dictionary changes all the time."""
        self.assertLessEqual(set(readers.codes), {200, 503})


class RewrittenTests(ChangingFault):
    """Tests of a dictionary that is written anew in its place."""

    fault_description = (
        "dictionary truncated and written anew in place, again and again"
    )
    expected_behavior = "each answer wholly of one state, or a 503"

    def change_book(self, number: int) -> None:
        """Write it anew; for a moment it is empty."""
        self.book_path.write_text(self.state_text(number))


class AppendedTests(ChangingFault):
    """Tests of a dictionary that is written to at its end."""

    fault_description = "dictionary appended to, again and again"
    expected_behavior = "each answer wholly of one state, or a 503"

    def change_book(self, number: int) -> None:
        """Append a quote to it, or begin it anew before it becomes long."""
        number %= 1000
        with self.book_path.open("a" if number else "w") as file:
            file.write(f"love {number}\n\n")

    def is_of_one_state(self, results: tuple[str, ...]) -> bool:
        """Whether it is all that was there at some time."""
        return list(results) == [f"love {number}" for number in range(len(results))]


class RenamedTests(ChangingFault):
    """Tests of a dictionary that is replaced by another of its name."""

    fault_description = "dictionary replaced by rename, again and again"
    expected_behavior = (
        "each answer wholly of one state; for quotes a 503 if it never rests"
    )

    def change_book(self, number: int) -> None:
        """Put another in its place."""
        new = self.folder / "new"
        new.write_text(self.state_text(number))
        new.rename(self.book_path)

    def check_statuses(self, query: dict[str, str], readers: BackgroundClients) -> None:
        """Lines are read off the file that was opened, whatever becomes of its name."""
        super().check_statuses(query, readers)
        if query is LOVE_QUERY:
            self.assertEqual(list(readers.codes), [200])


class LongFault(DictionaryFault):
    """A fault of a dictionary whose long answer is being read slowly."""

    def setUp(self) -> None:
        """What a long answer takes at the most is no part of the fault."""
        self.text = "".join(
            f"{number} is long\n\n" for number in range(LONG_QUOTE_COUNT)
        )
        super().setUp()
        read_responses(self.request_all())
        self.before = parse_metrics(self.server)

    def prepare_server(self) -> None:
        """Write it."""
        self.long = self.library / "long"
        self.long.write_text(self.text)

    def request_all(self) -> list[HTTPConnection]:
        """Ask for all lines and all quotes of it, which do not fit the way."""
        question = {"action": "all", "dictionary": "long"}
        return [
            self.server.connect(4096).send_query({**question, "unit": unit})
            for unit in ("line", "quote")
        ]

    def read_slowly(self) -> list[HTTPConnection]:
        """Begin to read them."""
        readers = self.request_all()
        for reader in readers:
            reader.socket.recv(1, MSG_PEEK)
        # One is for the metrics.
        self.assertEqual(parse_metrics(self.server)["quotes_requests_in_flight"], 3)
        return readers

    def check_rest(self) -> str:
        """Who asks now gets what is there now."""
        found = self.server.query_results(action="all", dictionary="long", unit="quote")
        self.assertEqual(found, ["short now"])
        return "then the new one"


class LongReplacedTests(LongFault):
    """Tests of a dictionary that is replaced under a slow reader."""

    fault_description = (
        "dictionary replaced by rename while a long answer is read slowly"
    )
    expected_behavior = "the reader gets the old one whole"

    def replace(self, text: str) -> None:
        """Put another text in its place."""
        new = self.folder / "new"
        new.write_text(text)
        new.rename(self.long)

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Replace it under its readers."""
        readers = self.read_slowly()
        self.replace("short now\n")
        return readers

    def inject_and_check(self) -> str:
        """Compare what they get."""
        readers = self.inject_with_requests()
        with self.background_searches():
            lines, quotes = read_responses(readers)
            self.assertTrue("\n".join(lines.json()["results"]) + "\n" == self.text)
            self.assertTrue("\n\n".join(quotes.json()["results"]) + "\n\n" == self.text)
            rest = self.check_rest()
            self.replace(self.text)
        return f"{len(lines.body) + len(quotes.body)} bytes of the old one, {rest}"


class LongWrittenTests(LongFault):
    """Tests of a dictionary that is written to under a slow reader."""

    fault_description = (
        "dictionary written to in place while a long answer is read slowly"
    )
    expected_behavior = "the reader is cut, and has no end of an answer"

    def inject_with_requests(self) -> list[HTTPConnection]:
        """Write to it, and have the readers go on."""
        readers = self.read_slowly()
        self.long.write_text("short now\n")
        self.cut: list[HTTPConnection] = []
        self.readers = [
            Thread(target=self.read_to_end, args=(each,)) for each in readers
        ]
        for thread in self.readers:
            thread.start()
            self.addCleanup(thread.join, TIMEOUT)
        return self.send_searches()

    def read_to_end(self, reader: HTTPConnection) -> None:
        """Read until the answer ends, or is cut."""
        try:
            reader.read_response()
        except ConnectionError:
            self.cut.append(reader)

    def inject_and_check(self) -> str:
        """Look whether what they get has an end."""
        connections = self.inject_with_requests()
        with self.background_searches():
            read_responses(connections)
            for thread in self.readers:
                thread.join(TIMEOUT)
            self.assertEqual(len(self.cut), len(self.readers))
            rest = self.check_rest()
            self.long.write_text(self.text)
        return f"{len(self.cut)} cut, {rest}"
