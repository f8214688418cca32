"""
Tests of random searches of random libraries, which change meanwhile.

Each response is compared with what plain Python finds in a state that each dictionary
had between the request and the response. C{FUZZ_SECONDS} says how long this takes, and
C{FUZZ_SEED} starts it with other random numbers.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from time import monotonic, time
from typing import NamedTuple

from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from twisted_quotes.errors import DictionaryNotFound, QuoteNotFound, Unavailable
from twisted_quotes.library.library import Library
from twisted_quotes.library.packs import plan as plan_module
from twisted_quotes.library.packs.building import builder
from twisted_quotes.query.queries import EVERY_DICTIONARY, All, List, Search
from twisted_quotes.query.quote_queries import FindQuotes, SampleQuotes
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.search.finder import Finder

from ..cases import CollectedQuotes, RealGrepTestCase
from ..fakes import find_entries, make_test_finder

SECONDS = float(os.environ.get("FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
WORDS = ["love", "Love", "night", "sea", "\u00e9toile", "star", "a", "of the"]
AUTHORS = ["Ann Author", "Bo Day", "Cy"]
NAMES = ["a", "b", "b.txt", "c d", "sub/a", "sub/b", "sub/deep/x", "z\u00e9"]


class Quote(NamedTuple):
    """A quote of the model; its first line is unique."""

    lines: tuple[str, ...]
    author: str

    @property
    def text(self) -> str:
        return "\n".join([*self.lines, *[f"-- {self.author}"] * bool(self.author)])

    def contains(self, term: str) -> bool:
        """Return whether a search with smart case finds it."""
        text = self.text.replace("\n", " ")
        return term in (text if any(map(str.isupper, term)) else text.lower())


Content = Sequence[Quote]


class Model:
    """
    A library, and what it has contained.

    @ivar contents: the quotes of each dictionary now, by name.
    @ivar history: for each dictionary, all contents since L{start_request};
        L{None} while it did not exist.
    """

    def __init__(self, folder: Path, source: random.Random) -> None:
        self.folder = folder
        self.source = source
        self.contents: dict[str, Content] = {}
        self.history: dict[str, list[Content | None]] = {}
        self._version = 0

    def start_request(self) -> None:
        """Forget all but the present."""
        self.history = {name: [self.contents.get(name)] for name in NAMES}

    def _set(self, name: str, content: Content | None) -> None:
        if content is None:
            self.contents.pop(name, None)
        else:
            self.contents[name] = content
        self.history.setdefault(name, []).append(content)

    def _make_content(self) -> Content:
        source, quotes = self.source, []
        for number in range(source.choice((0, 1, 3, 20))):
            self._version += 1
            words = [" ".join(source.choices(WORDS, k=3)) for _ in range(2)]
            first = f"{words[0]} v{self._version}n{number}."
            lines = (first, words[1] + ".") if source.random() < 0.5 else (first,)
            quotes.append(Quote(lines, source.choice(["", *AUTHORS])))
        return quotes

    def change(self) -> None:
        """Write, replace, rename or remove a dictionary."""
        name = self.source.choice(NAMES)
        path = self.folder / name
        action = self.source.choice(("replace", "replace", "remove", "rename", "hide"))
        path.parent.mkdir(parents=True, exist_ok=True)
        if action == "replace" or name not in self.contents:
            content = self._make_content()
            new = self.folder / ".new"
            new.write_text("\n\n".join(x.text for x in content) + "\n", "utf-8")
            self._set(name, content)
            new.rename(path)
        elif action == "rename":
            other = self.source.choice(NAMES)
            if other != name:
                (self.folder / other).parent.mkdir(parents=True, exist_ok=True)
                content = self.contents[name]
                self._set(other, content)
                self._set(name, None)
                path.rename(self.folder / other)
        elif action == "hide":
            # A folder in its place is no dictionary.
            self._set(name, None)
            path.unlink()
            path.mkdir()
            path.rmdir()
        else:
            self._set(name, None)
            path.unlink()

    def was(self, name: str, found: object, view: Callable[[Content], object]) -> bool:
        """Return whether a dictionary has looked like that since the request."""
        return any(
            found == (view(content) if content is not None else view([]))
            for content in self.history[name]
        )


class AnyLibraryTests(RealGrepTestCase):
    """Tests of random libraries."""

    def setUp(self) -> None:
        super().setUp()
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        (self.folder / "default").write_text("something else\n")
        self.source = random.Random(SEED)
        self.model = Model(self.folder, self.source)
        # Several packs, some of which processes write.
        self.patch(plan_module, "_SIZE_OF_ANY", 1_000_000)
        self.patch(plan_module, "PACK_SIZE", 3_000_000)
        self.patch(plan_module, "MAX_PACK_SIZE", 6_000_000)
        self.finder = self.make_real_finder()
        self.refused_count = 0

    def make_real_finder(self) -> Finder:
        """Return a finder with threads and the real time."""
        from twisted.internet import reactor

        finder = make_test_finder(
            *(reactor, Library(self.folder, "default"), self.cache, 8),
            in_thread=deferToThread,
            clock=time,
        )
        self.addCleanup(finder.outstanding.when_done)
        self.addCleanup(finder.searchable_library.stop)
        return finder

    async def test_all_responses_are_right(self) -> None:
        """While nothing changes, and while something always does."""
        end = monotonic() + SECONDS
        number = 0
        while monotonic() < end:
            number += 1
            for _ in range(self.source.randint(1, 4)):
                self.model.change()
            await self.ask(number)
            changing = LoopingCall(self.model.change)
            changed = changing.start(0.01)
            try:
                await self.ask(number)
            finally:
                changing.stop()
                await changed
            if number % 10 == 0:
                await self.wait_for_preparation()
                await self.finder.searchable_library.stop()
                self.finder = self.make_real_finder()
            if number % 7 == 0:
                self.patch(
                    builder, "MAX_SIZE_FOR_THREAD", self.source.choice((0, 10**7))
                )
        await self.wait_for_preparation()
        # A file that changes all the time may change in each attempt.
        self.assertLess(self.refused_count, number)

    async def wait_for_preparation(self) -> None:
        """Wait for what goes on after a search that did not wait for an index."""
        try:
            await self.finder.searchable_library.find_parts(EVERY_DICTIONARY, None)
        except Unavailable:
            self.refused_count += 1

    async def ask(self, number: int) -> None:
        """Send a request of some kind, and check the response."""
        questions = [
            self.check_lines,
            self.check_quotes,
            self.check_page,
            self.check_permalink,
            self.check_sample,
            self.check_names,
        ]
        check = self.source.choice(questions)
        self.model.start_request()
        try:
            await check(self.source.choice(WORDS))
        except Unavailable:
            self.refused_count += 1

    def check_each(
        self,
        found: Sequence[tuple[str, object]],
        view: Callable[[Content], Iterable[object]],
    ) -> None:
        """Check what was found in each dictionary, in order."""
        names = [name for name, _ in groupby(found, lambda each: each[0])]
        self.assertEqual(names, sorted(set(names)))
        for name in NAMES:
            in_dictionary = [each for owner, each in found if owner == name]
            self.assertTrue(
                self.model.was(name, in_dictionary, lambda x: list(view(x))),
                (SEED, name, in_dictionary, self.model.history[name]),
            )

    async def check_lines(self, term: str) -> None:
        """Search for lines of one dictionary."""
        for name in self.source.sample(NAMES, 2):
            query = Search(term=term, dictionary=name)
            try:
                found: list[str] | None = await find_entries(self.finder, query)
            except DictionaryNotFound:
                self.assertIn(None, self.model.history[name])
                continue
            self.assertTrue(
                self.model.was(
                    name,
                    found,
                    lambda x: [
                        line
                        for quote in x
                        for line in quote.text.split("\n")
                        if term in line
                    ],
                ),
                (SEED, name, term, found, self.model.history[name]),
            )

    async def check_quotes(self, term: str) -> None:
        """Search for quotes of all dictionaries."""
        author = self.source.choice(["", *AUTHORS])
        parts = [f'"{term}"', *[f'author:"{author}"'] * bool(author)]
        results = CollectedQuotes(None, 10_000)
        query = FindQuotes(q=" ".join(parts), limit=1000)
        await self.finder.find_quotes(query, results)

        def view(content: Content) -> Iterator[str]:
            for quote in content:
                if quote.contains(term) and author in quote.author:
                    yield quote.text

        found = [(x.dictionary_name, x.text) for x in results.quotes]
        self.assertEqual(results.total, len(found))
        self.check_each([x for x in found if x[0] != "default"], view)

    async def check_page(self, term: str) -> None:
        """Get a page of lines, and of quotes, and all of both."""
        for unit in ("line", "quote"):
            everything = await find_entries(self.finder, All(dictionary="*", unit=unit))
            before = dict(self.model.contents)
            offset, limit = self.source.randint(0, 9), self.source.randint(1, 9)
            page = await find_entries(
                self.finder,
                All(dictionary="*", unit=unit, offset=offset, nresults=limit),
            )
            again = await find_entries(self.finder, All(dictionary="*", unit=unit))
            if everything == again and before == self.model.contents:
                self.assertEqual(page, everything[offset : offset + limit])

    async def check_permalink(self, term: str) -> None:
        """Get a quote by its id."""
        contents = [content for content in self.model.contents.values() if content]
        if not contents:
            return
        text = self.source.choice(self.source.choice(contents)).text
        try:
            quote = (await self.finder.find_quote(quote_id(text))).quote
        except QuoteNotFound:
            # It was in no dictionary at some time.
            for name in NAMES:
                texts = [
                    {each.text for each in content or ()}
                    for content in self.model.history[name]
                ]
                self.assertFalse(all(text in each for each in texts), (SEED, text))
        else:
            self.assertEqual(quote.text, text)

    async def check_sample(self, term: str) -> None:
        """Draw random quotes; each was in its dictionary."""
        results = CollectedQuotes(5, 5)
        await self.finder.find_quotes(SampleQuotes(term=term, limit=5), results)
        self.assertEqual(len({*results.texts}), len(results.texts))
        for quote in results.quotes:
            if quote.dictionary_name != "default":
                texts = [
                    each.text
                    for content in self.model.history[quote.dictionary_name]
                    for each in content or ()
                ]
                self.assertIn(quote.text, texts, SEED)

    async def check_names(self, term: str) -> None:
        """List the dictionaries."""
        found = await find_entries(self.finder, List())
        for name in NAMES:
            states = {content is not None for content in self.model.history[name]}
            self.assertIn(name in found, states, (SEED, name))
