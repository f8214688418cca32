"""
Indexes: found where they are, made where they are not, once for all who ask.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_quotes.concurrency.threads import InThread as InThread
from twisted_quotes.errors import DictionaryChanging, NotReadyNow, TooBusy

from .dictionary import Dictionary, State
from .index import Index
from .index_builder import Builder, BuildFailed, ReactorForBuilder
from .index_cache import Cache

_RETRY = 10
"""After how many times as long as it took a slow failure is tried again."""

_SLOW = 5.0
"""What fails sooner, in seconds, is tried again as soon as somebody asks."""


@dataclass
class _Build:
    """
    One index being made.

    @ivar over: fires with L{None} when that is over, well or badly.
    @ivar waiting: who waits for the index.
    """

    over: Deferred[None] = field(default_factory=Deferred)
    waiting: list[Deferred[Index]] = field(default_factory=list)

    def wait(self) -> Deferred[Index]:
        """Wait for the index, or until the wait is cancelled."""
        waiting: Deferred[Index] = Deferred(self.waiting.remove)
        self.waiting.append(waiting)
        return waiting

    def settle(self, result: Index | Failure) -> None:
        """Tell all who wait."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(result)


class Indexes:
    """
    The indexes of all dictionaries.

    @param reactor: starts the processes that write them, and tells time.
    @param in_thread: runs what may block.
    @param cache: where indexes are kept.
    @param most_waiting: how many may wait for indexes to be made, 0 or more.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: ReactorForBuilder,
        in_thread: InThread,
        cache: Cache,
        most_waiting: int,
    ) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._cache = cache
        self._most_waiting = most_waiting
        self._known: dict[str, tuple[State, Index]] = {}
        self._builds: dict[tuple[str, State], _Build] = {}
        self._builder = Builder(reactor, in_thread)
        # The states whose indexes failed slowly, and when they are tried again.
        self._failed: dict[str, tuple[State, float]] = {}

    @property
    def building(self) -> int:
        """How many indexes are being made."""
        return len(self._builds)

    def get(self, dictionary: Dictionary, patient: bool = True) -> Deferred[Index]:
        """
        Get the index of a dictionary in the state in which it was opened.

        @param patient: whether to wait for one that is made once more, as it took
            too long the last time.
        @return: fires with the index when there is one. Cancelling it gives up
            the wait; the index is made all the same, for who asks next. It
            fails with L{DictionaryChanging} where the file was written to
            meanwhile, with L{NotReadyNow} where no index could be made; the log
            tells why.
        @raise TooBusy: as many wait as may.
        """
        index = self.find(dictionary)
        if index is not None:
            return succeed(index)
        key = path, state = dictionary.path, dictionary.state
        failed_state, due = self._failed.get(path, (None, 0.0))
        if failed_state == state:
            is_due = self._reactor.seconds() >= due
            if is_due and not patient and key not in self._builds:
                self._make_for_one(dictionary, key).addErrback(lambda _: None)
            if not (is_due and patient):
                return fail(_none_made())
        if key not in self._builds:
            return self._make_for_one(dictionary, key)
        waiting = sum(len(each.waiting) for each in self._builds.values())
        # Each index has one to wait for it that made it be made.
        if waiting - len(self._builds) >= self._most_waiting:
            raise TooBusy()
        return self._builds[key].wait()

    def _make_for_one(
        self, dictionary: Dictionary, key: tuple[str, State]
    ) -> Deferred[Index]:
        """Begin to make an index, for one who waits for it."""
        own = dictionary.duplicate()
        build = self._builds[key] = _Build()
        first = build.wait()
        made = Deferred.fromCoroutine(self._make(own))
        made.addBoth(self._made, key).chainDeferred(build.over)
        return first

    def find(self, dictionary: Dictionary) -> Index | None:
        """The index of a dictionary in its state, if it has been made."""
        path, state = dictionary.path, dictionary.state
        known_state, index = self._known.get(path, (None, None))
        if index is None or known_state != state:
            index = self._cache.find(path, state)
            if index is not None:
                self._known[path] = (state, index)
        return index

    def forget(self, dictionary: Dictionary) -> None:
        """Look at the cache again, and make the index anew if it is not there."""
        self._known.pop(dictionary.path, None)

    def stop(self) -> Deferred[None]:
        """
        Make no more indexes: the processes are killed, and the thread gives up
        after the quote that it is at.

        @return: fires when nothing of this is left.
        """
        self._builder.stop()
        over = DeferredList([build.over for build in self._builds.values()])
        return over.addCallback(lambda _: self._cache.close())

    def _made(self, result: Index | Failure, key: tuple[str, State]) -> None:
        build = self._builds.pop(key)
        if isinstance(result, Failure):
            if result.check(OSError, BuildFailed):
                # Whatever it is, a full disk most likely: it may be mended.
                self._log.failure("No index was made.", failure=result)
                result = Failure(self._unavailable(key, result.value))
            elif not build.waiting:
                reason = str(result.value)
                self._log.warn("No index was made: {reason!a}", reason=reason)
        else:
            self._failed.pop(key[0], None)
        build.settle(result)

    def _unavailable(self, key: tuple[str, State], error: object) -> Exception:
        """What to tell those who wait; a slow failure is not repeated too soon."""
        if isinstance(error, BuildFailed) and error.seconds >= _SLOW:
            path, state = key
            due = self._reactor.seconds() + _RETRY * error.seconds
            self._failed[path] = state, due
        return _none_made()

    async def _make(self, dictionary: Dictionary) -> Index:
        """Make the index of a dictionary, which is closed at the end."""
        with dictionary:
            folder = await self._in_thread(self._cache.new_folder)
            try:
                await self._builder.write(dictionary, folder)
                if not dictionary.is_unchanged():
                    raise DictionaryChanging()
                index: Index = await self._in_thread(
                    self._cache.keep, folder, dictionary.path, dictionary.state
                )
            finally:
                await self._in_thread(self._cache.drop, folder)
        return index


def _none_made() -> NotReadyNow:
    return NotReadyNow("an index of that dictionary")
