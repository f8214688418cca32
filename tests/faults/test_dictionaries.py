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

from ..integration.conversation import LIMIT, Conversation
from ..integration.server import UNPRIVILEGED
from .cases import (
    BOOK,
    FULL,
    LOVE,
    QUOTES,
    Fault,
    Others,
    answers_to,
    counted,
    metrics_of,
)

ROUNDS = 100 if FULL else 12
"""How often a dictionary is changed while it is searched."""

LONG = 200_000
"""How many quotes a dictionary has whose answer is sent in pieces."""

UNITS = (LOVE, QUOTES)


class DictionaryFault(Fault):
    """A fault of the book, while others search the other dictionary."""

    @contextmanager
    def others(self) -> Iterator[None]:
        """Have others find all that they look for, lines and quotes."""
        with ExitStack() as stack:
            all_others = [
                stack.enter_context(
                    Others(self.server, {**what, "dictionary": "other"})
                )
                for what in UNITS
            ]
            yield
            for others in all_others:
                others.wait_for_more()
        for others in all_others:
            self.assertEqual(list(others.codes), [200])
            self.assertEqual(others.results, {("other love",)})

    def ask(self, count: int = 3) -> list[Conversation]:
        """Look so many times for lines and for quotes, all at once."""
        return [
            self.server.connect().ask({**what, "dictionary": "book"})
            for what in UNITS
            for _ in range(count)
        ]

    def check_refused(self, code: int, reason: str) -> str:
        """Who asks for the book gets an error, and who asks for all gets the rest."""
        answers = answers_to(self.ask())
        path = "/api/v2/quotes?term=love&dictionary="
        answers.append(self.server.get(f"{path}book"))
        for answer in answers:
            self.check_error(answer, code)
            self.assertIn(reason, answer.json()["message"])
        for what in UNITS:
            found = self.server.results(**{**what, "dictionary": "*"})
            self.assertEqual(found, ["other love"])
        self.assertEqual(self.server.results(action="list"), ["other"])
        self.assertEqual(self.server.get(f"{path}*").json()["total"], 1)
        return f'{counted(answers)}, "*" answers with the rest'

    def put_back(self) -> None:
        """Put the book in the place of what is there."""
        new = self.folder / "new"
        new.write_text(BOOK)
        new.rename(self.book)


class Replaced(DictionaryFault):
    """The book is replaced by something that is none."""

    def replace(self) -> None:
        """Put something in its place."""
        raise NotImplementedError

    def begin(self) -> list[Conversation]:
        """Replace it while it is searched."""
        conversations = self.ask()
        self.replace()
        return conversations + self.ask()

    def make(self) -> str:
        """Replace it, look what it is answered with, and put it back."""
        with self.others():
            self.replace()
            seen = self.check_refused(403, "may not be read")
            self.remove()
            self.put_back()
            self.check_answers()
        return seen

    def remove(self) -> None:
        """Remove what is in its place."""
        self.book.unlink()


class DeletedTests(Replaced):
    """Tests of a dictionary that is deleted."""

    done = "dictionary deleted, then put back"
    promised = "404 that names what there is, no effect on others"

    def replace(self) -> None:
        """Delete it."""
        self.book.unlink()

    def make(self) -> str:
        """Delete it, ask for it, and put it back."""
        with self.others():
            self.replace()
            seen = self.check_refused(404, 'There are: "other"')
            self.put_back()
            self.check_answers()
        return seen


class UnreadableTests(Replaced):
    """Tests of a dictionary that may not be read any longer."""

    done = "dictionary made unreadable (chmod 0)"
    promised = "403, no effect on others"
    prefix = UNPRIVILEGED

    def replace(self) -> None:
        """Take the right to read it away."""
        self.book.chmod(0)


class FifoTests(Replaced):
    """Tests of a dictionary that is turned into a FIFO."""

    done = "dictionary turned into a FIFO"
    promised = "403, nobody waits for who writes to it"

    def replace(self) -> None:
        """Put a FIFO there."""
        self.book.unlink()
        os.mkfifo(self.book)

    def remove(self) -> None:
        """Nobody has it open, or waits for that: who would write is told so."""
        with self.assertRaisesRegex(OSError, "No such device or address"):
            os.open(self.book, os.O_WRONLY | os.O_NONBLOCK)
        super().remove()


