"""
Tests for the modules C{arguments} and C{output} of L{twisted_quotes.grep}.
"""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, pairwise, product
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
    line_arguments,
    line_number_arguments,
    match_position_arguments,
    needs_normalized_text,
    pattern_environment,
    whole_line_arguments,
)
from twisted_quotes.grep.output import (
    parse_count,
    parse_line_numbers,
    parse_match_positions,
    parse_numbered_lines,
    strip_line_numbers,
)
from twisted_quotes.query.queries import All, Search
from twisted_quotes.query.selection import Pattern
from twisted_quotes.text.lines import add_context, parse_lines

from ..cases import letter_case_groups, letter_case_variants

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
    """Return the arguments for a query."""
    return line_arguments(
        query, None if query.limit is None else query.offset + query.limit
    )


def search_environment(query: Search | All) -> dict[str, str]:
    """Return the environment for a query."""
    return dict(pattern_environment(query.selection.pattern))


def run_query(query: Search | All, data: bytes) -> list[str]:
    """Return the lines that the real grep prints for a query."""
    done = run_grep(search_arguments(query), search_environment(query), data)
    return list(parse_lines(done.stdout))


def search_with_flag(term: str, flag: str, value: bool) -> Search:
    """Return a search with one flag set."""
    flags: dict[str, Any] = {flag: value}
    return Search(term=term, **flags)


def context_lines(
    lines: Sequence[str], matches: Sequence[tuple[int, int]], before: int, after: int
) -> list[str]:
    """Return each match with the lines around it."""
    return list(add_context(lines, matches, before, after))


class ArgumentsTests(SynchronousTestCase):
    """Tests for L{line_arguments}."""

    def test_a_query_has_these_arguments(self) -> None:
        """Lines with context are numbered, so no separators are needed."""
        numbered = "-a -n --no-group-separator"
        flags: dict[str, Any] = {"ignore_case": True, "whole_word": True, "regex": True}
        for query, arguments in (
            (Search(term="a"), "-a -F -e a"),
            (Search(term="a", ignore_case=True), "-a -F -i -e a"),
            (Search(term="a", whole_word=True), "-a -F -w -e a"),
            (Search(term="a", regex=True), "-a -E -e a"),
            (Search(term="a", **flags), "-a -E -i -w -e a"),
            (All(), "-a -e "),
            (All(**flags), "-a -e "),
            (Search(term="a", n_before=1), f"{numbered} -B1 -A0 -F -e a"),
            (Search(term="a", n_after=2), f"{numbered} -B0 -A2 -F -e a"),
            (Search(term="a", n_before=1, n_after=2), f"{numbered} -B1 -A2 -F -e a"),
            (Search(term="a", nresults=2, offset=3), "-a -m 5 -F -e a"),
            (All(nresults=5), "-a -m 5 -e "),
            (Search(term="a", nresults=0, offset=3), "-a -F -e a"),
            (Search(term="a", nresults=-1, offset=3), "-a -F -e a"),
        ):
            self.assertEqual(" ".join(search_arguments(query)), arguments, query)

    def test_a_limit_leaves_room_for_matches_in_the_context(self) -> None:
        """All lines of the context after the last match may match."""
        query = Search(term="a", nresults=2, offset=3, n_before=9, n_after=4)
        self.assertIn(("-m", "9"), pairwise(search_arguments(query)))

    def test_a_limit_is_reduced_to_what_grep_can_parse(self) -> None:
        query = All(nresults=10**30, offset=10**30)
        self.assertEqual(search_arguments(query)[1:3], ("-m", str(2**62)))
        self.assertEqual(run_query(query, b"a\nb\n"), ["a", "b"])

    def test_a_term_is_one_argument_after_its_own_option(self) -> None:
        for term in ("-f/etc/passwd", "--", "-e", "a b", "'; rm x", "$(x)", "é*", "\\"):
            for query in (
                Search(term=term),
                Search(term=term, regex=True, nresults=1, n_after=1),
            ):
                self.assertEqual(search_arguments(query)[-2:], ("-e", term))


