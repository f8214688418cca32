"""
Work in progress, which a shutdown waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, DeferredList

T = TypeVar("T")


class Outstanding:
    """
    Everything that must end before the service may end: searches, the processes
    that they started, connections with a response to send.

    @ivar is_cancelled: whether L{cancel} has been called.
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
        Track something until it succeeds or fails.

        @param done: fires at its end.
        @param cancel: ends it early, if possible. It is called at once if L{cancel}
            has been called before.
        @return: C{done} itself.
        """
        if done not in self._pending:
            self._pending[done] = _Item(cancel, [])
            done.addBoth(self._mark_done, done)
            if self.is_cancelled and cancel is not None:
                cancel()
        return done

    def when_done(self, *additional: Deferred[Any]) -> Deferred[list[tuple[bool, Any]]]:
        """
        Wait for everything that is in progress now.

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
        """Stop tracking everything: nothing waits for it any longer."""
        for done in list(self._pending):
            self._mark_done(None, done)

    def _mark_done(self, result: T, done: Deferred[Any]) -> T:
        item = self._pending.pop(done, None)
        for observer in item.observers if item else ():
            observer.callback(None)
        return result


class _Item(NamedTuple):
    """How to end one tracked thing early, and what waits for its end."""

    cancel: Callable[[], object] | None
    observers: list[Deferred[None]]
