"""
Tests for L{bench.subjects}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.subjects import Subject, parse_json_lines, parse_text_lines


class ResponseTests(SynchronousTestCase):
    """Tests of how answers are read."""

    def test_json_and_text_say_the_same(self) -> None:
        """A peer that answers with grep's output is compared with one in JSON."""
        body = b'{"nr of entries": 2, "results": ["a", "b"]}'
        self.assertEqual(parse_json_lines(body), ["a", "b"])
        self.assertEqual(parse_text_lines(b"a\nb\n"), ["a", "b"])

    def test_blank_lines_are_lines(self) -> None:
        """Only the last line feed ends nothing."""
        self.assertEqual(parse_text_lines(b"a\n\n\n"), ["a", "", ""])

    def test_another_shape_is_refused(self) -> None:
        """The same body is asked of all: these keys, and a true count."""
        for body in (
            b'{"results": ["a"], "nr of entries": 1}',
            b'{"nr of entries": 2, "results": ["a"]}',
            b'{"nr of entries": 1, "results": ["a"], "more": 0}',
            b'["a"]',
            b"a\n",
        ):
            self.assertRaises(ValueError, parse_json_lines, body)


class MissingDependencyTests(SynchronousTestCase):
    """Tests of what is not installed."""

    def test_what_to_install_is_said(self) -> None:
        """Debian's packages first: what they lack no other package mends."""
        peer = Subject(
            "peer",
            lambda site: [],
            parse_text_lines,
            programs={"sh": "dash", "no-such-program": "some-package"},
            modules=["json", "no_such_module"],
        )
        self.assertEqual(peer.missing_packages(), ["some-package"])
        self.assertEqual(peer.missing_reason(), "apt-get install some-package")

    def test_modules_can_be_missing(self) -> None:
        """They are named, not the ones that are there."""
        peer = Subject(
            "peer",
            lambda site: [],
            parse_text_lines,
            modules=["json", "no_such_module"],
        )
        self.assertEqual(peer.missing_reason(), "pip install no_such_module")

    def test_nothing_is_missing_where_all_is_there(self) -> None:
        """Then it can be measured."""
        peer = Subject(
            "peer", lambda site: [], parse_text_lines, programs={"sh": "dash"}
        )
        self.assertIsNone(peer.missing_reason())
