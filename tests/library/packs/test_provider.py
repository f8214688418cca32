"""
Tests for L{twisted_quotes.library.packs.provider}.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from twisted_quotes.errors import DictionaryChanging, ServiceNotReady, TooBusy
from twisted_quotes.library.packs import plan as plan_module
from twisted_quotes.library.packs.building.builder import (
    MAX_PROCESSES,
    BuildFailed,
    PackBuilder,
)
from twisted_quotes.library.packs.building.builds import PackBuilds
from twisted_quotes.library.packs.collection import MAX_SUPERSEDED
from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.library.packs.parts import PackPart
from twisted_quotes.library.packs.plan import PackPlan
from twisted_quotes.library.packs.provider import IndexedParts

from .building.cases import BuildTestCase
from .cases import flip_byte


class ProviderTestCase(BuildTestCase):
    """Has a library of three dictionaries."""

    def setUp(self) -> None:
        super().setUp()
        self.write({"a": "1\n\n2", "z": "3"})

    def find_all(self) -> IndexedParts:
        """Return the parts with all dictionaries."""
        found = Deferred.fromCoroutine(self.provider.find_all())
        self.run_turns()
        return self.successResultOf(found)

    def find(self, name: str) -> Deferred[PackPart]:
        """Find the part with a dictionary."""
        [(_, state)] = self.plan_for(name).dictionaries
        found = Deferred.fromCoroutine(self.provider.find(name, state))
        self.run_turns()
        return found

    def use_small_packs(self) -> None:
        """Give each dictionary a pack of its own."""
        self.patch(plan_module, "LARGE_SIZE", 0)

    def names_in(self, parts: Sequence[PackPart]) -> list[str]:
        """Return the names of the dictionaries of parts, in order."""
        return [part.pack.dictionaries[n].name for part in parts for n in part.numbers]

    def break_builds(self, *names: str) -> None:
        """Let builds with some dictionaries fail."""
        write = PackBuilder.write

        async def write_others(
            builder: PackBuilder, plan: PackPlan, *arguments: Any
        ) -> Sequence[str]:
            if {*names} & {*dict(plan.dictionaries)}:
                raise OSError("no space left")
            return await write(builder, plan, *arguments)

        self.patch(PackBuilder, "write", write_others)
        self.addCleanup(self.flushLoggedErrors, OSError)


class AllTests(ProviderTestCase):
    """Tests of all dictionaries together."""

    def test_all_dictionaries_are_in_parts_in_order(self) -> None:
        parts, is_complete = self.find_all()
        self.assertEqual(self.names_in(parts), ["a", "book", "z"])
        self.assertEqual((len(parts), is_complete), (1, True))
        self.assertIs(self.find_all().parts, parts)

    def test_a_change_leads_to_new_parts(self) -> None:
        self.find_all()
        self.write({"a": "new", "b": ""})
        (self.folder / "z").unlink()
        parts = self.find_all().parts
        self.assertEqual(self.names_in(parts), ["a", "b", "book"])
        self.assertEqual(parts[0].pack.quote_count, 3)

    def test_packs_and_snapshots_share_the_states(self) -> None:
        """When packs are built, built again and loaded."""
        for change in ("", "new"):
            self.write({"a": change or "old"})
            for provider in (self.provider, self.make_provider()):
                self.provider = provider
                [part] = self.find_all().parts
                states = {x.name: x.state for x in part.pack.dictionaries}
                latest = provider._monitor.latest_states
                for name, state in latest.items():
                    self.assertIs(states[name], state, (change, name))

    def test_requests_share_one_preparation(self) -> None:
        found = [Deferred.fromCoroutine(self.provider.find_all()) for _ in range(9)]
        self.run_turns()
        for each in found:
            self.assertTrue(self.successResultOf(each).is_complete)

    def test_too_many_requests_are_refused(self) -> None:
        self.provider = self.make_provider(max_waiting=3)
        results: list[object] = []
        for _ in range(9):
            found = Deferred.fromCoroutine(self.provider.find_all())
            found.addErrback(lambda failure: failure.trap(TooBusy))
            found.addCallback(results.append)
        self.run_turns()
        self.assertEqual(results.count(TooBusy), 5)
        self.assertEqual(len(results), 9)

    def test_what_cannot_be_indexed_is_left_out(self) -> None:
        """And logged. The next request tries again."""
        self.use_small_packs()
        self.break_builds("book")
        with capturedLogs() as events:
            for _ in range(2):
                parts, is_complete = self.find_all()
                self.assertEqual(self.names_in(parts), ["a", "z"])
                self.assertFalse(is_complete)
        messages = [formatEvent(x) or "" for x in events]
        self.assertEqual(sum("'book' is left out: " in each for each in messages), 2)

    def test_earlier_packs_have_what_has_not_changed(self) -> None:
        """Also those of an earlier service."""
        self.find_all()
        self.write({"book": "changed"})
        self.break_builds("book")
        for _ in range(2):
            parts, is_complete = self.find_all()
            self.assertEqual(self.names_in(parts), ["a", "z"])
            self.assertEqual((len(parts), is_complete), (2, False))
            self.provider = self.make_provider()

    def test_no_index_at_all_is_an_error(self) -> None:
        self.break_builds("a", "book", "z")
        found = Deferred.fromCoroutine(self.provider.find_all())
        self.run_turns()
        self.failureResultOf(found, ServiceNotReady)

    def test_a_dictionary_that_always_changes_is_left_out(self) -> None:
        write = PackBuilder.write

        async def leave_out(builder: PackBuilder, *arguments: Any) -> Sequence[str]:
            return [*await write(builder, *arguments), "book"]

        self.patch(PackBuilder, "write", leave_out)
        with capturedLogs() as events:
            self.assertFalse(self.find_all().is_complete)
        messages = [formatEvent(x) or "" for x in events]
        self.assertTrue(any("'book' is left out: The" in x for x in messages), messages)

    def test_a_dictionary_that_takes_too_long_fails_alone(self) -> None:
        write = PackBuilder.write

        async def write_others(
            builder: PackBuilder, plan: PackPlan, *arguments: Any
        ) -> Sequence[str]:
            if "book" in dict(plan.dictionaries):
                raise BuildFailed("it took long", 99.0, "book")
            return await write(builder, plan, *arguments)

        self.patch(PackBuilder, "write", write_others)
        parts, is_complete = self.find_all()
        self.assertEqual(self.names_in(parts), ["a", "z"])
        self.assertFalse(is_complete)
        self.failureResultOf(self.find("book"), ServiceNotReady)
        self.assertEqual(len(self.flushLoggedErrors(BuildFailed)), 1)
        self.write({"book": "another"})
        self.assertFalse(self.find_all().is_complete)
        self.flushLoggedErrors(BuildFailed)

    def test_a_pack_that_is_needed_again_is_kept(self) -> None:
        """The one that had replaced it is removed in its place."""
        self.find_all()
        self.write({"c": "4"})
        self.find_all()
        (self.folder / "c").unlink()
        for number in range(9):
            parts = self.find_all().parts
            self.assertTrue(all(Path(part.pack.folder).exists() for part in parts))
            (self.folder / "c").write_text(f"{number}")
            self.find_all()
            (self.folder / "c").unlink()

    def test_superseded_packs_are_removed(self) -> None:
        for number in range(9):
            self.write({"a": f"{number}"})
            self.find_all()
        folders = list(self.cache_folder.glob("pack-*"))
        self.assertEqual(len(folders), 5)

    def test_a_damaged_pack_is_built_again(self) -> None:
        """If another process has removed it, that is not logged as a damage."""
        for is_removed in (False, True):
            [part] = self.find_all().parts
            if is_removed:
                shutil.rmtree(part.pack.folder)
            with capturedLogs() as events:
                self.provider.discard_damaged(part.pack)
            logged = [formatEvent(each) or "" for each in events]
            self.assertEqual(
                any("is damaged" in each for each in logged), not is_removed
            )
            [again] = self.find_all().parts
            self.assertIsNot(again.pack, part.pack)

    def test_a_pack_that_another_process_has_written_again_is_loaded(self) -> None:
        """It is not removed."""
        [part] = self.find_all().parts
        other = self.make_provider()
        flip_byte(Path(part.pack.folder, "texts-0"))
        self.provider, first = other, self.provider
        [again] = self.find_all().parts
        inode = os.stat(again.pack.folder).st_ino
        self.provider = first
        with self.assertRaises(PackDamaged):
            part.pack.open("texts-0")
        self.provider.discard_damaged(part.pack)
        [loaded] = self.find_all().parts
        self.assertEqual(loaded.pack.folder, part.pack.folder)
        self.assertEqual(os.stat(loaded.pack.folder).st_ino, inode)

    def test_the_progress_is_known(self) -> None:
        self.assertIn("has just begun", str(self.provider.progress))
        self.find_all()
        self.assertIn("100% of 0.0 MB", str(self.provider.progress))

    def test_the_progress_is_known_if_only_one_dictionary_is_searched(self) -> None:
        self.use_small_packs()
        self.write({"a": "x" * 300_000, "b": "y" * 100_000})
        self.successResultOf(self.find("b"))
        self.assertIn("25% of 0.4 MB", str(self.provider.progress))
        self.assertAlmostEqual(self.provider.progress.ratio(), 0.25, 2)

    def test_the_progress_is_right_if_one_index_replaces_another(self) -> None:
        self.find_all()
        for number in range(MAX_SUPERSEDED + 3):
            self.write({"a": f"{number}"})
            snapshot = self.provider._monitor.snapshot()
            self.run_turns()
            self.successResultOf(snapshot)
            self.assertLess(self.provider.progress.ratio(), 1)
            self.find_all()
            self.assertEqual(self.provider.progress.ratio(), 1)

    def test_a_plan_with_a_dictionary_that_takes_long_is_replaced(self) -> None:
        """The other dictionaries of its pack are not left out."""
        get = PackBuilds.get

        def get_and_isolate(
            builds: PackBuilds, *arguments: Any, **keywords: Any
        ) -> Any:
            builds.isolated.add("z")
            return get(builds, *arguments, **keywords)

        self.patch(plan_module, "PACK_SIZE", 1)
        self.patch(PackBuilds, "get", get_and_isolate)
        found = self.find_all()
        self.assertIn("book", self.names_in(found.parts))

    def test_several_packs_are_built_at_the_same_time(self) -> None:
        self.use_small_packs()
        counts: list[int] = []
        write = PackBuilder.write

        def count_and_write(builder: PackBuilder, *arguments: Any) -> Any:
            counts.append(self.provider.builds.count)
            return write(builder, *arguments)

        self.patch(PackBuilder, "write", count_and_write)
        self.find_all()
        self.assertIn(MAX_PROCESSES, counts)

    def test_warnings_are_those_of_the_latest_states(self) -> None:
        self.write({"a": b"\xff"})
        self.find_all()
        self.assertEqual(self.provider.warnings(), {"a": ("1 place is not UTF-8",)})
        self.write({"a": b"x"})
        self.find_all()
        self.assertEqual(self.provider.warnings(), {})


class OneTests(ProviderTestCase):
    """Tests of single dictionaries."""

    def test_a_dictionary_is_in_the_pack_with_its_neighbors(self) -> None:
        part = self.successResultOf(self.find("book"))
        self.assertEqual((part.numbers, part.name), (range(1, 2), None))
        self.assertEqual(len(part.pack.dictionaries), 3)
        self.assertIs(self.successResultOf(self.find("a")).pack, part.pack)

    def test_an_unchanged_dictionary_is_found_without_a_build(self) -> None:
        part = self.successResultOf(self.find("book"))
        self.write({"a": "changed"})
        self.assertIs(self.successResultOf(self.find("book")).pack, part.pack)

    def test_a_second_name_of_a_file_is_the_name_of_its_quotes(self) -> None:
        (self.folder / "y").symlink_to("a")
        state = self.library.open("y").state
        found = Deferred.fromCoroutine(self.provider.find("y", state))
        self.run_turns()
        part = self.successResultOf(found)
        self.assertEqual((part.numbers, part.name), (range(1), "y"))

    def test_a_dictionary_that_is_not_listed_has_a_pack_of_its_own(self) -> None:
        """The second name of a file may have another header beside it."""
        [(_, state)] = self.plan_for("book").dictionaries
        self.write({"later": "4"})
        self.book.rename(self.folder / "elsewhere")
        self.patch(self.library, "states", lambda *_: {})
        [state] = [self.library.open("later").state]
        found = Deferred.fromCoroutine(self.provider.find("later", state))
        self.run_turns()
        part = self.successResultOf(found)
        self.assertEqual(self.names_in([part]), ["later"])

    def test_a_later_state_may_be_found(self) -> None:
        [(_, state)] = self.plan_for("book").dictionaries
        found = Deferred.fromCoroutine(self.provider.find("book", state))
        self.write({"book": "later"})
        self.run_turns()
        part = self.successResultOf(found)
        self.assertEqual(part.pack.dictionaries[part.numbers[0]].state.size, 5)

    def test_a_dictionary_that_is_gone_is_changing(self) -> None:
        [(_, state)] = self.plan_for("book").dictionaries
        found = Deferred.fromCoroutine(self.provider.find("book", state))
        self.book.unlink()
        self.run_turns()
        self.failureResultOf(found, DictionaryChanging)
