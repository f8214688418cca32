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

    @ivar is_cut_short: whether all that can be ended early has been.
    """

    is_cut_short = False

    def __init__(self) -> None:
        self._under_way: dict[Deferred[Any], _Item] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def add(
        self, over: Deferred[T], cancel: Callable[[], object] | None = None
    ) -> Deferred[T]:
        """
        Count something as under way until it is over, well or badly.

        Where all has been ended early, this is, too.

        @param over: fires when it is over.
        @param cancel: ends it early, if it can be.
        @return: C{over} itself.
        """
        if over not in self._under_way:
            self._under_way[over] = _Item(cancel)
            over.addBoth(self._pass_on, over)
            if self.is_cut_short and cancel is not None:
                cancel()
        return over

    def when_over(self, *also: Deferred[Any]) -> Deferred[list[tuple[bool, Any]]]:
        """
        Wait for all that is under way at this moment.

        @param also: more to wait for.
        @return: a L{DeferredList} that never fails.
        """
        observed = []
        for item in self._under_way.values():
            observed.append(Deferred[None]())
            item.observers.append(observed[-1])
        return DeferredList([*also, *observed], consumeErrors=True)

    def cancel(self) -> None:
        """End early whatever can be ended early."""
        self.is_cut_short = True
        for item in list(self._under_way.values()):
            if item.cancel is not None:
                item.cancel()

    def abandon(self) -> None:
        """Wait no longer for anything."""
        for over in list(self._under_way):
            self._is_over(over)

    def _pass_on(self, result: T, over: Deferred[T]) -> T:
        self._is_over(over)
        return result

    def _is_over(self, over: Deferred[Any]) -> None:
        item = self._under_way.pop(over, None)
        for observer in item.observers if item else ():
            observer.callback(None)


@dataclass(frozen=True)
class _Item:
    """One thing under way: how to end it early, and who waits for it."""

    cancel: Callable[[], object] | None
    observers: list[Deferred[None]] = field(default_factory=list)