class FolderTests(Replaced):
    """Tests of a dictionary that is turned into a folder."""

    done = "dictionary turned into a folder"
    promised = "403, no effect on others"

    def replace(self) -> None:
        """Put a folder there."""
        self.book.unlink()
        self.book.mkdir()

    def remove(self) -> None:
        """Remove the folder."""
        self.book.rmdir()


class LinkTests(Replaced):
    """Tests of a dictionary that is turned into a link that leads outside."""

    done = "dictionary turned into a link that leads outside the library"
    promised = "403, nothing of what is outside"

    def replace(self) -> None:
        """Put the link there."""
        outside = self.folder / "outside"
        outside.write_text("secret love\n")
        self.book.unlink()
        self.book.symlink_to(outside)


class DeviceTests(Replaced):
    """Tests of a dictionary that is turned into a link to a device."""

    done = "dictionary turned into a link to /dev/zero"
    promised = "403, nothing is read that has no end"

    def replace(self) -> None:
        """Put the link there."""
        self.book.unlink()
        self.book.symlink_to("/dev/zero")


class Changing(DictionaryFault):
    """The book is changed again and again, and its content tells each state of it."""

    def state(self, number: int) -> str:
        """
        What it contains in a state. Two that follow each other differ in length.
        """
        return f"love {number}\n\n" * (1000 + number % 10)

    def begin_anew(self) -> None:
        """Bring it into the first state."""
        self.numbers = count()
        self.change(next(self.numbers))

    def change(self, number: int) -> None:
        """Bring it into the next state."""
        raise NotImplementedError

    def is_of_one_state(self, results: tuple[str, ...]) -> bool:
        """Whether an answer is wholly from one state."""
        [number] = {int(each.removeprefix("love ")) for each in results}
        return "\n\n".join((*results, "")) == self.state(number)

    @contextmanager
    def changing(self, wait: Callable[[], object] | None = None) -> Iterator[None]:
        """
        Change it time and again.

        @param wait: waits for the time of the next change; L{None} for about a
            thousand a second.
        """
        over = Event()
        errors: list[BaseException] = []

        def change_on() -> None:
            try:
                for number in self.numbers:
                    self.change(number)
                    if over.wait(0 if wait else 0.001):
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
            over.set()
            thread.join(LIMIT)
        self.assertEqual(errors, [])

    def begin(self) -> list[Conversation]:
        """Change it while it is searched."""
        self.begin_anew()
        with self.changing():
            return self.ask(10)

    def make(self) -> str:
        """Have it searched while it is changed, all the time and now and then."""
        seen = []
        with self.others():
            for what in UNITS:
                self.begin_anew()
                with Others(self.server, {**what, "dictionary": "book"}) as readers:
                    with self.changing():
                        for _ in range(ROUNDS):
                            readers.wait_for_more(1)
                    with self.changing(lambda: readers.wait_for_more(2)):
                        for _ in range(ROUNDS):
                            readers.wait_for_more(2)
                self.check_codes(what, readers)
                states = [each for each in readers.results if each]
                self.assertGreater(len(states), 1)
                for results in states:
                    self.assertTrue(self.is_of_one_state(results), results[:1])
                codes = ", ".join(f"{n} x {code}" for code, n in readers.codes.items())
                seen.append(
                    f"{what.get('unit', 'line')}s {codes}, {len(states)} states"
                )
            self.put_back()
        return "; ".join(seen)

    def check_codes(self, what: dict[str, str], readers: Others) -> None:
        """No answer is an error but that the dictionary changes all the time."""
        self.assertLessEqual(set(readers.codes), {200, 503})


class RewrittenTests(Changing):
    """Tests of a dictionary that is written anew in its place."""

    done = "dictionary truncated and written anew in place, again and again"
    promised = "each answer wholly of one state, or a 503"

    def change(self, number: int) -> None:
        """Write it anew; for a moment it is empty."""
        self.book.write_text(self.state(number))


class AppendedTests(Changing):
    """Tests of a dictionary that is written to at its end."""

    done = "dictionary appended to, again and again"
    promised = "each answer wholly of one state, or a 503"

    def change(self, number: int) -> None:
        """Append a quote to it, or begin it anew before it becomes long."""
        number %= 1000
        with self.book.open("a" if number else "w") as file:
            file.write(f"love {number}\n\n")

    def is_of_one_state(self, results: tuple[str, ...]) -> bool:
        """Whether it is all that was there at some time."""
        return list(results) == [f"love {number}" for number in range(len(results))]


