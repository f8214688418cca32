"""
Tests for L{twisted_quotes.library.packs.collection}.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from errno import EMFILE, ENOLCK
from unittest.mock import patch

from twisted_quotes.library.packs import sharing
from twisted_quotes.library.packs.collection import MAX_SUPERSEDED, PackCollection
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.library.packs.sharing import is_used_elsewhere

from .cases import PackTestCase


class CollectionTests(PackTestCase):
    """Tests of L{PackCollection}."""

    def setUp(self) -> None:
        super().setUp()
        self.removed: list[str] = []
        self.collection = PackCollection(self.removed.append)

    def add_pack(self, text: str) -> Pack:
        """Add a pack of a dictionary with some text."""
        pack = self.pack_files({"one": text})
        self.collection.add(pack)
        return pack

    def test_dictionaries_are_found_by_their_states(self) -> None:
        pack = self.add_pack("1")
        [packed] = pack.dictionaries
        expected = PackPart(pack, range(1))
        self.assertEqual(self.collection.find(packed.state), expected)
        self.assertEqual(self.collection.find(packed.state, "one"), expected)
        renamed = self.collection.find(packed.state, "two")
        self.assertEqual(renamed, PackPart(pack, range(1), "two"))
        self.assertIsNone(self.collection.find(packed.state._replace(size=9)))

    def test_packs_are_found_by_their_plans(self) -> None:
        pack, plan = self.add_pack("1"), self.make_plan()
        self.assertIs(self.collection.find_pack(plan), pack)
        self.collection.discard(pack)
        self.assertIsNone(self.collection.find_pack(plan))
        self.assertIsNone(self.collection.find(pack.dictionaries[0].state))
        self.assertEqual(self.removed, [pack.folder])

    def test_of_two_packs_with_a_dictionary_the_later_one_is_found(self) -> None:
        """Without it, the dictionary is not found in the earlier one."""
        first = self.add_pack("1")
        self.write({"two": "2"})
        second = self.write_pack()
        self.collection.add(second)
        state = first.dictionaries[0].state
        self.assertEqual(self.collection.find(state), PackPart(second, range(1)))
        self.collection.discard(first)
        self.assertEqual(self.collection.find(state), PackPart(second, range(1)))

    def test_parts_with_some_dictionaries_are_found(self) -> None:
        pack = self.pack_files({name: name for name in "abcd"})
        self.collection.add(pack)
        first, _, *others = [(each.name, each.state) for each in pack.dictionaries]
        unknown = ("x", first[1]._replace(size=9))
        found = self.collection.find_each([first, unknown, *others])
        self.assertEqual(
            list(found), [PackPart(pack, range(1)), PackPart(pack, range(2, 4))]
        )

    def test_the_last_few_superseded_packs_are_kept(self) -> None:
        """A slow response may still need them."""
        packs = []
        for number in range(MAX_SUPERSEDED + 3):
            packs.append(self.add_pack(str(number)))
            self.supersede(packs[-1])
        self.assertEqual(self.removed, [each.folder for each in packs[:2]])
        self.assertEqual(set(self.collection.packs), set(packs[2:]))

    def test_a_pack_in_use_is_kept(self) -> None:
        packs = [self.add_pack(str(n)) for n in range(MAX_SUPERSEDED + 3)]
        with self.collection.in_use([packs[0]]):
            self.supersede(packs[-1])
            self.assertEqual(self.removed, [each.folder for each in packs[1:3]])
        self.collection.supersede([])
        self.assertIn(packs[0].folder, self.removed)

    def test_a_pack_that_another_process_uses_is_kept(self) -> None:
        """A slow response may need it there. It is removed later."""
        packs = [self.add_pack(str(n)) for n in range(MAX_SUPERSEDED + 2)]
        other = PackCollection(lambda _: None)
        first = packs[:1]
        with other.in_use(first), other.in_use(first):
            with other.in_use(first):
                pass
            self.supersede(packs[-1])
            self.assertEqual(self.removed, [])
        self.supersede(packs[-1])
        self.assertEqual(self.removed, [packs[0].folder])

    def test_a_pack_that_is_loaded_again_while_it_is_used_stays_locked(self) -> None:
        """Each search unlocks only what it has locked."""
        first = self.add_pack("1")
        again = Pack.load(first.folder, {})
        with ExitStack() as stack:
            with self.collection.in_use([first]):
                stack.enter_context(self.collection.in_use([again]))
            self.assertTrue(is_used_elsewhere(first.folder))
        self.assertFalse(is_used_elsewhere(first.folder))

    def test_only_some_packs_are_locked(self) -> None:
        """Each lock takes a descriptor."""
        self.patch(sharing, "MAX_LOCKED", 1)
        packs = [self.add_pack(str(n)) for n in range(2)]
        with self.collection.in_use(packs):
            locked = [is_used_elsewhere(each.folder) for each in packs]
        self.assertEqual(sorted(locked), [False, True])

    def test_a_pack_that_cannot_be_looked_at_counts_as_used(self) -> None:
        with patch("os.open", side_effect=OSError(EMFILE, "too many")):
            self.assertTrue(is_used_elsewhere("x"))
        self.assertFalse(is_used_elsewhere("x"))

    def test_a_pack_can_be_used_where_it_cannot_be_locked(self) -> None:
        """Or if it is gone already."""
        packs = [self.add_pack(str(n)) for n in range(MAX_SUPERSEDED + 3)]
        other = PackCollection(lambda _: None)
        shutil.rmtree(packs[0].folder)
        with (
            patch("fcntl.flock", side_effect=OSError(ENOLCK, "no locks")),
            other.in_use(packs),
        ):
            self.supersede(packs[-1])
        self.assertEqual(self.removed, [each.folder for each in packs[:2]])

    def supersede(self, current: Pack) -> None:
        """Supersede all packs but one."""
        self.collection.supersede([each.state for each in current.dictionaries])

    def test_a_folder_has_one_pack(self) -> None:
        pack = self.add_pack("1")
        again = Pack.load(pack.folder, {})
        self.assertIs(self.collection.add(again), pack)
        self.collection.discard(again)
        self.assertIn(pack, self.collection.packs)

    def test_a_superseded_pack_may_be_current_again(self) -> None:
        packs = [self.add_pack(str(n)) for n in range(MAX_SUPERSEDED + 1)]
        for current in (packs[1], packs[0], packs[0]):
            self.supersede(current)
        self.assertEqual(self.removed, [])
