"""
Tests for L{bench.report}.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from bench.children import ROOT
from bench.report import (
    BEGIN_MARKER,
    END_MARKER,
    Report,
    format_load_table,
    format_number,
    format_report,
    format_table,
    format_target_table,
    put_between_markers,
    report_data,
)
from bench.rounds import Load, Outcome, Spread
from bench.targets import Judgement, Target

OURS = Outcome([{"rate": 2000.0, "p50": 1.25}, {"rate": 1000.0, "p50": 1.75}])
PEER = Outcome([{"rate": 1000.0, "p50": 2.0}, None], ["errors: 3 status"])
TARGET = Target("a load", "load", "ours", "peer", "rate", 2.0)


class TableTests(SynchronousTestCase):
    """Tests of the tables."""

    def test_columns_are_aligned(self) -> None:
        """Numbers stand under each other, and Markdown is told so."""
        self.assertEqual(
            format_table(
                ["", "rate", "verdict"], [["ours", "10", ""], ["a peer", "9", "slow"]]
            ),
            "|        | rate | verdict |\n"
            "|--------|-----:|---------|\n"
            "| ours   |   10 |         |\n"
            "| a peer |    9 | slow    |",
        )

    def test_numbers_have_the_digits_that_say_something(self) -> None:
        """Nobody needs the microseconds of a second."""
        for value, expected in (
            (1234.56, "1,235"),
            (123.4, "123"),
            (12.34, "12.3"),
            (0.01234, "0.0123"),
        ):
            self.assertEqual(format_number(value), expected)

    def test_a_load_has_medians_and_how_ours_compares(self) -> None:
        """The ratio is of the rounds in which both ran; failures are told below."""
        lines = format_load_table({"ours": OURS, "peer": PEER}).splitlines()
        self.assertEqual(
            [cell.strip() for cell in lines[0].split("|")[1:-1]],
            ["", "requests/s", "p50 ms", "ours / this", "failed runs"],
        )
        self.assertEqual(
            [cell.strip() for cell in lines[2].split("|")[1:-1]],
            ["ours", "1,500", "1.5", "", ""],
        )
        self.assertEqual(
            [cell.strip() for cell in lines[3].split("|")[1:-1]],
            ["peer", "1,000", "2", "2.00 (2.00..2.00)", "1 of 2"],
        )
        self.assertEqual(lines[-1], "Failed: peer: errors: 3 status.")

    def test_columns_that_say_nothing_are_left_out(self) -> None:
        """Where no run failed and ours is not among them, that is not repeated."""
        printed = format_load_table({"one": OURS, "other": OURS})
        [head, *_] = printed.splitlines()
        self.assertEqual(
            [cell.strip() for cell in head.split("|")[1:-1]],
            ["", "requests/s", "p50 ms"],
        )

    def test_who_is_absent_has_a_row(self) -> None:
        """A peer that is not installed is not passed over in silence."""
        [*_, last] = format_load_table({"ours": OURS}, ["peer"]).splitlines()
        self.assertEqual(
            [cell.strip() for cell in last.split("|")[1:-1]], ["peer", "absent", ""]
        )

    def test_a_load_that_failed_throughout_says_why(self) -> None:
        """There are no numbers to make a table of."""
        failed = Outcome([None, None], ["no answers", "no answers"])
        self.assertEqual(
            format_load_table({"peer": failed}).strip(), "Failed: peer: no answers."
        )

    def test_a_target_has_a_verdict(self) -> None:
        """What is wanted, what was seen, and what follows."""
        printed = format_target_table(
            [Judgement(TARGET, Spread(1.5, 1, 2.125), "missed")]
        )
        [*_, line] = printed.splitlines()
        self.assertEqual(
            [cell.strip() for cell in line.split("|")[1:-1]],
            ["a load", ">= 2 x", "1.50 (1.00..2.12)", "missed"],
        )


class PageTests(SynchronousTestCase):
    """Tests of what is written."""

    report = Report(
        "A run.",
        {"processor": "some"},
        {"grep": "3.8"},
        [Load("load", "A load", {}, ["other", "unwanted"])],
        {"load": {"ours": OURS, "peer": PEER}},
        {"other": "missing: pip install other"},
        [Judgement(TARGET, None, "failed")],
    )

    def test_the_text_says_on_what_and_who_was_absent(self) -> None:
        """A number means nothing without its machine."""
        written = format_report(self.report)
        self.assertIn("Machine: processor some.", written)
        self.assertIn("Versions: grep 3.8.", written)
        self.assertIn("- other: missing: pip install other", written)
        self.assertIn("### A load", written)
        self.assertRegex(written, r"\| other +\| +absent \|")
        self.assertNotIn("unwanted", written)

    def test_the_data_are_json_with_every_round(self) -> None:
        """Who doubts a median can see what it was made of."""
        read = json.loads(json.dumps(report_data(self.report)))
        peer = read["loads"]["load"]["contestants"]["peer"]
        self.assertEqual(peer["numbers"], [{"rate": 1000.0, "p50": 2.0}, None])
        self.assertEqual(peer["failures"], ["errors: 3 status"])
        self.assertEqual(read["targets"][0]["verdict"], "failed")

    def test_a_table_takes_the_place_of_the_last_one(self) -> None:
        """What stands around the markers stays as it is."""
        page = f"Above.\n{BEGIN_MARKER}\nold\n{END_MARKER}\nBelow.\n"
        first = put_between_markers(page, "new\n")
        self.assertEqual(
            first, f"Above.\n{BEGIN_MARKER}\n\nnew\n\n{END_MARKER}\nBelow.\n"
        )
        self.assertEqual(put_between_markers(first, "new\n"), first)

    def test_a_page_without_markers_is_left_alone(self) -> None:
        """Nothing is guessed about where a table might go."""
        for page in (
            "",
            BEGIN_MARKER,
            END_MARKER,
            f"{BEGIN_MARKER}{BEGIN_MARKER}{END_MARKER}",
        ):
            self.assertRaises(ValueError, put_between_markers, page, "new")

    def test_the_page_of_the_project_has_them(self) -> None:
        """A full run can refresh it."""
        page = (ROOT / "docs" / "performance.md").read_text("utf-8")
        self.assertIn("new", put_between_markers(page, "new"))