class RenamedTests(Changing):
    """Tests of a dictionary that is replaced by another of its name."""

    done = "dictionary replaced by rename, again and again"
    promised = "each answer wholly of one state; for quotes a 503 if it never rests"

    def change(self, number: int) -> None:
        """Put another in its place."""
        new = self.folder / "new"
        new.write_text(self.state(number))
        new.rename(self.book)

    def check_codes(self, what: dict[str, str], readers: Others) -> None:
        """Lines are read off the file that was opened, whatever becomes of its name."""
        super().check_codes(what, readers)
        if what is LOVE:
            self.assertEqual(list(readers.codes), [200])


class LongFault(DictionaryFault):
    """A fault of a dictionary whose long answer is being read slowly."""

    def setUp(self) -> None:
        """What a long answer takes at the most is no part of the fault."""
        self.text = "".join(f"{number} is long\n\n" for number in range(LONG))
        super().setUp()
        answers_to(self.ask_for_all())
        self.before = metrics_of(self.server)

    def prepare(self) -> None:
        """Write it."""
        self.long = self.library / "long"
        self.long.write_text(self.text)

    def ask_for_all(self) -> list[Conversation]:
        """Ask for all lines and all quotes of it, which do not fit the way."""
        question = {"action": "all", "dictionary": "long"}
        return [
            self.server.connect(4096).ask({**question, "unit": unit})
            for unit in ("line", "quote")
        ]

    def read_slowly(self) -> list[Conversation]:
        """Begin to read them."""
        readers = self.ask_for_all()
        for reader in readers:
            reader.socket.recv(1, MSG_PEEK)
        # One is for the metrics.
        self.assertEqual(metrics_of(self.server)["quotes_requests_in_flight"], 3)
        return readers

    def check_rest(self) -> str:
        """Who asks now gets what is there now."""
        found = self.server.results(action="all", dictionary="long", unit="quote")
        self.assertEqual(found, ["short now"])
        return "then the new one"


class LongReplacedTests(LongFault):
    """Tests of a dictionary that is replaced under a slow reader."""

    done = "dictionary replaced by rename while a long answer is read slowly"
    promised = "the reader gets the old one whole"

    def replace(self, text: str) -> None:
        """Put another text in its place."""
        new = self.folder / "new"
        new.write_text(text)
        new.rename(self.long)

    def begin(self) -> list[Conversation]:
        """Replace it under its readers."""
        readers = self.read_slowly()
        self.replace("short now\n")
        return readers

    def make(self) -> str:
        """Compare what they get."""
        readers = self.begin()
        with self.others():
            lines, quotes = answers_to(readers)
            self.assertTrue("\n".join(lines.json()["results"]) + "\n" == self.text)
            self.assertTrue("\n\n".join(quotes.json()["results"]) + "\n\n" == self.text)
            rest = self.check_rest()
            self.replace(self.text)
        return f"{len(lines.body) + len(quotes.body)} bytes of the old one, {rest}"


class LongWrittenTests(LongFault):
    """Tests of a dictionary that is written to under a slow reader."""

    done = "dictionary written to in place while a long answer is read slowly"
    promised = "the reader is cut, and has no end of an answer"

    def begin(self) -> list[Conversation]:
        """Write to it, and have the readers go on."""
        readers = self.read_slowly()
        self.long.write_text("short now\n")
        self.cut: list[Conversation] = []
        self.readers = [Thread(target=self.read_on, args=(each,)) for each in readers]
        for thread in self.readers:
            thread.start()
            self.addCleanup(thread.join, LIMIT)
        return self.ask()

    def read_on(self, reader: Conversation) -> None:
        """Read until the answer ends, or is cut."""
        try:
            reader.response()
        except ConnectionError:
            self.cut.append(reader)

    def make(self) -> str:
        """Look whether what they get has an end."""
        asked = self.begin()
        with self.others():
            answers_to(asked)
            for thread in self.readers:
                thread.join(LIMIT)
            self.assertEqual(len(self.cut), len(self.readers))
            rest = self.check_rest()
            self.long.write_text(self.text)
        return f"{len(self.cut)} cut, {rest}"
