"""
Tests for L{twisted_quotes.quotes.attribution}.

To add a case, add the text of a quote and its attribution to a table.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.attribution import find_attribution, parse_attribution

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
    "\u5b66\u3002\n\n\u3000\u3000\uff0d\u3000\u5b54\u5b50": "\u5b54\u5b50",
    "To be.\n- King Claudius Jr.": "King Claudius Jr.",
    "To be.\n-Hamlet": None,
    "To be.\n*Hamlet": None,
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
ON_ONE_LINE: Cases = {
    "To be. - Hamlet": "Hamlet",
    "To be. -Hamlet": "Hamlet",
    "To be. -- Hamlet --": "Hamlet",
    "To be.--Hamlet": None,
    "To be. \N{EN DASH} Hamlet": "Hamlet",
    "To be.\N{EM DASH}Hamlet": "Hamlet",
    "To be. ~ Hamlet": "Hamlet",
    "To be.\tHamlet": "Hamlet",
    "To be. (Hamlet)": "Hamlet",
    "To be. [Hamlet]": "Hamlet",
    "\u201cTo be.\u201d \N{EM DASH} Hamlet, Act 3": "Hamlet, Act 3",
    "To be. - Prince Hamlet.": "Prince Hamlet.",
    "To be? - Hamlet thinks.": None,
    "To be? - Perhaps.": None,
    "To be, or not - Prince Hamlet.": None,
    "To be. - a Danish prince": None,
    "To be. - the prince": None,
    "To be. - The prince of all Denmark": "The prince of all Denmark",
    "\u5b66\u800c\u65f6\u4e60\u4e4b\u3002\u2014\u2014\u5b54\u5b50": "\u5b54\u5b50",
    "\u5b66\u800c\u65f6\u4e60\u4e4b\u3002\uff08\u5b54\u5b50\uff09": "\u5b54\u5b50",
    # A name after words that end no sentence has capitals.
    "To be, or not - Hamlet": "Hamlet",
    "To be, or not - Prince Hamlet of Denmark": "Prince Hamlet of Denmark",
    "To be, or not - The prince": None,
    "To be - Hamlet": None,
    "To be, or not - that is the question": None,
    "To be, or not (Hamlet)": None,
    "To be. (All of them.)": None,
    "To be? (y/n)": None,
    "To be? (Y/N)": None,
    "To be? - Not to be!": None,
    "From page 1 - 2": None,
}


class AttributionTests(SynchronousTestCase):
    """Tests of L{parse_attribution}."""

    def check(self, cases: Cases) -> None:
        """Check the attribution of each text."""
        for text, attribution in cases.items():
            with self.subTest(text=text):
                self.assertEqual(parse_attribution(text), attribution)

    def test_the_text_without_it_is_known(self) -> None:
        """A note after it is part of the text."""
        for text, expected in (
            ("To be.\n-- Hamlet", "To be."),
            (" To be.\n\n\t--  Hamlet, \n\tact 3 \n", " To be."),
            ("Who?\n\t-- Bernardo\n\n\t[He stands.]", "Who?\n\n\t[He stands.]"),
            ("To be. - Hamlet \n", "To be."),
            ("\t To be. (Hamlet)", "\t To be."),
            (f"{'a ' * 5000}b.\n-- Hamlet", f"{'a ' * 5000}b."),
            (f"{'a ' * 5000}b. -- Hamlet", f"{'a ' * 5000}b."),
        ):
            attribution = find_attribution(text)
            assert attribution is not None
            self.assertEqual(len(text) - attribution.length, len(expected), text)

    def test_it_starts_with_a_mark(self) -> None:
        """A single hyphen or asterisk needs a blank, and a name after it."""
        self.check(MARKS)

    def test_it_may_have_several_lines(self) -> None:
        self.check(SEVERAL_LINES)

    def test_it_may_be_at_the_end_of_the_only_line(self) -> None:
        self.check(ON_ONE_LINE)

    def test_a_note_in_brackets_may_follow(self) -> None:
        self.check(NOTES)

    def test_lines_of_dialogues_and_lists_are_none(self) -> None:
        self.check(DIALOGUES)

    def test_the_rest_of_a_sentence_is_none(self) -> None:
        self.check(WRAPPED_SENTENCES)

    def test_it_needs_a_text_before_it(self) -> None:
        self.check(NO_TEXT)