class EnvironmentTests(SynchronousTestCase):
    """Tests for L{pattern_environment}."""

    def test_fixed_strings_are_matched_as_bytes(self) -> None:
        self.assertEqual(search_environment(Search(term="é")), BYTE_LOCALE)
        self.assertEqual(search_environment(All()), BYTE_LOCALE)
        self.assertEqual(search_environment(All(ignore_case=True)), BYTE_LOCALE)

    def test_case_words_and_expressions_need_characters(self) -> None:
        for flag in ("ignore_case", "whole_word", "regex"):
            self.assertEqual(
                search_environment(search_with_flag("é", flag, True)), UTF8_LOCALE
            )

    def test_the_case_of_most_ascii_letters_does_not_need_characters(self) -> None:
        """C{k} and C{s} have variants beyond ASCII."""
        for term, locale in (
            *(("zanzibar", BYTE_LOCALE), ("I-22 [", BYTE_LOCALE)),
            *(("oak", UTF8_LOCALE), ("Sea", UTF8_LOCALE), ("\u0131", UTF8_LOCALE)),
        ):
            query = Search(term=term, ignore_case=True)
            self.assertEqual(search_environment(query), locale, term)
        query = Search(term="a", ignore_case=True, whole_word=True)
        self.assertEqual(search_environment(query), UTF8_LOCALE)


