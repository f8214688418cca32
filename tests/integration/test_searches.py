"""
Real searches by the real process, hazards of grep among them.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from .cases import LibraryTestCase
from .fake_grep import GatedGrep
from .server import Server, running_server, wait_until

# Letters whose case, and whose being part of a word, nobody doubts.
ALPHABET = "aAbBéÉñÑ_0 .,-*[(\\+$^|\t\u2014日"
LINE = st.text(ALPHABET, max_size=12)
TERM = LINE.filter(str.strip)
BYTES = st.lists(
    st.one_of(
        LINE.map(str.encode),
        st.binary(max_size=6).map(lambda data: data.replace(b"\n", b"")),
        st.just(b"\xff bad \x00 bytes"),
    ),
    max_size=12,
)


def plain_lines(data: bytes) -> list[str]:
    """The lines of a file as the contract has readers see them."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]


def expected(
    lines: list[str],
    term: str,
    before: int,
    after: int,
    ignore_case: bool,
    whole_word: bool,
    nresults: int,
    offset: int,
) -> list[str]:
    """What the service should answer, by a plain reading of the file."""
    pattern = re.escape(term)
    if whole_word:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    matcher = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    entries = [
        "\n".join(lines[max(0, number - before) : number + after + 1])
        for number, line in enumerate(lines)
        if matcher.search(line)
    ][offset:]
    return entries[:nresults] if nresults > 0 else entries


class LibraryServerTestCase(LibraryTestCase):
    """A server with a library that tests write to."""

    server: Server

    def setUp(self) -> None:
        """Run a server until the test is over."""
        super().setUp()
        self.write(b"", "an empty one")
        self.server = self.serve("--timeout=60")

    def write(self, data: bytes, name: str = "book") -> None:
        """Put a dictionary into the library."""
        (self.library / name).write_bytes(data)

    def search(self, term: str, **fields: object) -> list[str]:
        """Search the book."""
        return self.server.query_results(
            action="search", term=term, dictionary="book", **fields
        )


class PropertyTests(LibraryServerTestCase):
    """The service's answers against a plain reading of the file."""

    def test_a_search_answers_as_a_plain_reading_of_the_file_does(self) -> None:
        """Whatever the file, the term and the options, the entries are the same."""

        @settings(max_examples=400)
        @given(
            lines=BYTES,
            ends=st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=12, max_size=12),
            bom=st.booleans(),
            final=st.booleans(),
            term=TERM,
            picked=st.one_of(
                st.none(), st.tuples(st.integers(0, 99), st.integers(1, 5))
            ),
            before=st.integers(0, 3),
            after=st.integers(0, 3),
            ignore_case=st.booleans(),
            whole_word=st.booleans(),
            nresults=st.integers(-1, 4),
            offset=st.integers(0, 3),
        )
        def check(
            lines: list[bytes],
            ends: list[bytes],
            bom: bool,
            final: bool,
            term: str,
            picked: tuple[int, int] | None,
            before: int,
            after: int,
            ignore_case: bool,
            whole_word: bool,
            nresults: int,
            offset: int,
        ) -> None:
            data = b"".join(line + end for line, end in zip(lines, ends, strict=False))
            if lines and not final:
                data = data.removesuffix(b"\n")
            data = b"\xef\xbb\xbf" * bom + data
            text = plain_lines(data)
            if picked is not None:
                # A piece of the file itself finds something more often.
                joined = " ".join(text)
                start, length = picked
                substring = joined[start % max(1, len(joined)) :][:length]
                if set(substring) <= set(ALPHABET) and substring.strip():
                    term = substring
            self.write(data)
            self.assertEqual(
                self.search(
                    term,
                    n_before=before,
                    n_after=after,
                    ignore_case=ignore_case,
                    whole_word=whole_word,
                    nresults=nresults,
                    offset=offset,
                ),
                expected(
                    text, term, before, after, ignore_case, whole_word, nresults, offset
                ),
            )
            self.assertEqual(
                self.server.query_results(
                    action="all", dictionary="book", nresults=nresults, offset=offset
                ),
                text[offset:][: nresults if nresults > 0 else None],
            )

        check()


