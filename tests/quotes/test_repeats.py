"""
Tests for L{twisted_quotes.quotes.repeats}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.quotes.repeats import find_repeats


def id_column(texts: list[str]) -> bytes:
    """Return the ids of some texts."""
    return bytes.fromhex("".join(map(quote_id, texts)))


class RepeatsTests(SynchronousTestCase):
    """Tests of L{find_repeats}."""

    def test_a_text_that_stands_before_is_a_repeat(self) -> None:
        """In the same dictionary, or in an earlier one."""
        columns = [id_column(list(texts)) for texts in ("aba", "", "cba", "ddd")]
        self.assertEqual(find_repeats(columns), [[2], [], [1, 2], [1, 2]])
        self.assertEqual(find_repeats([]), [])

    @given(st.lists(st.lists(st.sampled_from("abcdefgh"))), st.integers(1, 9))
    def test_the_others_have_each_text_once(
        self, dictionaries: list[list[str]], max_ids: int
    ) -> None:
        """Also if only a part of the ids is in memory at a time."""
        repeats = find_repeats([*map(id_column, dictionaries)], max_ids)
        seen: set[str] = set()
        for texts, positions in zip(dictionaries, repeats, strict=True):
            expected = []
            for position, text in enumerate(texts):
                if text in seen:
                    expected.append(position)
                seen.add(text)
            self.assertEqual(sorted(positions), expected)
