"""
Tests for L{twisted_quotes.library.packs.plan}.
"""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.packs.plan import (
    LARGE_SIZE,
    MAX_PACK_SIZE,
    PACK_SIZE,
    PackPlan,
    plan_packs,
)


def make_state(number: int, size: int) -> FileState:
    """Return a state that no other number has."""
    return FileState(1, number, size, 3, 4)


def make_states(sizes: list[int]) -> dict[str, FileState]:
    """Return the states of dictionaries with some sizes."""
    return {f"{n:05}": make_state(n, size) for n, size in enumerate(sizes)}


class PlanTests(SynchronousTestCase):
    """Tests of L{plan_packs}."""

    @given(
        st.lists(
            st.one_of(st.integers(0, 10_000), st.integers(0, 2 * LARGE_SIZE)),
            max_size=300,
        ),
        st.sets(st.integers(0, 300)),
    )
    def test_each_dictionary_is_in_one_pack(
        self, sizes: list[int], isolated_numbers: set[int]
    ) -> None:
        """In order. Large and isolated ones have a pack of their own."""
        states = make_states(sizes)
        isolated = {name for name in states if int(name) in isolated_numbers}
        plans = list(plan_packs(states, isolated))
        planned = chain.from_iterable(plan.dictionaries for plan in plans)
        self.assertEqual(list(planned), list(states.items()))
        for plan in plans:
            if len(plan.dictionaries) > 1:
                self.assertLessEqual(plan.size, MAX_PACK_SIZE)
                for name, state in plan.dictionaries:
                    self.assertLess(state.size, LARGE_SIZE)
                    self.assertNotIn(name, isolated)

    def test_packs_have_about_the_same_size(self) -> None:
        plans = list(plan_packs(make_states([8000] * 30_000)))
        mean = sum(plan.size for plan in plans) / len(plans)
        self.assertTrue(PACK_SIZE / 4 < mean < 2 * PACK_SIZE, mean)

    def test_thousands_of_empty_dictionaries_have_several_packs(self) -> None:
        self.assertGreater(len(list(plan_packs(make_states([0] * 30_000)))), 5)

    def test_a_change_concerns_few_packs(self) -> None:
        """Whether a dictionary is added, changed or removed."""
        states = make_states([8000] * 10_000)
        before = set(plan_packs(states))
        changed = states | {"05000": make_state(5000, 8001)}
        added = dict(sorted({**states, "05000a": make_state(99_999, 8000)}.items()))
        removed = {name: each for name, each in states.items() if name != "05000"}
        for after in (changed, added, removed):
            self.assertLessEqual(len(set(plan_packs(after)) - before), 4)

    def test_the_key_depends_on_names_states_and_context(self) -> None:
        plan = PackPlan((("one", make_state(1, 2)),))
        others = [
            PackPlan((("two", make_state(1, 2)),)).key("x"),
            PackPlan((("one", make_state(1, 3)),)).key("x"),
            plan.key("y"),
        ]
        self.assertEqual(plan.key("x"), plan.key("x"))
        self.assertEqual(len({plan.key("x"), *others}), 4)
