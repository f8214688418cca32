"""
Tests for L{twisted_quotes.library.packs.pack}, and for the parts and columns of packs.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from errno import EMFILE
from pathlib import Path
from unittest.mock import patch

from twisted_quotes.library.packs import columns as columns_module
from twisted_quotes.library.packs import files as files_module
from twisted_quotes.library.packs.columns import ID_SIZE, PackDamaged
from twisted_quotes.library.packs.files import PackFiles
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.parts import PackPart, merge_parts
from twisted_quotes.quotes.quote import quote_id

from .cases import PackTestCase, flip_byte


class LoadTests(PackTestCase):
    """Tests of loading and opening packs."""

    def test_a_missing_or_unfinished_pack_is_not_found(self) -> None:
        folder = str(self.temporary_folder / "none")
        self.assertRaises(FileNotFoundError, Pack.load, folder, {})
        pack = self.pack_files({"one": "1"})
        os.remove(Path(pack.folder, "directory"))
        self.assertRaises(FileNotFoundError, Pack.load, pack.folder, {})

    def test_a_damaged_pack_is_an_error(self) -> None:
        self.write({"one": "1", "two": "2"})
        for name in (
            "texts-0",
            "authors",
            "lines",
            "spans",
            "ids",
            "sorted-ids",
            "sorted-numbers",
        ):
            pack = self.write_pack()
            with Path(pack.folder, name).open("ab") as file:
                file.write(b"x")
            self.assertRaises(PackDamaged, Pack.load, pack.folder, {})
            with self.assertRaises(PackDamaged), pack.open(name):
                pass

    def test_any_wrong_byte_in_the_directory_is_an_error(self) -> None:
        pack = self.pack_files({"one": "1"})
        path = Path(pack.folder, "directory")
        content = path.read_bytes()
        for place in range(len(content)):
            damaged = bytearray(content)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            self.assertRaises(PackDamaged, Pack.load, pack.folder, {})
        for content in (b"", b"x", b"00000000\n"):
            path.write_bytes(content)
            self.assertRaises(PackDamaged, Pack.load, pack.folder, {})

    def test_any_wrong_byte_in_a_file_is_found(self) -> None:
        """The size is right, as after a power failure."""
        pack = self.pack_files({"one": "1\n-- A", "two": "2"})
        pack.check()
        self.assertEqual({*pack.directory.checksums}, {*pack.directory.sizes})
        for name, size in pack.directory.sizes.items():
            path = Path(pack.folder, name)
            content = path.read_bytes()
            for place in range(size):
                flip_byte(path, place)
                self.assertRaises(PackDamaged, Pack.load(pack.folder, {}).check)
                path.write_bytes(content)
            Pack.load(pack.folder, {}).check()

    def test_a_file_that_was_written_to_is_not_opened(self) -> None:
        """The size stays the same."""
        pack = self.pack_files({"one": "1"})
        with pack.open("lines", "ids") as files:
            self.assertTrue(files.are_unchanged())
            flip_byte(Path(pack.folder, "lines"))
            self.assertFalse(files.are_unchanged())
        with pack.open("ids"):
            pass
        with self.assertRaises(PackDamaged), pack.open("lines"):
            pass

    def test_an_open_pack_stays_readable_after_its_removal(self) -> None:
        pack = self.pack_files({"one": "1"})
        with pack.open("spans") as files:
            shutil.rmtree(pack.folder)
            self.assertEqual(files.read_spans(0, 1), [(0, 1, 1)])
            with self.assertRaises(PackDamaged):
                files.open("lines")
        with self.assertRaises(PackDamaged), pack.open("spans"):
            pass

    def test_too_many_open_files_are_no_damage(self) -> None:
        pack = self.pack_files({"one": "1"})

        def fail(*_: object) -> None:
            raise OSError(EMFILE, "too many open files")

        with patch("os.open", fail), self.assertRaises(OSError):
            pack.open("lines")

    def test_all_files_are_closed(self) -> None:
        """Even if one of them is missing."""
        before = os.listdir("/proc/self/fd")
        pack = self.pack_files({"one": "1"})
        with pack.open("lines", "ids"):
            pass
        os.remove(Path(pack.folder, "spans"))
        with self.assertRaises(PackDamaged), pack.open("lines", "spans"):
            pass
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))


class PartTests(PackTestCase):
    """Tests of L{PackPart}."""

    def test_a_part_has_the_ranges_of_its_dictionaries(self) -> None:
        pack = self.pack_files({"a": "1\n\n2", "b": "", "c": "3\n\n4\n\n5", "d": "6"})
        for numbers, quotes, lines in (
            (range(1), range(2), range(3)),
            (range(1, 2), range(2, 2), range(3, 3)),
            (range(1, 3), range(2, 5), range(3, 8)),
            (range(4), range(6), range(9)),
            (range(4, 4), range(6, 6), range(9, 9)),
        ):
            part = PackPart(pack, numbers)
            self.assertEqual((part.quotes, part.lines), (quotes, lines))
            self.assertEqual(part.is_whole_pack(), len(numbers) == 4)
        data = Path(pack.folder, "texts-0").read_bytes()
        byte_range = PackPart(pack, range(2, 4)).byte_range("texts-0")
        self.assertEqual(data[byte_range.start : byte_range.stop], b"3\n4\n5\n6\n")

    def test_adjacent_parts_are_merged(self) -> None:
        """Unless one has another name for its dictionary."""
        pack = self.pack_files({name: name for name in "abcdef"})

        def part(start: int, stop: int, name: str | None = None) -> PackPart:
            return PackPart(pack, range(start, stop), name)

        merged = merge_parts(
            [
                part(0, 1),
                part(1, 3),
                part(3, 4, "x"),
                part(4, 5),
                part(5, 6),
                part(0, 1),
            ]
        )
        self.assertEqual(
            list(merged), [part(0, 3), part(3, 4, "x"), part(4, 6), part(0, 1)]
        )
        self.assertEqual(list(merge_parts([])), [])

    def test_the_dictionary_of_a_quote_is_known(self) -> None:
        pack = self.pack_files({"a": "1\n\n2", "b": "", "c": "3"})
        self.assertEqual([pack.dictionary_at(n) for n in range(3)], [0, 0, 2])


class IdTests(PackTestCase):
    """Tests of finding quotes by their ids."""

    def find_ids(self, pack: Pack, texts: list[str]) -> None:
        """Check that each text is found where it stands, and no other."""
        with pack.open() as files:
            for text in {*texts, "none"}:
                found = files.find_id(bytes.fromhex(quote_id(text)))
                expected = [n for n, each in enumerate(texts) if each == text]
                self.assertEqual(list(found), expected)

    def test_quotes_are_found_by_their_ids(self) -> None:
        """All of them with the same text, in order."""
        source = random.Random(1)
        texts = [str(source.randint(0, 500)) for _ in range(1000)]
        for max_sorted in (500_000, 100, 7):
            self.patch(columns_module, "_MAX_SORTED", max_sorted)
            self.find_ids(self.pack_files({"numbers": "\n\n".join(texts)}), texts)

    def test_quotes_that_are_repeated_often_are_found(self) -> None:
        """Their ids are far from where the ids of different quotes would be."""
        for texts in (["a"] * 900, ["a"] * 400 + ["b"] * 800 + ["c", "d"] * 200):
            self.find_ids(self.pack_files({"repeats": "\n\n".join(texts)}), texts)

    def test_no_quotes_have_no_ids(self) -> None:
        self.find_ids(self.pack_files({"empty": ""}), [])

    def test_the_whole_id_is_compared(self) -> None:
        pack = self.pack_files({"one": "1"})
        wrong = bytes.fromhex(quote_id("1"))[:8] + bytes(ID_SIZE - 8)
        with pack.open() as files:
            self.assertEqual(list(files.find_id(wrong)), [])

    def test_quotes_come_in_the_order_of_their_ids_from_a_prefix_on(self) -> None:
        """After the last id, the first one follows."""
        texts = [str(number) for number in range(100)]
        pack = self.pack_files({"numbers": "\n\n".join(texts)})
        prefixes = [int(quote_id(text)[:16], 16) for text in texts]
        for start in (0, prefixes[3], prefixes[3] + 1, 2**63, 2**64 - 1):
            distances = [(prefix - start) % 2**64 for prefix in prefixes]
            numbers = sorted(range(100), key=distances.__getitem__)
            for size in (1, 3, 100):
                with patch.object(files_module, "_MAX_IDS", size), pack.open() as files:
                    found = files.find_following(start, range(100), 100)
                self.assertEqual([n for _, n in found], numbers)
                self.assertEqual([d for d, _ in found], sorted(distances))

    def test_quotes_of_a_part_come_in_the_same_order(self) -> None:
        """Also those with the same text, which come in the order of the pack."""
        source = random.Random(1)
        texts = [str(source.randint(0, 300)) for _ in range(600)]
        prefixes = [int(quote_id(text)[:16], 16) for text in texts]
        pack = self.pack_files({"numbers": "\n\n".join(texts)})
        self.patch(files_module, "_MAX_IDS", 7)
        for size in (0, 1, 2, 20, 24, 25, 100, 599, 600):
            start, limit = source.randint(0, 600 - size), source.choice((1, 20))
            prefix = source.choice((prefixes[start], source.getrandbits(64)))
            quotes = range(start, start + size)
            distances = [((prefixes[n] - prefix) % 2**64, n) for n in quotes]
            with pack.open() as files:
                found = files.find_following(prefix, quotes, limit)
            self.assertEqual(found, sorted(distances)[:limit])

    def test_quotes_of_a_small_part_are_found_without_a_walk_through_the_pack(
        self,
    ) -> None:
        """Also if the ids that follow are all those of another dictionary."""
        texts = ["a"] * 2000 + [str(number) for number in range(50)]
        pack = self.pack_files({"one": "\n\n".join(texts)})
        looked_at = []
        real = files_module.PackFiles._iterate_from

        def iterate_from(files: PackFiles, prefix: int) -> Iterator[tuple[int, int]]:
            for each in real(files, prefix):
                looked_at.append(each)
                yield each

        self.patch(files_module.PackFiles, "_iterate_from", iterate_from)
        with pack.open() as files:
            found = files.find_following(
                int(quote_id("a")[:16], 16), range(2000, 2050), 20
            )
            self.assertEqual(len(found), 20)
            self.assertLessEqual(len(looked_at), 50)
            looked_at.clear()
            files.find_following(0, range(2050), 20)
            self.assertEqual(len(looked_at), 20)
