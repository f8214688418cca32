"""
Work in progress, which a shutdown waits for.
"""

from __future__ import annotations

from typing import Any, TypeVar

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
        # Each thing in progress, with what waits for its end.
        self._observers: dict[Deferred[Any], list[Deferred[None]]] = {}
        self._cancellable: set[Deferred[Any]] = set()

    def __len__(self) -> int:
        return len(self._observers)

    def add(self, done: Deferred[T], cancellable: bool = False) -> Deferred[T]:
        """
        Track something until it succeeds or fails.

        @param done: fires at its end.
        @param cancellable: whether L{cancel} cancels C{done}. If L{cancel} has been
            called before, this happens at once.
        @return: C{done} itself.
        """
        if done not in self._observers:
            self._observers[done] = []
            if cancellable:
                self._cancellable.add(done)
            done.addBoth(self._mark_done, done)
            if cancellable and self.is_cancelled:
                done.cancel()
        return done

    def when_done(self, *additional: Deferred[Any]) -> Deferred[list[tuple[bool, Any]]]:
        """
        Wait for everything that is in progress now.

        @param additional: more to wait for.
        @return: a L{DeferredList} that never fails.
        """
        own_observers = []
        for observers in self._observers.values():
            own_observers.append(Deferred[None]())
            observers.append(own_observers[-1])
        return DeferredList([*additional, *own_observers], consumeErrors=True)

    def cancel(self) -> None:
        """Cancel whatever is cancellable."""
        self.is_cancelled = True
        for done in [each for each in self._observers if each in self._cancellable]:
            done.cancel()

    def discard(self) -> None:
        """Stop tracking everything: nothing waits for it any longer."""
        for done in list(self._observers):
            self._mark_done(None, done)

    def _mark_done(self, result: T, done: Deferred[Any]) -> T:
        self._cancellable.discard(done)
        for observer in self._observers.pop(done, ()):
            observer.callback(None)
        return result
