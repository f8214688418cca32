"""
Tests for L{twisted_quotes.library.packs.building.writer}.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EIO, EMFILE
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted_quotes.library.dictionary import STABLE_TIME, Dictionary
from twisted_quotes.library.opening import open_dictionary
from twisted_quotes.library.packs.building import reading, writer
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.library.packs.plan import PackPlan
from twisted_quotes.quotes.attribution import parse_attribution
from twisted_quotes.quotes.formats import QuoteFormat
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.text.normalization import normalize_for_search

from ....cases import as_text
from ....memory import peak_memory
from ..cases import PackTestCase, flip_byte

PIECES = st.sampled_from(
    (
        *(b"one", b"caf\xc3\xa9", b"cafe\xcc\x81", b"\xe2\x80\x9ctwo\xe2\x80\x9d"),
        *(b"\n", b"\r\n", b"\n\n", b"\n%\n", b" ", b"\t", b"-- Author", b"\xff", b"\r"),
    )
)
FILE = st.builds(
    lambda bom, pieces: b"\xef\xbb\xbf" * bom + as_text(b"".join(pieces)),
    st.booleans(),
    st.lists(PIECES, max_size=20),
)


def read_lines(pack: Pack, name: str) -> list[str]:
    """Return the lines of a column."""
    return Path(pack.folder, name).read_bytes().decode().split("\n")[:-1]


class ContentTests(PackTestCase):
    """Tests of the content of packs."""

    def test_each_quote_is_one_line_in_the_columns(self) -> None:
        """Texts and authors are normalized, and the dictionaries are in order."""
        three = "\u201cThree\u201d\n-- Cafe\u0301"
        pack = self.pack_files({"b": f"\n\nOne\n  two\n\n{three}\n", "a": "Zero"})
        self.assertEqual([each.name for each in pack.dictionaries], ["a", "b"])
        self.assertEqual([each.quote_count for each in pack.dictionaries], [1, 2])
        texts = ["Zero", "One two", '"Three" -- Caf\u00e9']
        self.assertEqual(read_lines(pack, "texts-0"), texts)
        self.assertEqual(read_lines(pack, "authors"), ["", "", "Caf\u00e9"])

    def test_lines_are_normalized(self) -> None:
        """Each dictionary ends with a line feed."""
        pack = self.pack_files({"a": b"\xef\xbb\xbfone\r\n\r\ntw\xffo", "b": b"x\ry\n"})
        self.assertEqual(read_lines(pack, "lines"), ["one", "", "tw\ufffdo", "x\ry"])
        self.assertEqual([each.line_count for each in pack.dictionaries], [3, 1])
        self.assertEqual(pack.dictionaries[0].warnings, ("1 place is not UTF-8",))
        with pack.open() as files:
            self.assertEqual(files.read_spans(0, 2), [(0, 3, 1), (5, 11, 3)])

    def test_replacement_characters_of_the_file_are_no_invalid_places(self) -> None:
        text = "\ufffd" * 400_000
        pack = self.pack_files({"a": b"\xff" + text.encode()})
        self.assertEqual(pack.dictionaries[0].warnings, ("1 place is not UTF-8",))

    def test_the_format_of_a_dictionary_is_that_of_its_header(self) -> None:
        self.write({"a": "Uryyb\n%\nx", "b": "one\n\ntwo"})
        header = bytes.fromhex("00000002" + "00" * 12 + "00000004" + "25000000")
        self.write({"a.dat": header})
        pack = self.write_pack()
        formats = [pack.directory.formats[x.format_number] for x in pack.dictionaries]
        self.assertEqual(
            formats, [QuoteFormat("percent", "%", True), QuoteFormat("blank-line")]
        )
        self.assertEqual(read_lines(pack, "texts-0"), ["Hello", "k", "one", "two"])

    def test_long_texts_are_in_several_files(self) -> None:
        """The texts of several dictionaries are not."""
        texts = [str(number) for number in range(1000, 1010)]
        with patch.object(writer, "SEGMENT_SIZE", 16):
            pack = self.pack_files({"a": "\n\n".join(texts)})
            self.assertEqual(pack.directory.segments, [4, 8, 10])
            self.assertEqual(read_lines(pack, "texts-1"), texts[4:8])
            self.write({"b": "\n\n".join(texts)})
            self.assertEqual(self.write_pack().directory.segments, [20])

    @settings(max_examples=200)
    @given(st.lists(FILE, min_size=1, max_size=3))
    def test_the_columns_match_the_quotes_for_any_files(
        self, files: list[bytes]
    ) -> None:
        pack = self.pack_files({f"{n}": data for n, data in enumerate(files)})
        pack_lines = Path(pack.folder, "lines").read_bytes()
        texts, authors = read_lines(pack, "texts-0"), read_lines(pack, "authors")
        for number, packed in list(enumerate(pack.dictionaries))[: len(files)]:
            part = PackPart(pack, range(number, number + 1))
            lines = part.byte_range("lines")
            data = pack_lines[lines.start : lines.stop]
            quotes = part.quotes
            with pack.open() as columns:
                spans = columns.read_spans(quotes.start, quotes.stop)
                ids = columns.read_ids(quotes.start, quotes.stop)
            decode = pack.directory.formats[packed.format_number].decode
            found = [decode(data[span.start : span.end]) for span in spans]
            self.assertEqual(
                [normalize_for_search(text) for text in found],
                texts[quotes.start : quotes.stop],
            )
            self.assertEqual(
                [normalize_for_search(parse_attribution(t) or "") for t in found],
                authors[quotes.start : quotes.stop],
            )
            self.assertEqual(ids, bytes.fromhex("".join(map(quote_id, found))))
            for text, span in zip(found, spans, strict=True):
                self.assertTrue(text.strip("\n"))
                self.assertEqual(span.line, data.count(b"\n", 0, span.start) + 1)

    def test_a_small_pack_takes_little_memory(self) -> None:
        """What a thread allocates stays with the service."""
        self.write({"a": "1"})
        plan = self.make_plan()
        self.assertLess(peak_memory(lambda: self.write_pack(plan)), 2**20)


class CopyTests(PackTestCase):
    """Tests of dictionaries that are copied from other packs."""

    def assert_same_columns(self, first: Pack, second: Pack) -> None:
        """Check that two packs have the same content."""
        self.assertEqual(first.directory, second.directory)
        for name in first.directory.sizes:
            one, two = (Path(x.folder, name).read_bytes() for x in (first, second))
            self.assertEqual(one, two, name)

    def test_unchanged_dictionaries_are_copied(self) -> None:
        """They are not read again. The result is the same as without sources."""
        self.write({f"{n}": f"{n}\n\nmore\n-- A{n}\n" for n in range(9)})
        old = self.write_pack()
        self.write({"4": "changed", "45": "new"})
        (self.folder / "7").unlink()
        read: list[str] = []

        def open_and_log(root: str, name: str) -> Dictionary:
            read.append(name)
            return open_dictionary(root, name)

        with patch.object(reading, "open_dictionary", open_and_log):
            new = self.write_pack(sources=self.sources_in(old))
        self.assertEqual({*read}, {"4", "45"})
        self.assert_same_columns(new, self.write_pack())

    def test_a_dictionary_in_a_damaged_pack_is_read_again(self) -> None:
        old = self.pack_files({"a": "1", "b": "2"})
        Path(old.folder, "lines").unlink()
        new = self.write_pack(sources=self.sources_in(old))
        self.assert_same_columns(new, self.write_pack())

    def test_a_wrong_byte_is_not_copied(self) -> None:
        """A damaged pack is opened once, not for each of its dictionaries."""
        self.write({"a": "1\n-- A", "b": "2"})
        for name in ("texts-0", "authors", "lines", "spans", "ids"):
            old = self.write_pack()
            flip_byte(Path(old.folder, name))
            old = Pack.load(old.folder, {})
            with patch.object(Pack, "open", autospec=True, side_effect=Pack.open) as x:
                new = self.write_pack(sources=self.sources_in(old))
            self.assertEqual(x.call_count, 1)
            self.assert_same_columns(new, self.write_pack())

    def test_a_source_that_is_too_short_is_read_again(self) -> None:
        """It has the right size when it is opened."""
        old = self.pack_files({"a": "1", "b": "2\n\n3"})
        real, sources = os.pread, self.sources_in(old)

        def pread(descriptor: int, size: int, offset: int) -> bytes:
            data = real(descriptor, size, offset)
            is_lines = os.readlink(f"/proc/self/fd/{descriptor}").startswith(old.folder)
            return data[:-1] if is_lines and offset else data

        with patch("os.pread", pread):
            new = self.write_pack(sources=sources)
        self.assert_same_columns(new, self.write_pack())

    def test_a_copy_may_have_another_name(self) -> None:
        old = self.pack_files({"a": "1"})
        plan = PackPlan((("b", old.dictionaries[0].state),))
        new = self.write_pack(plan, self.sources_in(old))
        self.assertEqual([each.name for each in new.dictionaries], ["b"])


class ChangeTests(PackTestCase):
    """Tests of dictionaries that are not as planned."""

    def test_a_dictionary_that_is_gone_or_no_text_is_left_out(self) -> None:
        """One that is no text does not count as missing: that does not pass."""
        self.write({"a": "1", "b": "2", "c": "3", "d": "4"})
        plan = self.make_plan()
        (self.folder / "a").unlink()
        (self.folder / "b").write_bytes(b"\0")
        (self.folder / "c").unlink()
        (self.folder / "c").mkdir()
        pack = self.write_pack(plan)
        self.assertEqual([each.name for each in pack.dictionaries], ["d"])
        self.assertEqual(self.left_out, ["a", "c"])

    def test_a_changed_dictionary_is_written_in_its_new_state(self) -> None:
        self.write({"a": "1"})
        plan = self.make_plan()
        self.write({"a": "two"})
        [packed] = self.write_pack(plan).dictionaries
        self.assertEqual(packed.state, self.make_plan().dictionaries[0][1])
        self.assertNotEqual(packed.state, plan.dictionaries[0][1])

    def change_while_reading(self, count: int) -> list[int]:
        """Write to a dictionary each time it is read; return the remaining times."""
        remaining = list(range(count))
        real = QuoteFormat.split

        def split(*arguments: Any) -> Iterator[Any]:
            for span, data in real(*arguments):
                if data.startswith(b"changing") and remaining:
                    self.write({"b": f"changing {remaining.pop()} {'x' * 9}"})
                yield span, data

        self.patch(QuoteFormat, "split", split)
        return remaining

    def test_a_dictionary_that_changes_meanwhile_is_read_again(self) -> None:
        self.write({"a": "1", "b": "changing", "c": "3"})
        self.change_while_reading(2)
        pack = self.write_pack()
        texts = ["1", f"changing 0 {'x' * 9}", "3"]
        self.assertEqual(read_lines(pack, "texts-0"), texts)
        self.assertEqual(read_lines(pack, "lines"), texts)
        self.assertEqual(self.left_out, [])

    def test_one_that_always_changes_is_left_out(self) -> None:
        """The others are there."""
        self.write({"a": "1", "b": "changing", "c": "3"})
        self.change_while_reading(99)
        pack = self.write_pack()
        self.assertEqual(read_lines(pack, "texts-0"), ["1", "3"])
        self.assertEqual(self.left_out, ["b"])

    def test_one_that_changes_after_several_files_of_texts_is_read_again(self) -> None:
        self.write({"b": "changing"})
        self.change_while_reading(1)
        with patch.object(writer, "SEGMENT_SIZE", 1):
            pack = self.write_pack()
        self.assertEqual(pack.directory.segments, [1, 1])
        self.assertEqual(read_lines(pack, "texts-0"), [f"changing 0 {'x' * 9}"])

    def test_one_that_cannot_be_read_is_left_out(self) -> None:
        self.write({"a": "1", "b": "2"})
        real = Dictionary.read

        def read(dictionary: Dictionary, size: int) -> bytes:
            if dictionary.path.endswith("a"):
                raise OSError("the disk is broken")
            return real(dictionary, size)

        self.patch(Dictionary, "read", read)
        pack = self.write_pack()
        self.assertEqual(read_lines(pack, "texts-0"), ["2"])
        self.assertEqual(self.left_out, ["a"])

    def test_one_that_cannot_be_opened_is_left_out(self) -> None:
        """Unless nothing can be opened."""
        self.write({"a": "1", "b": "2"})
        plan = self.make_plan()

        faults = [EIO, EIO, EIO, EMFILE]

        def open_others(root: str, name: str) -> Dictionary:
            if name == "a":
                raise OSError(faults.pop(0), "a fault")
            return open_dictionary(root, name)

        with patch.object(reading, "open_dictionary", open_others):
            pack = self.write_pack(plan)
            self.assertEqual(read_lines(pack, "texts-0"), ["2"])
            self.assertEqual(self.left_out, ["a"])
            with self.assertRaises(OSError):
                self.write_pack(plan)

    def test_a_recent_change_is_waited_for(self) -> None:
        """Another one could leave the state of the file the same."""
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            self.now += 1

        self.write({"a": "1"})
        self.now = (self.folder / "a").stat().st_ctime + 0.001
        with (
            patch.object(reading, "time", lambda: self.now),
            patch.object(reading, "sleep", wait),
        ):
            self.write_pack()
        self.assertEqual(waits, [STABLE_TIME])

    def test_an_error_of_the_folder_is_raised(self) -> None:
        self.write({"a": "1"})
        missing = str(self.temporary_folder / "none")
        with self.assertRaises(OSError):
            writer.write_pack(str(self.folder), self.make_plan(), missing, {})

    def test_all_files_are_closed(self) -> None:
        before = os.listdir("/proc/self/fd")
        old = self.pack_files({"a": "1", "b": "2"})
        self.write({"b": "3"})
        self.write_pack(sources=self.sources_in(old))
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))

    def test_what_the_check_raises_ends_the_writing(self) -> None:
        self.write({"a": "1\n\n2", "b": "3"})
        plan = self.make_plan()
        calls: list[int] = []

        def check() -> None:
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt

        folder = self.temporary_folder / "pack"
        folder.mkdir()
        with self.assertRaises(KeyboardInterrupt):
            writer.write_pack(str(self.folder), plan, str(folder), {}, check=check)
        self.assertRaises(FileNotFoundError, Pack.load, str(folder), {})
