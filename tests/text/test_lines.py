"""
Tests for L{twisted_quotes.text.lines}.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text.lines import (
    Lines,
    NormalizedFile,
    add_context,
    approximate_size,
    concatenate_entries,
    parse_lines,
)

PIECES = (
    b"a",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xc3\xa9",
    b"\xf0\x9f\x90\x88",
    b"\xf0\x9f",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xef\xbb",
    b"\xe2\x80\xa8",
)
DATA = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3)).map(b"".join)
OFFSETS = st.none() | st.integers(-9, 9)


def plain_lines(data: bytes) -> list[str]:
    """The lines of a text, in the plainest way to say what they are."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]


def read_normalized(data: bytes, size: int = 4096) -> bytes:
    """All of a normalized file, read in pieces."""
    file = NormalizedFile(BytesIO(data))
    return b"".join(iter(lambda: file.read(size), b""))


def context_lines(
    lines: Sequence[str], matches: Sequence[tuple[int, int]], before: int, after: int
) -> list[str]:
    """All matches with the lines around them."""
    return list(add_context(lines, matches, before, after))


class TextLinesTests(SynchronousTestCase):
    """Bytes as lines."""

    def test_nothing_has_no_lines(self) -> None:
        """An empty text is not one empty line."""
        self.assertEqual(list(parse_lines(b"")), [])

    def test_last_line_may_lack_its_end(self) -> None:
        """A missing last line feed makes no difference."""
        self.assertEqual(list(parse_lines(b"a\nb\n")), ["a", "b"])
        self.assertEqual(list(parse_lines(b"a\nb")), ["a", "b"])

    def test_blank_lines_are_lines(self) -> None:
        """Blank lines are kept, at the start and at the end too."""
        self.assertEqual(list(parse_lines(b"\n\na\n\n")), ["", "", "a", ""])

    def test_crlf_ends_a_line(self) -> None:
        """The carriage return of a line's end is no part of its text."""
        self.assertEqual(list(parse_lines(b"a\r\n\r\nb\r\n")), ["a", "", "b"])

    def test_a_carriage_return_elsewhere_is_text(self) -> None:
        """Only the one before the line feed goes."""
        self.assertEqual(list(parse_lines(b"a\rb\r\r\n")), ["a\rb\r"])

    def test_bad_bytes_are_replaced(self) -> None:
        """What is not UTF-8 reads as U+FFFD, and no line is lost by it."""
        self.assertEqual(
            list(parse_lines(b"a\xffb\n\xc3\nc\n")), ["a\ufffdb", "\ufffd", "c"]
        )

    def test_nul_is_text(self) -> None:
        """A line with NUL is a line like any other."""
        self.assertEqual(list(parse_lines(b"a\0b\n")), ["a\0b"])

    def test_only_a_line_feed_ends_a_line(self) -> None:
        """What Unicode calls line ends does not end one here, as for grep."""
        line = "a\u2028b\u0085c\x0bd\x0ce"
        self.assertEqual(list(parse_lines(line.encode())), [line])

    @settings(max_examples=100)
    @given(DATA)
    def test_any_bytes(self, data: bytes) -> None:
        """Lines of any bytes are those of the plain way to read them."""
        terminated = data if data.endswith(b"\n") or not data else data + b"\n"
        self.assertEqual(list(parse_lines(terminated)), plain_lines(terminated))


class LinesTests(SynchronousTestCase):
    """Lines that are kept together."""

    @settings(max_examples=100)
    @given(DATA, OFFSETS, OFFSETS)
    def test_they_are_cut_like_a_list(
        self, data: bytes, start: int | None, stop: int | None
    ) -> None:
        """Any part of them is the same as that part of a list."""
        lines = parse_lines(data)
        self.assertEqual(len(lines), len(list(lines)))
        self.assertEqual(list(lines[start:stop]), list(lines)[start:stop])

    def test_one_of_them(self) -> None:
        """Each can be had by itself."""
        lines = parse_lines(b"a\nb\n")
        self.assertEqual((lines[0], lines[-1]), ("a", "b"))
        self.assertRaises(IndexError, lambda: lines[2])

    def test_every_other_one_is_no_part(self) -> None:
        """What does not stand together is not kept together."""
        self.assertRaises(ValueError, lambda: parse_lines(b"a\nb\n")[::2])

    def test_forgotten(self) -> None:
        """What was forgotten takes no memory, and counts no more."""
        lines = parse_lines(b"a\nb\n")
        self.assertEqual(len(lines), 2)
        lines.clear()
        self.assertEqual((lines.data, len(lines), list(lines)), (b"", 0, []))

    def test_joined(self) -> None:
        """Lines of several dictionaries are kept together, entries are not."""
        one, two = parse_lines(b"a\nb"), parse_lines(b"c\n\n")
        both = concatenate_entries([one, two])
        self.assertIsInstance(both, Lines)
        self.assertEqual(list(both), ["a", "b", "c", ""])
        self.assertIs(concatenate_entries([one]), one)
        self.assertEqual(concatenate_entries([one, ["c\nd"]]), ["a", "b", "c\nd"])
        self.assertEqual(list(concatenate_entries([])), [])

    def test_size(self) -> None:
        """They are as long one by one as together."""
        lines = parse_lines(b"a\n\nbc\n")
        self.assertEqual(
            (approximate_size(lines), approximate_size(list(lines))), (6, 6)
        )