class RealGrepTests(SynchronousTestCase):
    """Tests for the arguments with the real grep."""

    def test_a_term_with_a_leading_dash_is_no_option(self) -> None:
        data = b"root\n-f/etc/passwd\n-v\n--help\n-\n"
        for term in ("-f/etc/passwd", "-v", "--help"):
            self.assertEqual(run_query(Search(term=term), data), [term])
            self.assertEqual(run_query(Search(term=term, regex=True), data), [term])

    def test_a_fixed_string_is_no_expression(self) -> None:
        for term in (".*", "[a]", "a+", "^a", "a$", "\\", "a|b", "(", "{1}"):
            data = f"aab\n{term}\nb\n".encode()
            self.assertEqual(run_query(Search(term=term), data), [term])

    def test_an_expression_is_a_posix_extended_one(self) -> None:
        data = b"ac\nabc\nabbc\nxyz\n"
        self.assertEqual(
            run_query(Search(term="^ab{2}c$|y", regex=True), data), ["abbc", "xyz"]
        )

    def test_nul_and_invalid_bytes_lose_no_line(self) -> None:
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
        data = "École\nEcole\n".encode()
        for term in ("école", "ÉCOLE", "École"):
            self.assertEqual(
                run_query(Search(term=term, ignore_case=True), data), ["École"]
            )
        self.assertEqual(run_query(Search(term="école"), data), [])

    def test_every_letter_is_found_in_each_of_its_cases(self) -> None:
        """Also those that grep itself does not support."""
        for lines in letter_case_variants():
            data = "".join(f"{line}\n" for line in lines).encode()
            for term, regex in product(lines, (False, True)):
                query = Search(term=term, ignore_case=True, regex=regex)
                self.assertEqual(run_query(query, data), lines)

    def test_no_letter_is_found_by_one_that_is_not_its_case(self) -> None:
        """Such as the dotless i: its capital is I, but it does not fold to i."""
        groups = letter_case_groups()
        cased = {letter for group in groups for letter in group}
        letters = map(chr, range(0x20, 0x110000))
        groups += [
            [letter]
            for letter in letters
            if letter not in cased and (letter.lower(), letter.upper()) != (letter,) * 2
        ]
        lines = "".join(f"{letter}\n" for letter in chain(*groups)).encode()
        # For any two groups, there is a bit in which their indexes differ.
        for bit, value, regex in product(range(11), (0, 1), (False, True)):
            patterns, found = defaultdict(list), defaultdict(set)
            for index, group in enumerate(groups):
                for letter in group if index >> bit & 1 == value else ():
                    query = Search(term=letter, ignore_case=True, regex=regex)
                    *options, _, pattern = search_arguments(query)
                    locale = search_environment(query)
                    key = (*options,), locale["LC_ALL"]
                    patterns[key].append(f"-e{pattern}")
                    found[key].update(group)
            for (options_, name), terms in patterns.items():
                locale = {"LC_ALL": name}
                printed = run_grep((*options_, *terms), locale, lines).stdout
                self.assertEqual(set(parse_lines(printed)), found[options_, name])

    def test_an_expression_ignores_case_by_the_same_rule(self) -> None:
        """Brackets, too; only with a back-reference grep follows its own rule."""
        data = "sik\nSIK\n\u017fi\u212a\ns\u0131k\n-]9\n".encode()
        found = ["sik", "SIK", "\u017fi\u212a"]
        for term in (
            *("sik", "^s(i)k$", "s[i]k", "[a-z][h-j]k", "[A-Z]i[J-K]", "[Ss]i[k-]"),
            *("[[:alpha:]]ik", "s[^ab]k|si", r"\bs[ijk]\w", "[]s]i[^]i]", "[-i-j]k"),
            *("s[i[]k", "[[:digit:]s]i", "s[0-9i]k", r"(s)i\\?k$"),
        ):
            query = Search(term=term, ignore_case=True, regex=True)
            expected = data.decode().split()[:-1] if term[1:4] == "[^a" else found
            self.assertEqual(run_query(query, data), expected, term)
        query = Search(term="\\\u00e9i", ignore_case=True, regex=True)
        self.assertEqual(run_query(query, "\u00c9I\n".encode()), ["\u00c9I"])

    def test_a_fixed_string_in_any_case_is_no_expression(self) -> None:
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

    def test_blank_lines_are_printed(self) -> None:
        self.assertEqual(run_query(All(), b"\na\n\n\nb"), ["", "a", "", "", "b"])
        self.assertEqual(run_query(All(), b""), [])

    def test_a_line_with_two_matches_is_printed_once(self) -> None:
        self.assertEqual(run_query(Search(term="a"), b"aXa\n"), ["aXa"])

    def test_grep_stops_at_the_limit(self) -> None:
        self.assertEqual(run_query(All(nresults=1, offset=1), b"a\nb\nc\n"), ["a", "b"])

    def test_the_message_of_grep_about_an_invalid_expression_is_reported(self) -> None:
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

    def test_a_lack_of_memory_is_a_bad_request(self) -> None:
        """The cause is a long line or a large expression."""
        for regex in (False, True):
            error = self.assertRaises(
                BadRequest, check_exit_status, 2, b"grep: memory exhausted\n", regex
            )
            self.assertIn("a line of the dictionary is too long", error.message)

    def test_unreadable_input_is_no_bad_request(self) -> None:
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
    """Tests for the detection of text that must be normalized."""

    def needs_normalization(self, data: bytes) -> bool:
        """Return whether grep finds a line to be normalized."""
        done = run_grep(UNNORMALIZED_LINE_ARGUMENTS, BYTE_LOCALE, data)
        check_exit_status(done.returncode, done.stderr, False)
        return done.returncode == 0

    def test_carriage_returns_and_invalid_bytes_need_normalization(self) -> None:
        for text in (
            "",
            "a\n\nb",
            "é 🐈\n",
            "a\0b\n",
            "\ufffd\n",
            "\ufeff\n",
            "\t\x7f",
        ):
            self.assertFalse(self.needs_normalization(text.encode()), text)
        for data in (
            *(b"a\nb\r\n", b"\r", b"a\rb\n", b"a\n\xff\n", b"\xc3", b"\xed\xa0\x80"),
        ):
            self.assertTrue(self.needs_normalization(data), data)

    def test_lines_are_valid_if_python_can_decode_them(self) -> None:
        """Whatever grep itself takes for a character."""
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

    def test_expressions_and_replacement_characters_need_normalized_text(self) -> None:
        """They may match the end of a line, or invalid bytes."""
        for pattern, needed in (
            (Pattern("a$", regex=True), True),
            (Pattern("a\ufffd"), True),
            (Pattern("aé", ignore_case=True, whole_word=True), False),
            (Pattern("\ufeff"), False),
            (None, False),
        ):
            self.assertEqual(needs_normalized_text(pattern), needed, pattern)


