"""
Tests for L{twisted_quotes.text.attribution}.

To add a case, add the text of a quote and its attribution to a table.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.text.attribution import parse_attribution

Cases = dict[str, str | None]

MARKS: Cases = {
    "To be.\n-- Hamlet": "Hamlet",
    "To be.\n--Hamlet": "Hamlet",
    "To be.\n--- Hamlet": "Hamlet",
    "To be.\n\t\N{EM DASH}Hamlet, Act 3 ": "Hamlet, Act 3",
    "To be.\n\N{HORIZONTAL BAR} Hamlet": "Hamlet",
    "To be.\n\N{EN DASH} Hamlet": "Hamlet",
    "To be.\n\N{HORIZONTAL BAR}- Hamlet": "Hamlet",
    "To be.\n~ Hamlet": "Hamlet",
    "To be.\n~Hamlet": "Hamlet",
    "To be.\n\n\t- Hamlet": "Hamlet",
    "To be.\n* Hamlet": "Hamlet",
    "To be.\n  --  Hamlet\n\n": "Hamlet",
    "To be.\n\t\t-- Hamlet --": "Hamlet",
    "Two lines\nof it.\n\t\t-- 1776": "1776",
    "\u300c\u5b66\u300d\u3002\n\u2014\u2014\u5b54\u5b50": "\u5b54\u5b50",
    "To be.\n- King Claudius Jr.": "King Claudius Jr.",
    "To be.\n-Hamlet": None,
    "To be.\n*Hamlet": None,
    "To be -- Hamlet": None,
    "To be.\n-----": None,
    "To be.\n-- ...": None,
}
SEVERAL_LINES: Cases = {
    # The second line is as deep as the text of the first.
    "Who?\n\t-- Bernardo of\n\t   the guard": "Bernardo of the guard",
    "Who?\n\t-- Bernardo of\n\t  the guard": None,
    # A comma, a quotation mark and a bracket are open.
    "Who?\n-- Bernardo,\na guard": "Bernardo, a guard",
    'Who?\n-- Bernardo, "Hamlet,\nact one"': 'Bernardo, "Hamlet, act one"',
    "Who?\n-- Bernardo (a\nguard)": "Bernardo (a guard)",
    "Who?\n-- Bernardo \u201cof\nthe guard\u201d": "Bernardo \u201cof the guard\u201d",
    "Who?\n-- Bernardo\na guard": None,
    "Who?\n-- Bernardo,\n\na guard": None,
}
NOTES: Cases = {
    "Who?\n\t-- Bernardo\n\n\t[He stands, and\n\t looks around.]": "Bernardo",
    "Who?\n-- Bernardo\n(on the guard platform)": "Bernardo",
    "Who?\n-- Bernardo\n\nNay, answer me.": None,
    "Who?\n-- Bernardo\n[one] and more": None,
}
DIALOGUES: Cases = {
    "\N{EM DASH} Who?\n\N{EM DASH} Nay.\n\N{EM DASH} Stand.": None,
    "-- Who is there?\n-- Bernardo": None,
    "Two guards.\n\n-- Who?\n\nThe other:\n\n-- Nay, answer me.": None,
    "Who is there?\n- Bernardo": None,
    "The guard asked:\n- Bernardo": None,
    "- Who is there?\n- Bernardo.\n\t\t-- Hamlet": "Hamlet",
    "Who?\n\t-- Bernardo\n\nNay.\n\t-- Francisco": "Francisco",
    "- milk\n- bread": None,
    "I bought:\n * milk": None,
    "<bernardo> Who?\n* francisco stands": None,
    "It was late.\n- Stand, and unfold yourself!": None,
    "It was late.\n- We saw nothing.": None,
}
WRAPPED_SENTENCES: Cases = {
    "He walks about the castle\n--to see the ghost.": None,
    "He walks about the castle.\n--Francisco": "Francisco",
    'He said "good night"\n--Francisco': "Francisco",
    "He walks about the castle\n-- Francisco": "Francisco",
    "He walks about the castle\n\n--Francisco": "Francisco",
    "He walks about the castle\n    --Francisco": "Francisco",
}
NO_TEXT: Cases = {
    "": None,
    "-- Hamlet": None,
    "-- To be, or not to be --": None,
    "***\n-- Hamlet": None,
    "-- Hamlet\nTo be.": None,
}


class AttributionTests(SynchronousTestCase):
    """Tests of L{parse_attribution}."""

    def check(self, cases: Cases) -> None:
        """Check the attribution of each text."""
        for text, attribution in cases.items():
            with self.subTest(text=text):
                self.assertEqual(parse_attribution(text), attribution)

    def test_it_starts_with_a_mark(self) -> None:
        """A single hyphen or asterisk needs a blank, and a name after it."""
        self.check(MARKS)

    def test_it_may_have_several_lines(self) -> None:
        self.check(SEVERAL_LINES)

    def test_a_note_in_brackets_may_follow(self) -> None:
        self.check(NOTES)

    def test_lines_of_dialogues_and_lists_are_none(self) -> None:
        self.check(DIALOGUES)

    def test_the_rest_of_a_sentence_is_none(self) -> None:
        self.check(WRAPPED_SENTENCES)

    def test_it_needs_a_text_before_it(self) -> None:
        self.check(NO_TEXT)