class WithContextTests(SynchronousTestCase):
    """Matches and the lines around them."""

    def test_no_matches(self) -> None:
        """Without matches there are no entries."""
        self.assertEqual(context_lines([], [], 1, 1), [])

    def test_no_context(self) -> None:
        """A match alone is its own entry."""
        self.assertEqual(context_lines(["a"], [(0, 7)], 0, 0), ["a"])

    def test_lines_before_and_after(self) -> None:
        """An entry is the match among its lines, joined by line feeds."""
        self.assertEqual(
            context_lines(list("abcde"), [(2, 3)], 1, 2),
            ["b\nc\nd\ne"],
        )

    def test_the_dictionary_starts_and_ends_somewhere(self) -> None:
        """At the ends there is as much context as there is."""
        self.assertEqual(
            context_lines(list("ab"), [(0, 1), (1, 2)], 5, 5), ["a\nb", "a\nb"]
        )

    def test_neighbours_are_entries_of_their_own(self) -> None:
        """Matches whose context overlaps each have all of it."""
        self.assertEqual(
            context_lines(list("abcd"), [(1, 2), (2, 3)], 1, 1), ["a\nb\nc", "b\nc\nd"]
        )

    def test_context_does_not_reach_into_another_group(self) -> None:
        """Lines that stand far apart in the dictionary do not mix."""
        self.assertEqual(
            context_lines(["a", "b", "x", "y"], [(0, 1), (3, 90)], 1, 1),
            ["a\nb", "x\ny"],
        )


class NormalizedFileTests(SynchronousTestCase):
    """A dictionary as the UTF-8 of its text."""

    def test_text_is_left_as_it_is(self) -> None:
        """What is fine already is not changed."""
        data = "a\nb é 🐈\n\n".encode()
        self.assertEqual(read_normalized(data), data)

    def test_nothing(self) -> None:
        """An empty file is empty."""
        self.assertEqual(read_normalized(b""), b"")

    def test_crlf(self) -> None:
        """Line ends become line feeds, wherever the pieces are cut."""
        for size in range(1, 6):
            self.assertEqual(read_normalized(b"a\r\n\r\nb\r\n", size), b"a\n\nb\n")

    def test_carriage_return_at_the_end_of_the_file(self) -> None:
        """The last line's carriage return goes though no line feed follows."""
        for size in range(1, 4):
            self.assertEqual(read_normalized(b"a\r", size), b"a")
            self.assertEqual(read_normalized(b"a\r\r", size), b"a\r")

    def test_carriage_return_within_a_line(self) -> None:
        """One that ends no line stays."""
        for size in range(1, 5):
            self.assertEqual(read_normalized(b"a\rb\r\r\n", size), b"a\rb\r\n")

    def test_bad_bytes(self) -> None:
        """Bytes that are not UTF-8 become U+FFFD, one cut short at the end too."""
        for size in range(1, 5):
            self.assertEqual(
                read_normalized(b"\xff\n\xc3", size), "\ufffd\n\ufffd".encode()
            )

    def test_file_of_one_bad_byte(self) -> None:
        """Not even the first byte of half a byte order mark is lost."""
        for data in (b"\xef", b"\xef\xbb"):
            self.assertEqual(read_normalized(data, 1), "\ufffd".encode())

    def test_nothing_more_after_the_end(self) -> None:
        """At its end it stays at its end."""
        file = NormalizedFile(BytesIO(b"a\r"))
        self.assertEqual([file.read(9) for _ in range(3)], [b"a", b"", b""])

    @settings(max_examples=100)
    @given(DATA, st.integers(1, 9))
    def test_any_bytes_in_pieces_of_any_size(self, data: bytes, size: int) -> None:
        """What is read is the plain text, however it is cut."""
        text = "\n".join(
            line.removesuffix("\r")
            for line in data.decode("utf-8", "replace").split("\n")
        )
        self.assertEqual(read_normalized(data, size), text.encode())

    @settings(max_examples=100)
    @given(DATA)
    def test_it_agrees_with_text_lines(self, data: bytes) -> None:
        """A normalized line reads the same as the line it came from."""
        terminated = data if data.endswith(b"\n") or not data else data + b"\n"
        self.assertEqual(
            read_normalized(terminated).decode().split("\n")[:-1],
            list(parse_lines(terminated)),
        )
