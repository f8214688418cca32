"""
Tests for L{twisted_quotes.run_grep.arguments}.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest
from twisted_quotes.grep.arguments import (
    UNNORMALIZED_LINE_ARGUMENTS,
    GrepFailed,
    check_exit_status,
    count_arguments,
    environment,
    line_arguments,
    line_number_arguments,
    match_position_arguments,
    needs_normalized_text,
    whole_line_arguments,
)
from twisted_quotes.grep.output import (
    parse_count,
    parse_line_numbers,
    parse_match_positions,
    parse_numbered_lines,
    strip_line_numbers,
)
from twisted_quotes.query.queries import All, Pattern, Search
from twisted_quotes.text.lines import add_context, parse_lines

from ..cases import letter_case_variants

BYTE_LOCALE = {"LC_ALL": "C"}
UTF8_LOCALE = {"LC_ALL": "C.UTF-8"}


def run_grep(
    arguments: tuple[str | bytes, ...], environment: Mapping[str, str], data: bytes
) -> subprocess.CompletedProcess[bytes]:
    """Run the real grep."""
    return subprocess.run(
        ["grep", *arguments], env=environment, input=data, capture_output=True
    )


def search_arguments(query: Search | All) -> tuple[str, ...]:
    """The arguments that make grep answer a query in one dictionary."""
    return line_arguments(
        query, None if query.limit is None else query.offset + query.limit
    )


def search_environment(query: Search | All) -> dict[str, str]:
    """The environment for that."""
    return dict(environment(query.selection.pattern))


def run_query(query: Search | All, data: bytes) -> list[str]:
    """What the real grep prints to answer a query."""
    done = run_grep(search_arguments(query), search_environment(query), data)
    return list(parse_lines(done.stdout))


def search_with_flag(term: str, flag: str, value: bool) -> Search:
    """A search with one flag set."""
    flags: dict[str, Any] = {flag: value}
    return Search(term=term, **flags)


def context_lines(
    lines: Sequence[str], matches: Sequence[tuple[int, int]], before: int, after: int
) -> list[str]:
    """All matches with the lines around them."""
    return list(add_context(lines, matches, before, after))


class ArgumentsTests(SynchronousTestCase):
    """A query as arguments."""

    def test_a_search(self) -> None:
        """A term is a fixed string, and any bytes are text."""
        self.assertEqual(search_arguments(Search(term="a")), ("-a", "-F", "-e", "a"))

    def test_all(self) -> None:
        """All lines are those that match nothing in particular."""
        self.assertEqual(search_arguments(All()), ("-a", "-e", ""))

    def test_flags(self) -> None:
        """Each flag of a search is one of grep's."""
        for flag, arguments in (
            ("ignore_case", ("-a", "-F", "-i", "-e", "a")),
            ("whole_word", ("-a", "-F", "-w", "-e", "a")),
            ("regex", ("-a", "-E", "-e", "a")),
        ):
            self.assertEqual(
                search_arguments(search_with_flag("a", flag, True)), arguments
            )

    def test_all_flags(self) -> None:
        """The flags go together."""
        query = Search(term="a", ignore_case=True, whole_word=True, regex=True)
        self.assertEqual(search_arguments(query), ("-a", "-E", "-i", "-w", "-e", "a"))

    def test_flags_do_nothing_to_all(self) -> None:
        """There is no term that flags could change."""
        query = All(ignore_case=True, whole_word=True, regex=True)
        self.assertEqual(search_arguments(query), search_arguments(All()))

    def test_context_is_numbered(self) -> None:
        """Context needs numbers to tell matches from it, and no separators."""
        numbered = ("-a", "-n", "--no-group-separator")
        for before, after in ((1, 0), (0, 2), (1, 2)):
            self.assertEqual(
                search_arguments(Search(term="a", n_before=before, n_after=after)),
                (*numbered, f"-B{before}", f"-A{after}", "-F", "-e", "a"),
            )

    def test_a_limit_lets_grep_end_early(self) -> None:
        """No more matches are asked for than are passed over and returned."""
        for query in (Search(term="a", nresults=2, offset=3), All(nresults=5)):
            self.assertEqual(search_arguments(query)[1:3], ("-m", "5"))

    def test_a_limit_leaves_room_for_matches_in_the_context(self) -> None:
        """The context after the last match may be full of matches."""
        query = Search(term="a", nresults=2, offset=3, n_before=9, n_after=4)
        self.assertIn(("-m", "9"), pairwise(search_arguments(query)))

    def test_no_limit(self) -> None:
        """An offset alone lets grep end no earlier."""
        for nresults in (0, -1):
            query = Search(term="a", nresults=nresults, offset=3)
            self.assertNotIn("-m", search_arguments(query))

    def test_a_limit_beyond_all_measure(self) -> None:
        """A number that grep could not read is no more than it can."""
        query = All(nresults=10**30, offset=10**30)
        self.assertEqual(search_arguments(query)[1:3], ("-m", str(2**62)))
        self.assertEqual(run_query(query, b"a\nb\n"), ["a", "b"])

    def test_a_term_is_one_argument(self) -> None:
        """Whatever a term holds, it follows its own C{-e}, whole and last."""
        for term in ("-f/etc/passwd", "--", "-e", "a b", "'; rm x", "$(x)", "é*", "\\"):
            for query in (
                Search(term=term),
                Search(term=term, regex=True, nresults=1, n_after=1),
            ):
                self.assertEqual(search_arguments(query)[-2:], ("-e", term))


