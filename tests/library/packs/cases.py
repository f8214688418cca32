"""
What the tests of packs share.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.library import Library
from twisted_quotes.library.packs.building.writer import PackedSources, write_pack
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.plan import PackPlan


def flip_byte(path: Path, place: int = 0) -> None:
    """Change a byte of a file, and its modification time, which may be too coarse."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    modified = path.stat().st_mtime_ns
    path.write_bytes(data)
    os.utime(path, ns=(modified, modified + 1))


class PackTestCase(SynchronousTestCase):
    """
    Has a library, and writes packs of it.

    @ivar folder: the folder of the library.
    """

    def setUp(self) -> None:
        self.temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.folder = self.temporary_folder / "library"
        self.folder.mkdir()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files of the library."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def make_plan(self) -> PackPlan:
        """Return a plan with all dictionaries."""
        states = Library(self.folder).states(lambda _: None, {})
        return PackPlan(tuple(states.items()))

    def write_pack(
        self, plan: PackPlan | None = None, sources: PackedSources | None = None
    ) -> Pack:
        """Write a pack, with all dictionaries by default."""
        folder = mkdtemp(dir=self.temporary_folder)
        root, plan = str(self.folder), plan or self.make_plan()
        self.left_out = write_pack(root, plan, folder, sources or {})
        return Pack.load(folder, {})

    def pack_files(self, files: Mapping[str, str | bytes]) -> Pack:
        """Write files, and a pack of them."""
        self.write(files)
        return self.write_pack()

    def sources_in(self, pack: Pack) -> PackedSources:
        """Return the dictionaries of a pack as sources."""
        return {x.state: (pack, n) for n, x in enumerate(pack.dictionaries)}