class ExitStatusTests(SynchronousTestCase):
    """Tests for L{check_exit_status}."""

    def test_success_with_or_without_a_match(self) -> None:
        """Status 0 and 1 are no errors, whatever warnings grep prints."""
        for status in (0, 1):
            check_exit_status(status, b"", False)
            check_exit_status(status, b"grep: warning: stray \\ before e\n", True)

    def test_an_invalid_expression_is_a_bad_request(self) -> None:
        error = self.assertRaises(
            BadRequest, check_exit_status, 2, b"grep: Unmatched (\n", True
        )
        self.assertEqual(
            error.message,
            'The "term" is not a POSIX extended regular expression: '
            'Unmatched (. Correct it, or leave out "regex" to search for it as a fixed '
            "string.",
        )

    def test_only_the_last_message_of_grep_is_reported(self) -> None:
        errors = b"grep: warning: stray \\ before e\ngrep: Trailing backslash\n"
        error = self.assertRaises(BadRequest, check_exit_status, 2, errors, True)
        self.assertIn(": Trailing backslash. ", error.message)
        self.assertNotIn("stray", error.message)

    def test_other_errors_are_failures(self) -> None:
        """Without an expression or a message, about the input, or with a signal."""
        for status, errors, regex, message in (
            (2, b"grep: Oh no\n", False, "grep ended with status 2, saying 'Oh no'"),
            (2, b"", True, "status 2"),
            (2, b"grep: \n", True, "status 2"),
            (2, b"grep: (standard input): Input/output error\n", True, "status 2"),
            (None, b"", True, "status None"),
            (127, b"grep: cannot load libc.so.6\n", True, "status 127"),
            (127, b"memory exhausted, libc\n", False, "status 127"),
        ):
            error = self.assertRaises(
                GrepFailed, check_exit_status, status, errors, regex
            )
            self.assertIn(message, str(error))

    def test_invalid_bytes_in_a_message_are_replaced(self) -> None:
        error = self.assertRaises(
            BadRequest, check_exit_status, 2, b"grep: \xff\n", True
        )
        self.assertIn(": \ufffd. ", error.message)


class NumberedLinesTests(SynchronousTestCase):
    """Tests for L{parse_numbered_lines}."""

    def test_the_first_mark_tells_a_match_from_context(self) -> None:
        """Only a line feed ends a line."""
        text = "a\rb\u2028c\0d\x85"
        for printed, parsed in (
            ([], ([], [])),
            (
                ["4-a", "5:b", "6-c", "90:d"],
                (["a", "b", "c", "d"], [(1, 5), (3, 90)]),
            ),
            (
                ["1-2:x", "2:3-y", "3---", "4::", "5:"],
                (["2:x", "3-y", "--", ":", ""], [(1, 2), (3, 4), (4, 5)]),
            ),
            ([f"1:{text}"], ([text], [(0, 1)])),
        ):
            self.assertEqual(parse_numbered_lines(printed), parsed)

    def test_a_line_without_a_number_is_a_failure(self) -> None:
        for line in ("", "--", "abc", ":1", "12"):
            self.assertRaises(GrepFailed, parse_numbered_lines, ["1:a", line])

    def test_matches_of_one_group_are_separate_entries(self) -> None:
        query = Search(term="a", n_before=1, n_after=1)
        lines, matches = parse_numbered_lines(run_query(query, b"x\na1\na2\ny\n"))
        self.assertEqual(
            context_lines(lines, matches, 1, 1), ["x\na1\na2", "a1\na2\ny"]
        )

    def test_a_line_of_dashes_is_context_like_any_other(self) -> None:
        query = Search(term="cat", n_before=1, n_after=1)
        data = b"--\ncat\n1:x\ny\n7-z\ncat\n--\n"
        lines, matches = parse_numbered_lines(run_query(query, data))
        self.assertEqual(
            context_lines(lines, matches, 1, 1), ["--\ncat\n1:x", "7-z\ncat\n--"]
        )

    def test_the_last_match_has_all_its_context(self) -> None:
        query = Search(term="a", n_after=3, nresults=1)
        lines, matches = parse_numbered_lines(run_query(query, b"a1\na2\na3\nx\na4\n"))
        self.assertEqual(context_lines(lines, matches, 0, 3)[0], "a1\na2\na3\nx")

    @settings(max_examples=100)
    @given(
        st.lists(st.sampled_from(["cat", "--", "1:cat", "2-", "", ":", "x"])),
        st.integers(0, 3),
        st.integers(0, 3),
    )
    def test_entries_are_the_lines_around_each_match(
        self, dictionary: list[str], before: int, after: int
    ) -> None:
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