class EnvironmentTests(SynchronousTestCase):
    """What grep is told of characters."""

    def test_fixed_strings_are_bytes(self) -> None:
        """A term as it stands is found quicker as bytes."""
        self.assertEqual(search_environment(Search(term="é")), BYTE_LOCALE)
        self.assertEqual(search_environment(All()), BYTE_LOCALE)
        self.assertEqual(search_environment(All(ignore_case=True)), BYTE_LOCALE)

    def test_case_words_and_patterns_are_about_characters(self) -> None:
        """Each of the flags needs Unicode."""
        for flag in ("ignore_case", "whole_word", "regex"):
            self.assertEqual(
                search_environment(search_with_flag("é", flag, True)), UTF8_LOCALE
            )


class RealGrepTests(SynchronousTestCase):
    """What the real grep makes of it."""

    def test_a_leading_dash_is_no_option(self) -> None:
        """A term that looks like an option is looked for."""
        data = b"root\n-f/etc/passwd\n-v\n--help\n-\n"
        for term in ("-f/etc/passwd", "-v", "--help"):
            self.assertEqual(run_query(Search(term=term), data), [term])
            self.assertEqual(run_query(Search(term=term, regex=True), data), [term])

    def test_a_term_is_no_pattern(self) -> None:
        """Without regex every character stands for itself."""
        for term in (".*", "[a]", "a+", "^a", "a$", "\\", "a|b", "(", "{1}"):
            data = f"aab\n{term}\nb\n".encode()
            self.assertEqual(run_query(Search(term=term), data), [term])

    def test_a_pattern_is_an_extended_one(self) -> None:
        """With regex a term is a POSIX extended regular expression."""
        data = b"ac\nabc\nabbc\nxyz\n"
        self.assertEqual(
            run_query(Search(term="^ab{2}c$|y", regex=True), data), ["abbc", "xyz"]
        )

    def test_nul_and_bad_bytes_lose_no_line(self) -> None:
        """Lines before, after and with such bytes are all found."""
        data = b"one cat\ncat \0 nul\n\xff bad cat\ncat \xc3\nlast cat\n"
        found = ["one cat", "cat \0 nul", "\ufffd bad cat", "cat \ufffd", "last cat"]
        self.assertEqual(run_query(All(), data), found)
        for flag in ("ignore_case", "whole_word", "regex"):
            self.assertEqual(
                run_query(search_with_flag("cat", flag, False), data), found
            )
            self.assertEqual(
                run_query(search_with_flag("cat", flag, True), data), found
            )

    def test_case_is_ignored_in_unicode(self) -> None:
        """C{École} is found by C{école} and C{ÉCOLE}, and by these alone if asked."""
        data = "École\nEcole\n".encode()
        for term in ("école", "ÉCOLE", "École"):
            self.assertEqual(
                run_query(Search(term=term, ignore_case=True), data), ["École"]
            )
        self.assertEqual(run_query(Search(term="école"), data), [])

    def test_every_letter_is_found_in_each_of_its_cases(self) -> None:
        """Also those of which grep does not know by itself."""
        for lines in letter_case_variants():
            data = "".join(f"{line}\n" for line in lines).encode()
            for term in lines:
                self.assertEqual(
                    run_query(Search(term=term, ignore_case=True), data), lines
                )

    def test_a_term_in_any_case_is_no_pattern(self) -> None:
        """It stands for itself but for the case of its letters."""
        term = r".k*[k]\{k}^k$|(k)+k?k\<k-k"
        data = f"x{term.upper()}x\nak\nk\n{term}\n".encode()
        for whole_word, found in ((False, [0, 3]), (True, [3])):
            query = Search(term=term, ignore_case=True, whole_word=whole_word)
            lines = data.decode().split("\n")
            self.assertEqual(run_query(query, data), [lines[each] for each in found])

    def test_letters_beyond_ascii_are_parts_of_words(self) -> None:
        """C{na} is no word in C{naïve}."""
        data = "naïve\nna, na\nüna\nna_\nna-x\n".encode()
        self.assertEqual(
            run_query(Search(term="na", whole_word=True), data), ["na, na", "na-x"]
        )

    def test_blank_lines_are_lines_of_all(self) -> None:
        """A dictionary comes back with its blank lines and without more."""
        self.assertEqual(run_query(All(), b"\na\n\n\nb"), ["", "a", "", "", "b"])
        self.assertEqual(run_query(All(), b""), [])

    def test_a_line_with_two_matches_is_one(self) -> None:
        """Lines count, not occurrences."""
        self.assertEqual(run_query(Search(term="a"), b"aXa\n"), ["aXa"])

    def test_a_limit(self) -> None:
        """grep itself stops after as many lines as are wanted."""
        self.assertEqual(run_query(All(nresults=2), b"a\nb\nc\n"), ["a", "b"])
        self.assertEqual(run_query(All(nresults=1, offset=1), b"a\nb\nc\n"), ["a", "b"])

    def test_a_bad_pattern_is_said_to_be_bad(self) -> None:
        """The real complaints of grep are passed on."""
        for term, complaint in (
            ("(", "Unmatched ("),
            ("[a", "Unmatched ["),
            ("a\\", "Trailing backslash"),
            ("[[:x:]]", "Invalid character class name"),
            ("[:space:]", "character class syntax is [[:space:]]"),
            ("a{1,99999}", "Regular expression too big"),
        ):
            query = Search(term=term, regex=True)
            done = run_grep(search_arguments(query), UTF8_LOCALE, b"a\n")
            error = self.assertRaises(
                BadRequest, check_exit_status, done.returncode, done.stderr, True
            )
            self.assertIn(f"regular expression: {complaint}", error.message)

    def test_too_long_a_line_is_said_to_be_too_long(self) -> None:
        """As is too large a pattern: grep says the same of both."""
        for regex in (False, True):
            error = self.assertRaises(
                BadRequest, check_exit_status, 2, b"grep: memory exhausted\n", regex
            )
            self.assertIn("a line of the dictionary is too long", error.message)
        # grep cannot even be started.
        self.assertRaises(
            GrepFailed, check_exit_status, 127, b"memory exhausted, libc\n", False
        )

    def test_input_that_cannot_be_read_is_nobodys_fault(self) -> None:
        """That is a failure though the caller gave a pattern."""
        query = Search(term="a", regex=True)
        folder = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        done = subprocess.run(
            ["grep", *search_arguments(query)],
            env=UTF8_LOCALE,
            stdin=folder,
            capture_output=True,
        )
        self.assertEqual(done.returncode, 2)
        self.assertRaises(GrepFailed, check_exit_status, 2, done.stderr, True)


