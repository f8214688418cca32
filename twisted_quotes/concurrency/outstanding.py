"""
What is under way, so that the end can wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList

T = TypeVar("T")


class Outstanding:
    """
    All that must be over before the service may end: searches, the processes
    they started, connections on which an answer is due.

    @ivar is_cancelled: whether all that can be ended early has been.
    """

    is_cancelled = False

    def __init__(self) -> None:
        self._pending: dict[Deferred[Any], _Item] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def add(
        self, done: Deferred[T], cancel: Callable[[], object] | None = None
    ) -> Deferred[T]:
        """
        Count something as under way until it is over, well or badly.

        Where all has been ended early, this is, too.

        @param done: fires when it is over.
        @param cancel: ends it early, if it can be.
        @return: C{over} itself.
        """
        if done not in self._pending:
            self._pending[done] = _Item(cancel)
            done.addBoth(self._completed, done)
            if self.is_cancelled and cancel is not None:
                cancel()
        return done

    def when_done(self, *additional: Deferred[Any]) -> Deferred[list[tuple[bool, Any]]]:
        """
        Wait for all that is under way at this moment.

        @param additional: more to wait for.
        @return: a L{DeferredList} that never fails.
        """
        observers = []
        for item in self._pending.values():
            observers.append(Deferred[None]())
            item.observers.append(observers[-1])
        return DeferredList([*additional, *observers], consumeErrors=True)

    def cancel(self) -> None:
        """End early whatever can be ended early."""
        self.is_cancelled = True
        for item in list(self._pending.values()):
            if item.cancel is not None:
                item.cancel()

    def discard(self) -> None:
        """Wait no longer for anything."""
        for done in list(self._pending):
            self._mark_done(done)

    def _completed(self, result: T, done: Deferred[T]) -> T:
        self._mark_done(done)
        return result

    def _mark_done(self, done: Deferred[Any]) -> None:
        item = self._pending.pop(done, None)
        for observer in item.observers if item else ():
            observer.callback(None)


@dataclass(frozen=True)
class _Item:
    """One thing under way: how to end it early, and who waits for it."""

    cancel: Callable[[], object] | None
    observers: list[Deferred[None]] = field(default_factory=list)
