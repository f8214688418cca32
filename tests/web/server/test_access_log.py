"""
Tests for L{twisted_quotes.web.server.access_log}.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.server.access_log import AccessLog

from ..clients import WebTestCase, get_request


class AccessLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "access.log"
        self.log = AccessLog(str(self.path))
        self.addCleanup(self.log.close)

    def test_lines_are_appended_at_once(self) -> None:
        self.log.write("one\n")
        again = AccessLog(str(self.path))
        self.addCleanup(again.close)
        again.write("two\n")
        self.assertEqual(self.path.read_text(), "one\ntwo\n")

    def test_it_can_be_reopened(self) -> None:
        """If that fails, the old file stays open."""
        self.log.write("one\n")
        self.path.rename(self.path.with_name("old.log"))
        self.log.reopen()
        self.assertEqual(self.path.read_text(), "")
        self.path.unlink()
        self.path.mkdir()
        with capturedLogs() as events:
            self.log.reopen()
        [event] = events
        self.assertEqual(event["log_level"], LogLevel.error)
        self.path.rmdir()
        self.log.write("two\n")
        self.assertEqual(self.path.read_text(), "two\n")

    def test_a_moved_file_is_replaced(self) -> None:
        self.log.write("one\n")
        old = self.path.rename(self.path.with_name("access.log.1"))
        self.log.write("two\n")
        self.path.rename(self.path.with_name("access.log.2"))
        self.path.touch()
        self.log.write("three\n")
        self.assertEqual(old.read_text(), "one\n")
        self.assertEqual(self.path.read_text(), "three\n")

    def test_consecutive_failures_are_logged_once(self) -> None:
        self.path.unlink()
        self.path.symlink_to("/dev/full")
        with capturedLogs() as events:
            for _ in range(3):
                self.log.write("lost\n")
        self.assertEqual([each["log_level"] for each in events], [LogLevel.error])
        self.path.unlink()
        self.log.write("kept\n")
        self.assertEqual(self.path.read_text(), "kept\n")

    def test_a_replaced_file_is_closed(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            self.path.unlink()
            self.log.write("x\n")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class FullDiskTests(WebTestCase):
    def test_the_service_continues_on_a_full_disk(self) -> None:
        self.web = self.make_web(access_log=Path("/dev/full"))
        self.web.site.doStart()
        with capturedLogs() as events:
            client = self.web.connect()
            client.send(get_request() + get_request())
            self.assertEqual(client.codes, [200, 200])
            client.disconnect()
            pending_client = self.web.connect()
            pending_client.send(get_request("/wait"))
            pending_client.disconnect()
            self.web.site.doStop()
        self.assertEqual(
            len([e for e in events if e["log_level"] >= LogLevel.error]), 1
        )
