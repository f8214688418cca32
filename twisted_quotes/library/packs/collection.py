"""
The packs that are loaded, and where each dictionary is in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from twisted_quotes.library.dictionary import FileState

from .pack import Pack
from .parts import PackPart, merge_parts
from .plan import PackPlan
from .sharing import SharedPacks, is_used_elsewhere

MAX_SUPERSEDED = 4
"""The number of packs that are kept although newer ones replace them."""


@dataclass
class PackCollection:
    """
    The packs that are loaded.

    There is one object for each folder.

    @ivar remove: removes the folder of a pack.
    @ivar locations: for each state of a dictionary, its pack and its number there.
    @ivar version: changes whenever C{locations} does.
    """

    remove: Callable[[str], object]
    locations: dict[FileState, tuple[Pack, int]] = field(default_factory=dict)
    version: int = 0
    _plans: dict[PackPlan, Pack] = field(default_factory=dict)
    _packs: dict[Pack, set[PackPlan]] = field(default_factory=dict)
    _folders: dict[str, Pack] = field(default_factory=dict)
    _superseded: dict[Pack, None] = field(default_factory=dict)
    _users: Counter[Pack] = field(default_factory=Counter)
    _shared: SharedPacks = field(default_factory=SharedPacks)

    @property
    def packs(self) -> Collection[Pack]:
        """All loaded packs."""
        return self._packs.keys()

    def add(self, pack: Pack, plan: PackPlan | None = None) -> Pack:
        """
        Add a pack.

        @param plan: the plan that it was written for; L{None} if it is that of the
            dictionaries that it has.
        @return: the pack, or the one with the same folder that is there already.
        """
        pack = self._folders.setdefault(pack.folder, pack)
        if plan is None:
            plan = PackPlan(
                tuple((each.name, each.state) for each in pack.dictionaries)
            )
        self._plans[plan] = pack
        self._packs.setdefault(pack, set()).add(plan)
        self._superseded.pop(pack, None)
        self.version += 1
        for number, each in enumerate(pack.dictionaries):
            self.locations[each.state] = pack, number
        return pack

    def find_pack(self, plan: PackPlan) -> Pack | None:
        """Return the pack that was written for a plan."""
        return self._plans.get(plan)

    def discard(self, pack: Pack) -> None:
        """Remove a pack, which is superseded."""
        if self.forget(pack):
            self.remove(pack.folder)

    def forget(self, pack: Pack) -> bool:
        """
        Forget a pack, so that it is loaded again if it is not damaged.

        @return: whether it was the one that is in its folder.
        """
        for plan in self._packs.pop(pack, ()):
            if self._plans.get(plan) is pack:
                del self._plans[plan]
        self._superseded.pop(pack, None)
        if self._folders.get(pack.folder) is not pack:
            return False
        del self._folders[pack.folder]
        self.version += 1
        for each in pack.dictionaries:
            if self.locations.get(each.state, (None, 0))[0] is pack:
                del self.locations[each.state]
        return True

    def find(self, state: FileState, name: str | None = None) -> PackPart | None:
        """
        Return the part with a dictionary.

        @param name: the name by which a query names it.
        """
        location = self.locations.get(state)
        if location is None:
            return None
        pack, number = location
        if name == pack.dictionaries[number].name:
            name = None
        return PackPart(pack, range(number, number + 1), name)

    def find_each(
        self, dictionaries: Iterable[tuple[str, FileState]]
    ) -> Iterator[PackPart]:
        """Return parts with as many of some dictionaries as are in any pack."""
        found = (self.find(state, name) for name, state in dictionaries)
        return merge_parts(part for part in found if part)

    def supersede(self, states: Iterable[FileState]) -> None:
        """
        Remove the packs that are not needed, except for the last few.

        @param states: the states of dictionaries that must still be found.
        """
        locations = self.locations
        needed = {locations[state][0] for state in states if state in locations}
        for pack in self._packs:
            if pack in needed:
                self._superseded.pop(pack, None)
            else:
                self._superseded.setdefault(pack)
        removable = [pack for pack in self._superseded if not self._users[pack]]
        for pack in removable[: max(0, len(self._superseded) - MAX_SUPERSEDED)]:
            if not is_used_elsewhere(pack.folder):
                self.discard(pack)

    def in_use(self, packs: Iterable[Pack]) -> AbstractContextManager[None]:
        """
        Keep packs during a C{with} statement, even if they are superseded.

        Other processes keep them, too.
        """
        kept = frozenset(packs)
        return self._keep(kept) if kept else nullcontext()

    @contextmanager
    def _keep(self, packs: frozenset[Pack]) -> Iterator[None]:
        for pack in packs:
            if not self._users[pack]:
                self._shared.add(pack)
        self._users.update(packs)
        try:
            yield
        finally:
            self._users.subtract(packs)
            for pack in packs:
                if not self._users[pack]:
                    del self._users[pack]
                    self._shared.remove(pack)