class NormalTextTests(SynchronousTestCase):
    """Whether a dictionary's bytes are its text."""

    def is_abnormal(self, data: bytes) -> bool:
        """What grep says of a dictionary."""
        done = run_grep(UNNORMALIZED_LINE_ARGUMENTS, BYTE_LOCALE, data)
        check_exit_status(done.returncode, done.stderr, False)
        return done.returncode == 0

    def test_plain_text_is_normal(self) -> None:
        """Text with any characters, NUL and U+FFFD too, is as it should be."""
        for text in (
            "",
            "a\n\nb",
            "é 🐈\n",
            "a\0b\n",
            "\ufffd\n",
            "\ufeff\n",
            "\t\x7f",
        ):
            self.assertFalse(self.is_abnormal(text.encode()), text)

    def test_carriage_returns_and_bad_bytes_are_not(self) -> None:
        """Each of them is seen, wherever it stands."""
        for data in (
            b"a\nb\r\n",
            b"\r",
            b"a\rb\n",
            b"a\n\xff\n",
            b"\xc3",
            b"\xed\xa0\x80",
        ):
            self.assertTrue(self.is_abnormal(data), data)

    def test_what_is_no_text_is_what_python_cannot_decode(self) -> None:
        """Each line is judged alike, whatever grep itself takes for a character."""
        edges = bytes.fromhex("00 0d 41 7f 80 8f 90 9f a0 bf c0 c2 df e0")
        edges += bytes.fromhex("e1 ec ed ee ef f0 f1 f3 f4 f5 f7 f8 fb fc fd ff")
        following = bytes.fromhex("41 80 8f 90 9f a0 bf c2")
        lines = [
            bytes([first, *rest])
            for first in edges
            for length in range(4)
            for rest in product(following, repeat=length)
        ]
        lines += [bytes([first, *[0x88] * 5][:6]) for first in range(0xF5, 0x100)]
        arguments = (
            "-n",
            *(
                each
                for each in UNNORMALIZED_LINE_ARGUMENTS
                if each not in ("-c", "-m1")
            ),
        )
        done = run_grep(arguments, BYTE_LOCALE, b"\n".join([*lines, b""]))
        found = set(parse_line_numbers(done.stdout))
        for number, line in enumerate(lines):
            is_text = "\ufffd" not in line.decode("utf-8", "replace")
            self.assertEqual(number in found, b"\r" in line or not is_text, line)

    def test_it_matters_to_patterns(self) -> None:
        """A pattern may ask for a line's end, or for any character."""
        self.assertTrue(needs_normalized_text(Pattern("a$", regex=True)))

    def test_it_matters_to_a_replacement_character(self) -> None:
        """U+FFFD may stand for a bad byte."""
        self.assertTrue(needs_normalized_text(Pattern("a\ufffd")))

    def test_it_does_not_matter_otherwise(self) -> None:
        """Other terms match the same bytes as they do text."""
        for query in (
            Search(term="aé", ignore_case=True, whole_word=True),
            Search(term="\ufeff"),
            All(),
            All(regex=True),
        ):
            self.assertFalse(needs_normalized_text(query.selection.pattern))


