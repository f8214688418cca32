"""
Tests for L{twisted_quotes.monitoring.json_log}.
"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.json_log import json_observer


class JSONLogTests(SynchronousTestCase):
    """Tests of events in JSON."""

    def setUp(self) -> None:
        self.file = StringIO()
        publisher = LogPublisher(json_observer(self.file))
        self.log = Logger("some.where", observer=publisher)

    def logged_event(self) -> dict[str, Any]:
        """Return the one event that was logged."""
        [line] = self.file.getvalue().splitlines()
        event = json.loads(line)
        assert isinstance(event, dict)
        return event

    def test_an_event_is_a_flat_object(self) -> None:
        """Fields that are objects are only part of the message."""
        fields = {"id": "x", "number": 1.5, "yes": True, "large": 10**400}
        self.log.info("{id}: {number} {case}", case=self, none=None, **fields)
        event = self.logged_event()
        self.assertRegex(event.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertTrue(event.pop("message").startswith("x: 1.5 "))
        self.assertEqual(event, {"level": "info", "logger": "some.where", **fields})

    def test_a_traceback_is_one_field(self) -> None:
        try:
            raise ZeroDivisionError("no")
        except ZeroDivisionError:
            self.log.failure("Failed.", Failure())
        event = self.logged_event()
        self.assertEqual((event["level"], event["message"]), ("critical", "Failed."))
        self.assertIn("ZeroDivisionError: no", event["traceback"])

    def test_the_log_is_valid_json_whatever_is_logged(self) -> None:
        """Undecodable file names, infinite numbers, control characters."""
        numbers = {"c": float("nan"), "d": float("-inf")}
        self.log.info("\x1e\n{a}", a="\udcff\u20ac", b=b"\xff", **numbers)
        line = self.file.getvalue()
        self.assertTrue(line.isascii())
        self.assertNotIn("\x1e", line)
        event = self.logged_event()
        self.assertEqual(event["message"], "\x1e\n\\udcff\u20ac")
        self.assertEqual((event["a"], event["b"]), ("\\udcff\u20ac", "\\xff"))
        self.assertFalse({"c", "d"} & event.keys())

    def test_fields_do_not_replace_those_of_every_event(self) -> None:
        self.log.info("this", message="that", time=3, logger="y")
        event = self.logged_event()
        self.assertEqual((event["message"], event["level"]), ("this", "info"))
        self.assertEqual(event["logger"], "some.where")
