"""
Answers found once: for all who ask the same at the same time, and for those who
ask it later.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from msgspec import Struct, msgpack
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_quotes.monitoring.metrics import Metrics

_KEY_BYTES = 16
"""How many bytes a key has: no two questions that are asked have the same."""

_SLOT = 100
"""About how many bytes an OrderedDict takes for an item, besides the item's own."""


class Answer(Struct, frozen=True, gc=False):
    """
    An answer, ready to send.

    There may be a hundred thousand of them. Neither they nor their keys are
    anything that the garbage collector has to look at, which would take it a
    quarter of a second each time.

    @ivar count: how many entries it has.
    @ivar body: it, encoded; L{None} where it is too long to be shared.
    @ivar lasts: whether it will do for those who ask later, too.
    """

    count: int
    body: bytes | None
    lasts: bool = True


def key_of(question: object, versions: Iterable[object]) -> bytes:
    """
    Make the key of an answer: a digest, so that it is short whatever is asked.

    @param question: what is asked.
    @param versions: the versions of all that it asks about, in order.
    """
    digest = blake2b(msgpack.encode(question), digest_size=_KEY_BYTES)
    for version in versions:
        digest.update(msgpack.encode(version))
    return digest.digest()


@dataclass
class _Search:
    """An answer that is being found, and who waits for it."""

    found: Deferred[Answer]
    waiting: list[Deferred[Answer]] = field(default_factory=list)


class SharedAnswers:
    """
    Has each answer found once, and keeps the last ones that were asked for.

    Errors are told to all who wait, and are not kept.

    @param most_bytes: how many bytes may be kept, 0 or more; with 0, nothing is
        shared either.
    @param metrics: has what is shared and kept counted.
    """

    def __init__(self, most_bytes: int, metrics: Metrics) -> None:
        self._room = self._most_bytes = most_bytes
        self._hits = metrics.cache.labels("hit")
        self._misses = metrics.cache.labels("miss")
        self._joined = metrics.cache.labels("shared")
        self._kept: OrderedDict[bytes, Answer] = OrderedDict()
        self._searches: dict[bytes, dict[str | None, _Search]] = {}
        metrics.watch(
            "cache_bytes",
            "Bytes of answers that are kept, with their keys.",
            lambda: self._most_bytes - self._room,
        )

    @property
    def is_off(self) -> bool:
        """Whether each question is to be answered by itself."""
        return not self._most_bytes

    def kept(self, key: bytes) -> Answer | None:
        """
        Get an answer that was kept.

        @param key: tells the question, and the state of all that it asks about.
        @return: one without a body is too long to be shared, and counts as a miss:
            the caller has to search for it.
        """
        answer = self._kept.get(key)
        if answer is not None:
            self._kept.move_to_end(key)
            (self._hits if answer.body is not None else self._misses).inc()
        return answer

    def find(
        self,
        key: bytes,
        find: Callable[[], Deferred[Answer]],
        client: str | None = None,
    ) -> Deferred[Answer]:
        """
        Get an answer that was not kept: one that is being found, or a new one.

        Each client has a search of its own, so that none waits for the turn of
        another client. The first one that finds the answer ends the others.

        @param key: tells the question, and the state of all that it asks about.
        @param find: begins to find the answer.
        @param client: tells one client from another.
        @return: fires with the answer. Cancelling it gives up the wait, and the
            search where nobody else waits for it.
        """
        search = self._searches.get(key, {}).get(client)
        (self._joined if search else self._misses).inc()
        waiting: Deferred[Answer] = Deferred(
            lambda given_up: self._leave(key, client, given_up)
        )
        if search is not None:
            search.waiting.append(waiting)
            return waiting
        search = _Search(find(), [waiting])
        self._searches.setdefault(key, {})[client] = search
        search.found.addBoth(self._found, key, client, search)
        return waiting

    def _leave(
        self, key: bytes, client: str | None, given_up: Deferred[Answer]
    ) -> None:
        """Wait no longer, and have nobody look for what nobody waits for."""
        search = self._searches[key][client]
        search.waiting.remove(given_up)
        if not search.waiting:
            # Who asks from now on has it looked for anew.
            self._forget(key, client)
            search.found.cancel()

    def _forget(self, key: bytes, client: str | None) -> None:
        searches = self._searches[key]
        del searches[client]
        if not searches:
            del self._searches[key]

    def _found(
        self,
        result: Answer | Failure,
        key: bytes,
        client: str | None,
        search: _Search,
    ) -> None:
        """Tell all who wait, and keep the answer if there is room for it."""
        if self._searches.get(key, {}).get(client) is search:
            self._forget(key, client)
        ended = [search]
        if isinstance(result, Answer) and search.waiting:
            ended += self._searches.pop(key, {}).values()
            if result.lasts:
                self._keep(key, result)
        waiting = [each for one in ended for each in one.waiting]
        for one in ended:
            one.waiting = []
            one.found.cancel()
        for each in waiting:
            each.callback(result)

    def _keep(self, key: bytes, answer: Answer) -> None:
        """Keep an answer, in the place of those that were asked for longest ago."""
        size = _size(key, answer)
        if size > self._most_bytes:
            return
        replaced = self._kept.pop(key, None)
        if replaced is not None:
            self._room += _size(key, replaced)
        self._room -= size
        self._kept[key] = answer
        while self._room < 0:
            self._room += _size(*self._kept.popitem(last=False))


def _size(key: bytes, answer: Answer) -> int:
    """How many bytes it takes to keep an answer."""
    parts = (key, answer, answer.count, answer.body or b"")
    return _SLOT + sum(map(sys.getsizeof, parts))
