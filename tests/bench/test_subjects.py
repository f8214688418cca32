"""
Tests for L{bench.subjects}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.subjects import Subject, parse_json_lines, parse_text_lines


class ResponseTests(SynchronousTestCase):
    def test_json_and_text_give_the_same_lines(self) -> None:
        """Empty lines are lines too."""
        body = b'{"nr of entries": 3, "results": ["a", "", "b"]}'
        self.assertEqual(parse_json_lines(body), ["a", "", "b"])
        self.assertEqual(parse_text_lines(b"a\n\nb\n"), ["a", "", "b"])

    def test_other_json_is_rejected(self) -> None:
        """All servers must send the same keys and the right number of entries."""
        for body in (
            b'{"results": ["a"], "nr of entries": 1}',
            b'{"nr of entries": 2, "results": ["a"]}',
            b'{"nr of entries": 1, "results": ["a"], "more": 0}',
            b'["a"]',
            b"a\n",
        ):
            self.assertRaises(ValueError, parse_json_lines, body)


class MissingDependencyTests(SynchronousTestCase):
    def test_the_reason_says_what_to_install(self) -> None:
        """It lists only missing dependencies, Debian packages first."""
        modules = ("json", "no_such_module")
        for programs, needed, reason in (
            ({"sh": "dash", "no-such": "package"}, modules, "apt-get install package"),
            ({"sh": "dash"}, modules, "pip install no_such_module"),
            ({"sh": "dash"}, modules[:1], None),
        ):
            peer = Subject("peer", lambda _: [], parse_text_lines, programs, needed)
            self.assertEqual(peer.missing_reason(), reason)
