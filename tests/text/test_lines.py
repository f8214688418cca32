"""
Tests for L{twisted_quotes.text.lines}.
"""

from __future__ import annotations

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
    *(b"a", b"\r", b"\n", b"\r\n", b"\0", b"\xff", b"\xc3", b"\xc3\xa9"),
    *(b"\xf0\x9f\x90\x88", b"\xf0\x9f", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xef\xbb"),
    b"\xe2\x80\xa8",
)
DATA = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3)).map(b"".join)
OFFSETS = st.none() | st.integers(-9, 9)


def plain_lines(data: bytes) -> list[str]:
    """Parse lines in the simplest way."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]


def read_normalized(data: bytes, size: int) -> bytes:
    """Read all of a L{NormalizedFile}, C{size} bytes at a time."""
    file = NormalizedFile(BytesIO(data))
    return b"".join(iter(lambda: file.read(size), b""))


class ParseLinesTests(SynchronousTestCase):
    """Tests of L{parse_lines}."""

    def test_only_a_line_feed_ends_a_line(self) -> None:
        """A carriage return before it is no text, and invalid bytes are U+FFFD."""
        separators = "a\u2028b\u0085c\x0bd\x0ce"
        for data, lines in (
            (b"", []),
            (b"a\nb\n", ["a", "b"]),
            (b"a\nb", ["a", "b"]),
            (b"\n\na\n\n", ["", "", "a", ""]),
            (b"a\r\n\r\nb\r\n", ["a", "", "b"]),
            (b"a\rb\r\r\n", ["a\rb\r"]),
            (b"a\xffb\n\xc3\nc\n", ["a\ufffdb", "\ufffd", "c"]),
            (b"a\0b\n", ["a\0b"]),
            (separators.encode(), [separators]),
        ):
            self.assertEqual(list(parse_lines(data)), lines)

    def test_all_carriage_returns_of_a_normalized_file_are_text(self) -> None:
        self.assertEqual(list(parse_lines(b"a\r\n", normalized=True)), ["a\r"])

    @settings(max_examples=100)
    @given(DATA)
    def test_any_bytes_are_parsed_like_in_the_simplest_way(self, data: bytes) -> None:
        terminated = data if data.endswith(b"\n") or not data else data + b"\n"
        self.assertEqual(list(parse_lines(terminated)), plain_lines(terminated))


class LinesTests(SynchronousTestCase):
    """Tests of L{Lines} and of functions on entries."""

    @settings(max_examples=100)
    @given(DATA, OFFSETS, OFFSETS)
    def test_lines_are_sliced_like_a_list(
        self, data: bytes, start: int | None, stop: int | None
    ) -> None:
        lines = parse_lines(data)
        self.assertEqual(len(lines), len(list(lines)))
        self.assertEqual(list(lines[start:stop]), list(lines)[start:stop])

    def test_lines_have_indexes(self) -> None:
        """A step is not supported."""
        lines = parse_lines(b"a\nb\n")
        self.assertEqual((lines[0], lines[-1]), ("a", "b"))
        self.assertRaises(IndexError, lambda: lines[2])
        self.assertRaises(ValueError, lambda: lines[::2])

    def test_cleared_lines_are_empty(self) -> None:
        lines = parse_lines(b"a\nb\n")
        self.assertEqual(len(lines), 2)
        lines.clear()
        self.assertEqual((lines.data, len(lines), list(lines)), (b"", 0, []))

    def test_only_lines_are_concatenated_to_lines(self) -> None:
        one, two = parse_lines(b"a\nb"), parse_lines(b"c\n\n")
        both = concatenate_entries([one, two])
        self.assertIsInstance(both, Lines)
        self.assertEqual(list(both), ["a", "b", "c", ""])
        self.assertIs(concatenate_entries([one]), one)
        self.assertEqual(concatenate_entries([one, ["c\nd"]]), ["a", "b", "c\nd"])
        self.assertEqual(list(concatenate_entries([])), [])

    def test_the_size_includes_line_ends(self) -> None:
        lines = parse_lines(b"a\n\nbc\n")
        for entries in (lines, list(lines)):
            self.assertEqual(approximate_size(entries), 6)


class AddContextTests(SynchronousTestCase):
    """Tests of L{add_context}."""

    def test_each_match_is_an_entry_with_its_own_context(self) -> None:
        """There is less context at the ends of the dictionary."""
        for lines, matches, before, after, entries in (
            ("", [], 1, 1, []),
            ("a", [(0, 7)], 0, 0, ["a"]),
            ("abcde", [(2, 3)], 1, 2, ["b\nc\nd\ne"]),
            ("ab", [(0, 1), (1, 2)], 5, 5, ["a\nb", "a\nb"]),
            ("abcd", [(1, 2), (2, 3)], 1, 1, ["a\nb\nc", "b\nc\nd"]),
            ("abxy", [(0, 1), (3, 90)], 1, 1, ["a\nb", "x\ny"]),
        ):
            with_context = add_context([*lines], matches, before, after)
            self.assertEqual(list(with_context), entries)


class NormalizedFileTests(SynchronousTestCase):
    """Tests of L{NormalizedFile}."""

    def test_the_text_is_utf_8_without_carriage_returns_at_line_ends(self) -> None:
        """It does not depend on the sizes of the reads."""
        valid = "a\nb \u00e9 \U0001f408\n\n".encode()
        for data, text in (
            (b"", b""),
            (valid, valid),
            (b"a\r\n\r\nb\r\n", b"a\n\nb\n"),
            (b"a\r", b"a"),
            (b"a\r\r", b"a\r"),
            (b"a\rb\r\r\n", b"a\rb\r\n"),
            (b"\xff\n\xc3", "\ufffd\n\ufffd".encode()),
            (b"\xef", "\ufffd".encode()),
            (b"\xef\xbb", "\ufffd".encode()),
        ):
            for size in (*range(1, 6), 4096):
                self.assertEqual(read_normalized(data, size), text)

    def test_a_read_at_the_end_returns_nothing(self) -> None:
        file = NormalizedFile(BytesIO(b"a\r"))
        self.assertEqual([file.read(9) for _ in range(3)], [b"a", b"", b""])
        self.assertEqual(file.bytes_read, 2)

    @settings(max_examples=100)
    @given(DATA, st.integers(1, 9))
    def test_the_text_has_the_lines_of_the_file(self, data: bytes, size: int) -> None:
        """Each line reads the same as in the file itself."""
        text = "\n".join(
            line.removesuffix("\r")
            for line in data.decode("utf-8", "replace").split("\n")
        )
        self.assertEqual(read_normalized(data, size), text.encode())
        terminated = data + b"\n"
        self.assertEqual(
            read_normalized(terminated, size).decode().split("\n")[:-1],
            list(parse_lines(terminated)),
        )