class StripLineNumbersTests(SynchronousTestCase):
    """Tests for L{strip_line_numbers}."""

    def test_only_the_number_of_grep_is_removed(self) -> None:
        self.assertEqual(
            strip_line_numbers(b"2:a\n3:\n40:7:b\n500:\xff\r\n"),
            (b"a\n\n7:b\n\xff\r\n", 500),
        )

    def test_a_line_without_a_number_is_a_failure(self) -> None:
        for output in (b"a\n", b"1:a\nb\n", b"a\n2:b\n", b"1:a\n\n", b"1-a\n"):
            with self.subTest(output=output):
                self.assertRaises(GrepFailed, strip_line_numbers, output)


class InvalidOutputTests(SynchronousTestCase):
    """Tests for output that grep cannot have printed."""

    def test_an_invalid_count_is_a_failure(self) -> None:
        self.assertEqual(parse_count(b"12\n"), 12)
        for output in (b"", b"12", b"x\n", b"1\n2\n", b"-1\n", b"9" * 5000 + b"\n"):
            self.assertRaises(GrepFailed, parse_count, output)

    def test_a_match_without_a_position_is_a_failure(self) -> None:
        self.assertEqual(parse_match_positions(b"2:30:ab\n"), [(1, 30, 32)])
        for output in (b"ab\n", b"2:ab\n", b"2:x:ab\n", b":1:ab\n"):
            self.assertRaises(GrepFailed, parse_match_positions, output)


class ColumnTests(SynchronousTestCase):
    """Tests for the arguments and the output of searches of an index."""

    def setUp(self) -> None:
        folder = self.enterContext(TemporaryDirectory())
        self.lines = self.enterContext(open(f"{folder}/lines", "w+b"))
        self.lines.write("a b\nb\nbaa\n\né: a\nx\na".encode())
        self.lines.seek(0)

    def run_grep(self, arguments: tuple[str, ...], pattern: Pattern | None) -> bytes:
        """Return the output of the real grep, from the current file offset on."""
        return subprocess.run(
            ["grep", *arguments],
            env=dict(pattern_environment(pattern)),
            stdin=self.lines,
            capture_output=True,
        ).stdout

    def test_line_numbers_are_counted_from_0(self) -> None:
        a = Pattern("a")
        output = self.run_grep(line_number_arguments(a, 9), a)
        self.assertEqual(parse_line_numbers(output), [0, 2, 4, 6])
        self.assertEqual(parse_line_numbers(b""), [])
        # It would be the position before the first one.
        self.assertEqual(parse_line_numbers(b"0:a\n"), [])

    def test_the_next_grep_continues_after_the_last_match(self) -> None:
        a = Pattern("a")
        self.assertEqual(
            parse_line_numbers(self.run_grep(line_number_arguments(a, 2), a)), [0, 2]
        )
        self.assertEqual(
            parse_line_numbers(self.run_grep(line_number_arguments(a, 1), a)), [1]
        )
        self.assertEqual(self.run_grep(count_arguments(a), a), b"1\n")
        self.assertEqual(self.run_grep(line_number_arguments(a, 1), a), b"")

    def test_positions_are_offsets_in_bytes(self) -> None:
        a = Pattern("A", ignore_case=True)
        output = self.run_grep(match_position_arguments(a), a)
        self.assertEqual(
            parse_match_positions(output),
            [(0, 0, 1), (2, 7, 8), (2, 8, 9), (4, 15, 16), (6, 19, 20)],
        )
        self.assertEqual(parse_match_positions(b"3:5:a:b\n"), [(2, 5, 8)])

    def test_an_empty_match_has_no_position(self) -> None:
        empty = Pattern("^|z*", regex=True)
        self.assertEqual(
            parse_match_positions(
                self.run_grep(match_position_arguments(empty), empty)
            ),
            [],
        )

    def test_the_first_equal_line_is_found(self) -> None:
        self.assertEqual(
            parse_line_numbers(self.run_grep(whole_line_arguments("b"), None)), [1]
        )
        self.assertEqual(self.run_grep(whole_line_arguments("ba"), None), b"")