class ExitStatusTests(SynchronousTestCase):
    """How grep ended."""

    def test_success_with_or_without_a_match(self) -> None:
        """Status 0 and 1 are no errors, whatever warnings grep prints."""
        for status in (0, 1):
            check_exit_status(status, b"", False)
            check_exit_status(status, b"grep: warning: stray \\ before e\n", True)

    def test_a_bad_pattern(self) -> None:
        """2 with a pattern is the caller's, in grep's words but not its name."""
        error = self.assertRaises(
            BadRequest, check_exit_status, 2, b"grep: Unmatched (\n", True
        )
        self.assertEqual(
            error.message,
            'The field "term" is not a POSIX extended regular expression: '
            'Unmatched (. Correct it, or leave out "regex" to search for it as a fixed '
            "string.",
        )

    def test_a_bad_pattern_after_a_warning(self) -> None:
        """What made grep give up is what it said last."""
        errors = b"grep: warning: stray \\ before e\ngrep: Trailing backslash\n"
        error = self.assertRaises(BadRequest, check_exit_status, 2, errors, True)
        self.assertIn(": Trailing backslash. ", error.message)
        self.assertNotIn("stray", error.message)

    def test_an_error_without_a_pattern(self) -> None:
        """2 with a fixed string is nothing that a caller could mend."""
        error = self.assertRaises(
            GrepFailed, check_exit_status, 2, b"grep: Oh no\n", False
        )
        self.assertEqual(str(error), "grep ended with status 2, saying 'Oh no'")

    def test_an_error_without_a_word(self) -> None:
        """2 in silence is not the pattern's fault."""
        for errors in (b"", b"grep: \n"):
            self.assertRaises(GrepFailed, check_exit_status, 2, errors, True)

    def test_an_error_while_reading(self) -> None:
        """2 about the input is not the pattern's fault."""
        errors = b"grep: (standard input): Input/output error\n"
        self.assertRaises(GrepFailed, check_exit_status, 2, errors, True)

    def test_a_death_by_signal(self) -> None:
        """A grep that was killed has answered nothing."""
        error = self.assertRaises(GrepFailed, check_exit_status, None, b"", True)
        self.assertIn("status None", str(error))

    def test_a_complaint_that_is_no_text(self) -> None:
        """Bad bytes in what grep says do no harm."""
        error = self.assertRaises(
            BadRequest, check_exit_status, 2, b"grep: \xff\n", True
        )
        self.assertIn(": \ufffd. ", error.message)