class HazardTests(LibraryServerTestCase):
    """What grep does with things that nobody expects."""

    def test_a_term_with_a_leading_dash_is_a_term(self) -> None:
        """No term is taken for an option, not even one that would read a file."""
        secret = self.library / "secret"
        secret.write_text("password\n")
        self.write(f"password\n-v\n-f{secret}\n--help\n-- \n".encode())
        for term in ("-v", f"-f{secret}", "--help", "-- "):
            self.assertEqual(self.search(term), [term])
            self.assertEqual(self.search(term, regex=True), [term])

    def test_nothing_that_a_shell_would_run_is_run(self) -> None:
        """Terms and names go to no shell."""
        mark = self.library / "mark"
        for hostile in (f"$(touch {mark})", f"`touch {mark}`", f"; touch {mark} #"):
            self.write(hostile.encode() + b"\n")
            self.assertEqual(self.search(hostile), [hostile])
            self.server.post_query({"action": "all", "dictionary": hostile})
        self.assertFalse(mark.exists())

    def test_a_line_with_nul_or_bad_bytes_is_found(self) -> None:
        """Such a line is text like any other, bad bytes read as U+FFFD."""
        self.write(b"a \x00 quote\na \xff quote\na quote\n")
        self.assertEqual(
            self.search("quote"), ["a \0 quote", "a \ufffd quote", "a quote"]
        )
        self.assertEqual(
            self.search("a . q", regex=True), ["a \0 quote", "a \ufffd quote"]
        )
        self.assertEqual(self.search("\ufffd"), ["a \ufffd quote"])

    def test_letters_outside_ascii_have_their_case(self) -> None:
        """École finds école when the case is ignored."""
        self.write("l'école\nÉCOLE\nEcole\n".encode())
        self.assertEqual(self.search("École", ignore_case=True), ["l'école", "ÉCOLE"])
        self.assertEqual(self.search("école"), ["l'école"])

    def test_letters_outside_ascii_are_parts_of_words(self) -> None:
        """The na in naïve is no word."""
        self.write("naïve\nna, na\n".encode())
        self.assertEqual(self.search("na", whole_word=True), ["na, na"])

    def test_neighbouring_matches_are_entries_of_their_own(self) -> None:
        """Each match has its own context, though they share lines."""
        self.write(b"one\ntwo dogs\nthree dogs\nfour\n")
        self.assertEqual(
            self.search("dogs", n_before=1, n_after=1),
            ["one\ntwo dogs\nthree dogs", "two dogs\nthree dogs\nfour"],
        )
        self.assertEqual(
            self.search("dogs", n_after=1, nresults=1), ["two dogs\nthree dogs"]
        )

    def test_text_that_looks_like_a_separator_is_text(self) -> None:
        """Lines of dashes, and lines that look numbered, come back as they are."""
        self.write(b"--\n1:dog\n2-dog\n--\n--\n--\n7:dog\n")
        self.assertEqual(
            self.search("dog", n_before=1),
            ["--\n1:dog", "1:dog\n2-dog", "--\n7:dog"],
        )

    def test_line_ends_and_a_mark_are_no_part_of_the_text(self) -> None:
        """A pattern's ends are those of the text, in any kind of file."""
        self.write(b"\xef\xbb\xbfThe dog\r\nA dog\r\nthe end\r\n")
        self.assertEqual(self.search("^The", regex=True), ["The dog"])
        self.assertEqual(self.search("dog$", regex=True), ["The dog", "A dog"])
        self.assertEqual(self.search("^.{5}$", regex=True), ["A dog"])
        self.assertEqual(
            self.search("dog$", regex=True, n_before=1), ["The dog", "The dog\nA dog"]
        )

    def test_a_long_file_with_odd_line_ends_is_searched_to_its_end(self) -> None:
        """What is fed to grep through a pipe arrives whole, and may be left early."""
        lines = [f"line {number} of quotes" for number in range(60_000)]
        self.write("\r\n".join(lines).encode())
        self.assertEqual(self.search("[0-9] of quotes$", regex=True), lines)
        first = self.search("of quotes$", regex=True, nresults=1)
        self.assertEqual(first, lines[:1])
        wait_until(lambda: not self.server.search_pids(), "grep gone")

    def test_all_is_the_file_again(self) -> None:
        """Every line comes back in order, blank ones too."""
        self.write(b"one\n\n\ntwo\n \nthree")
        results = self.server.query_results(action="all", dictionary="book")
        self.assertEqual("\n".join(results), "one\n\n\ntwo\n \nthree")

    def test_nothing_found_is_a_success(self) -> None:
        """A term that is nowhere, and an empty dictionary, give empty answers."""
        self.write(b"one\n")
        self.assertEqual(self.search("two"), [])
        question = {"action": "all", "dictionary": "an empty one"}
        answer = self.server.post_query(question)
        self.assertEqual(answer.body, b'{"nr of entries":0,"results":[]}\n')

    def test_without_a_limit_there_are_as_many_entries_as_grep_counts(self) -> None:
        """Lines are counted, not occurrences."""
        self.write(b"a a a\nb\na\n")
        self.assertEqual(len(self.search("a")), 2)


class ClientTests(SynchronousTestCase):
    """What is done for clients who do not behave as most do."""

    def test_a_client_who_leaves_takes_its_grep_along(self) -> None:
        """The greps of clients who left are killed, and their places given back."""
        with tempfile.TemporaryDirectory() as folder:
            gated = GatedGrep(Path(folder))
            with running_server(
                "--max-running=2", environment=gated.environment
            ) as server:
                question = {"action": "search", "term": "love"}
                leaving = [server.connect().send_query(question) for _ in range(3)]
                server.wait_for_search_pids(2)
                for connection in leaving:
                    connection.close()
                server.wait_for_search_pids(0)
                server.wait_for_log_line("POST /api/v1/json 499")
                gated.open_gate()
                self.assertEqual(server.post_query(question).status, 200)
