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
        """Log to memory."""
        self.file = StringIO()
        publisher = LogPublisher(json_observer(self.file))
        self.log = Logger("some.where", observer=publisher)

    def logged_event(self) -> dict[str, Any]:
        """The one event that was logged."""
        [line] = self.file.getvalue().splitlines()
        event = json.loads(line)
        assert isinstance(event, dict)
        return event

    def test_an_event_is_a_flat_object(self) -> None:
        """It has a formatted message, and the fields that are no objects."""
        self.log.info(
            "{id}: {number} {case}",
            id="x",
            number=1.5,
            case=self,
            none=None,
            yes=True,
        )
        event = self.logged_event()
        self.assertRegex(event.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertTrue(event.pop("message").startswith("x: 1.5 "))
        self.assertEqual(
            event,
            {
                "level": "info",
                "logger": "some.where",
                "id": "x",
                "number": 1.5,
                "yes": True,
            },
        )

    def test_a_failure_is_one_text(self) -> None:
        """The traceback stands in the object, with its line breaks escaped."""
        try:
            raise ZeroDivisionError("no")
        except ZeroDivisionError:
            self.log.failure("Failed.", Failure())
        event = self.logged_event()
        self.assertEqual((event["level"], event["message"]), ("critical", "Failed."))
        self.assertIn("ZeroDivisionError: no", event["traceback"])

    def test_it_is_json_whatever_is_logged(self) -> None:
        """Names of files that are no text, numbers that are none, control bytes."""
        self.log.info("\x1e\n{a}", a="\udcff\u20ac", b=b"\xff", c=float("nan"))
        line = self.file.getvalue()
        self.assertTrue(line.isascii())
        self.assertNotIn("\x1e", line)
        event = self.logged_event()
        self.assertEqual(event["message"], "\x1e\n\\udcff\u20ac")
        self.assertEqual((event["a"], event["b"]), ("\\udcff\u20ac", "\\xff"))
        self.assertNotIn("c", event)

    def test_a_field_takes_no_place_of_its_own(self) -> None:
        """What every event has is not overwritten."""
        self.log.info("this", message="that", time=3, logger="y")
        event = self.logged_event()
        self.assertEqual((event["message"], event["level"]), ("this", "info"))
        self.assertEqual(event["logger"], "some.where")