class NumberedLinesTests(SynchronousTestCase):
    """Lines with their numbers."""

    def test_nothing(self) -> None:
        """Nothing printed is nothing found."""
        self.assertEqual(parse_numbered_lines([]), ([], []))

    def test_matches_and_context(self) -> None:
        """A colon marks a match, a dash marks context."""
        self.assertEqual(
            parse_numbered_lines(["4-a", "5:b", "6-c", "90:d"]),
            (["a", "b", "c", "d"], [(1, 5), (3, 90)]),
        )

    def test_text_that_looks_like_a_mark(self) -> None:
        """The first mark after the first number counts, and no other."""
        self.assertEqual(
            parse_numbered_lines(["1-2:x", "2:3-y", "3---", "4::", "5:"]),
            (["2:x", "3-y", "--", ":", ""], [(1, 2), (3, 4), (4, 5)]),
        )

    def test_text_with_other_line_ends(self) -> None:
        """A text is kept whole, whatever it holds."""
        text = "a\rb\u2028c\0d\x85"
        self.assertEqual(parse_numbered_lines([f"1:{text}"]), ([text], [(0, 1)]))

    def test_a_line_without_a_number(self) -> None:
        """What grep cannot have printed is a failure, not a result."""
        for line in ("", "--", "abc", ":1", "12"):
            self.assertRaises(GrepFailed, parse_numbered_lines, ["1:a", line])

    def test_neighbouring_matches(self) -> None:
        """Matches that grep prints as one group are entries of their own."""
        query = Search(term="a", n_before=1, n_after=1)
        lines, matches = parse_numbered_lines(run_query(query, b"x\na1\na2\ny\n"))
        self.assertEqual(
            context_lines(lines, matches, 1, 1), ["x\na1\na2", "a1\na2\ny"]
        )

    def test_context_that_looks_like_a_separator(self) -> None:
        """Lines such as C{--} are context like any other."""
        query = Search(term="cat", n_before=1, n_after=1)
        data = b"--\ncat\n1:x\ny\n7-z\ncat\n--\n"
        lines, matches = parse_numbered_lines(run_query(query, data))
        self.assertEqual(
            context_lines(lines, matches, 1, 1), ["--\ncat\n1:x", "7-z\ncat\n--"]
        )

    def test_a_limit_cuts_no_context_short(self) -> None:
        """The last match wanted has all its context, matches or not."""
        query = Search(term="a", n_after=3, nresults=1)
        lines, matches = parse_numbered_lines(run_query(query, b"a1\na2\na3\nx\na4\n"))
        self.assertEqual(context_lines(lines, matches, 0, 3)[0], "a1\na2\na3\nx")

    @settings(max_examples=100)
    @given(
        st.lists(st.sampled_from(["cat", "--", "1:cat", "2-", "", ":", "x"])),
        st.integers(0, 3),
        st.integers(0, 3),
    )
    def test_any_context(self, dictionary: list[str], before: int, after: int) -> None:
        """Entries are the lines around each match in the dictionary."""
        hits = [i for i, line in enumerate(dictionary) if "cat" in line]
        shown = sorted(
            {
                near
                for i in hits
                for near in range(i - before, i + after + 1)
                if 0 <= near < len(dictionary)
            }
        )
        printed = [f"{i + 1}{':' if i in hits else '-'}{dictionary[i]}" for i in shown]
        self.assertEqual(
            context_lines(*parse_numbered_lines(printed), before, after),
            ["\n".join(dictionary[max(0, i - before) : i + after + 1]) for i in hits],
        )


