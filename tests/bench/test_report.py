"""
Tests for L{bench.report}.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

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
from bench.servers import ROOT
from bench.targets import Judgement, Target

OURS = Outcome([{"rate": 2000.0, "p50": 1.25}, {"rate": 1000.0, "p50": 1.75}])
PEER = Outcome([{"rate": 1000.0, "p50": 2.0}, None], ["errors: 3 status"])
TARGET = Target("a load", "load", "ours", "peer", "rate", 2.0)


def cells_of(line: str) -> list[str]:
    """Split a line of a table into its cells."""
    return [cell.strip() for cell in line.split("|")[1:-1]]


class TableTests(SynchronousTestCase):
    def test_columns_are_aligned(self) -> None:
        """Numbers are aligned to the right, in plain text and in Markdown."""
        self.assertEqual(
            format_table(
                ["", "rate", "verdict"], [["ours", "10", ""], ["a peer", "9", "slow"]]
            ),
            "|        | rate | verdict |\n"
            "|--------|-----:|---------|\n"
            "| ours   |   10 |         |\n"
            "| a peer |    9 | slow    |",
        )

    def test_numbers_have_three_significant_digits(self) -> None:
        """Large numbers have no fraction."""
        for value, expected in (
            (1234.56, "1,235"),
            (123.4, "123"),
            (12.34, "12.3"),
            (0.01234, "0.0123"),
        ):
            self.assertEqual(format_number(value), expected)

    def test_a_load_has_medians_and_a_comparison(self) -> None:
        """The ratio is of the rounds without failures; failures are listed below."""
        lines = format_load_table({"ours": OURS, "peer": PEER}).splitlines()
        self.assertEqual(
            [cells_of(lines[number]) for number in (0, 2, 3)],
            [
                ["", "requests/s", "p50 ms", "ours / this", "failed runs"],
                ["ours", "1,500", "1.5", "", ""],
                ["peer", "1,000", "2", "2.00 (2.00..2.00)", "1 of 2"],
            ],
        )
        self.assertEqual(lines[-1], "Failed: peer: errors: 3 status.")

    def test_empty_columns_are_left_out(self) -> None:
        """If no run failed, there is no column of failed runs."""
        printed = format_load_table({"one": OURS, "other": OURS})
        [head, *_] = printed.splitlines()
        self.assertEqual(cells_of(head), ["", "requests/s", "p50 ms"])

    def test_an_absent_contestant_has_a_row(self) -> None:
        """It may be a peer that is not installed."""
        [*_, last] = format_load_table({"ours": OURS}, ["peer"]).splitlines()
        self.assertEqual(cells_of(last), ["peer", "absent", ""])

    def test_failures_are_listed_without_a_table_if_all_runs_failed(self) -> None:
        """Each reason is listed once."""
        failed = Outcome([None, None], ["no responses", "no responses"])
        self.assertEqual(
            format_load_table({"peer": failed}).strip(), "Failed: peer: no responses."
        )

    def test_a_target_has_a_verdict(self) -> None:
        """It follows the limit and the measured ratio."""
        printed = format_target_table(
            [Judgement(TARGET, Spread(1.5, 1, 2.125), "missed")]
        )
        [*_, line] = printed.splitlines()
        self.assertEqual(
            cells_of(line), ["a load", ">= 2 x", "1.50 (1.00..2.12)", "missed"]
        )


class PageTests(SynchronousTestCase):
    report = Report(
        "A run.",
        {"processor": "some"},
        {"grep": "3.8"},
        [Load("load", "A load", {}, ["other", "unwanted"])],
        {"load": {"ours": OURS, "peer": PEER}},
        {"other": "missing: pip install other"},
        {"Targets": [Judgement(TARGET, None, "failed")]},
    )

    def test_the_text_has_the_machine_and_absent_contestants(self) -> None:
        """A contestant that was not selected is not mentioned."""
        written = format_report(self.report)
        for text in (
            "Machine: processor some.",
            "Versions: grep 3.8.",
            "- other: missing: pip install other",
            "### A load",
        ):
            self.assertIn(text, written)
        self.assertRegex(written, r"\| other +\| +absent \|")
        self.assertNotIn("unwanted", written)

    def test_the_data_has_the_numbers_of_every_round(self) -> None:
        """It can be written as JSON."""
        data = json.loads(json.dumps(report_data(self.report)))
        peer = data["loads"]["load"]["contestants"]["peer"]
        self.assertEqual(peer["numbers"], [{"rate": 1000.0, "p50": 2.0}, None])
        self.assertEqual(peer["failures"], ["errors: 3 status"])
        self.assertEqual(data["targets"][0]["verdict"], "failed")

    def test_the_tables_of_a_page_are_replaced(self) -> None:
        """The text around the markers is not changed."""
        page = f"Above.\n{BEGIN_MARKER}\nold\n{END_MARKER}\nBelow.\n"
        first = put_between_markers(page, "new\n")
        self.assertEqual(
            first, f"Above.\n{BEGIN_MARKER}\n\nnew\n\n{END_MARKER}\nBelow.\n"
        )
        self.assertEqual(put_between_markers(first, "new\n"), first)

    def test_a_page_must_have_both_markers_once(self) -> None:
        """Otherwise the position of the tables is unknown."""
        for page in (
            "",
            BEGIN_MARKER,
            END_MARKER,
            f"{BEGIN_MARKER}{BEGIN_MARKER}{END_MARKER}",
        ):
            self.assertRaises(ValueError, put_between_markers, page, "new")

    def test_the_page_of_the_project_has_the_markers(self) -> None:
        page = (ROOT / "docs" / "performance.md").read_text("utf-8")
        self.assertIn("new", put_between_markers(page, "new"))