class WithoutNumbersTests(SynchronousTestCase):
    """Lines that all match, without their numbers."""

    def test_only_what_grep_put_before_a_line_goes(self) -> None:
        """Numbers that stand in the lines are left as they are."""
        self.assertEqual(
            strip_line_numbers(b"2:a\n3:\n40:7:b\n500:\xff\r\n"),
            (b"a\n\n7:b\n\xff\r\n", 500),
        )

    def test_a_line_without_a_number(self) -> None:
        """Anything but a number before each line is not to be explained away."""
        for output in (b"a\n", b"1:a\nb\n", b"a\n2:b\n", b"1:a\n\n", b"1-a\n"):
            with self.subTest(output=output):
                self.assertRaises(GrepFailed, strip_line_numbers, output)


class GarbageTests(SynchronousTestCase):
    """What is no answer of grep's."""

    def test_what_is_no_number_is_no_count(self) -> None:
        """However it looks like one."""
        self.assertEqual(parse_count(b"12\n"), 12)
        for output in (b"", b"12", b"x\n", b"1\n2\n", b"-1\n", b"9" * 5000 + b"\n"):
            self.assertRaises(GrepFailed, parse_count, output)

    def test_what_has_no_place_is_no_match(self) -> None:
        """A match is told with its line and its place."""
        self.assertEqual(parse_match_positions(b"2:30:ab\n"), [(1, 30, 32)])
        for output in (b"ab\n", b"2:ab\n", b"2:x:ab\n", b":1:ab\n"):
            self.assertRaises(GrepFailed, parse_match_positions, output)


class QuoteTests(SynchronousTestCase):
    """How grep is asked about lines that are quotes, and what it says."""

    def setUp(self) -> None:
        """Write some lines to a file."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.lines = open(f"{folder.name}/lines", "w+b")  # noqa: SIM115
        self.addCleanup(self.lines.close)
        self.lines.write("a b\nb\nbaa\n\né: a\nx\na".encode())
        self.lines.seek(0)

    def run_grep(self, arguments: tuple[str, ...], pattern: Pattern | None) -> bytes:
        """What the real grep prints, going on where it was in the file."""
        return subprocess.run(
            ["grep", *arguments],
            env=dict(environment(pattern)),
            stdin=self.lines,
            capture_output=True,
        ).stdout

    def test_numbers_of_lines(self) -> None:
        """Lines are counted from 0, whatever stands in them."""
        a = Pattern("a")
        output = self.run_grep(line_number_arguments(a, 9), a)
        self.assertEqual(parse_line_numbers(output), [0, 2, 4, 6])
        self.assertEqual(parse_line_numbers(b""), [])

    def test_grep_goes_on_after_the_last_match(self) -> None:
        """The next grep reads on where the one before it ended."""
        a = Pattern("a")
        self.assertEqual(
            parse_line_numbers(self.run_grep(line_number_arguments(a, 2), a)), [0, 2]
        )
        self.assertEqual(
            parse_line_numbers(self.run_grep(line_number_arguments(a, 1), a)), [1]
        )
        self.assertEqual(self.run_grep(count_arguments(a), a), b"1\n")
        self.assertEqual(self.run_grep(line_number_arguments(a, 1), a), b"")

    def test_places_of_matches(self) -> None:
        """Each match is told by itself, in bytes of what grep read."""
        a = Pattern("A", ignore_case=True)
        output = self.run_grep(match_position_arguments(a), a)
        self.assertEqual(
            parse_match_positions(output),
            [(0, 0, 1), (2, 7, 8), (2, 8, 9), (4, 15, 16), (6, 19, 20)],
        )
        self.assertEqual(parse_match_positions(b"3:5:a:b\n"), [(2, 5, 8)])

    def test_an_empty_match_has_no_place(self) -> None:
        """What matches nothing in particular is nowhere in particular."""
        empty = Pattern("^|z*", regex=True)
        self.assertEqual(
            parse_match_positions(
                self.run_grep(match_position_arguments(empty), empty)
            ),
            [],
        )

    def test_a_whole_line(self) -> None:
        """A line is found that is just that, and only the first."""
        self.assertEqual(
            parse_line_numbers(self.run_grep(whole_line_arguments("b"), None)), [1]
        )
        self.assertEqual(self.run_grep(whole_line_arguments("ba"), None), b"")
